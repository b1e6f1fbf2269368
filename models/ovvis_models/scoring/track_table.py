"""Running sums of every track: a few numbers per track, whatever the length of the video.

They do not depend on the class names, so a finished video can be asked again with other names.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.scoring.clip_vis import refined_scores
from ovvis_models.structures import TrackSummary, WindowSlots

_EPS = 1e-12  # an object that CLIP never saw has tokens of zero


class TokenMean(Protocol):
    """How the instance tokens of a track are averaged over its frames."""

    @property
    def unit_norm(self) -> bool:
        """Whether the mean is scaled to unit norm."""
        ...

    @property
    def counts_hidden(self) -> bool:
        """Whether frames count in which the track's mask is empty."""
        ...

    def weights(self, slots: WindowSlots) -> Float[Tensor, " N"]:
        """Return the weight of each slot in this window, in [0, 1]; also its share of the track's score."""
        ...


@dataclass(frozen=True, slots=True)
class ScoreWeighted:
    """Mean weighted by object score, in unit norm (InstFormer)."""

    unit_norm: bool = True
    counts_hidden: bool = False

    def weights(self, slots: WindowSlots) -> Float[Tensor, " N"]:
        """Return the object scores."""
        return slots.object_scores


@dataclass(frozen=True, slots=True)
class QualityWeighted:
    """Mean weighted by object score and predicted mask quality, in unit norm (CLIP-VIS, Sec. 3.3)."""

    unit_norm: bool = True
    counts_hidden: bool = False

    def weights(self, slots: WindowSlots) -> Float[Tensor, " N"]:
        """Return the refined scores."""
        assert slots.mask_quality is not None, "this network predicts a mask quality"
        return refined_scores(slots.object_scores, slots.mask_quality.float())


@dataclass(frozen=True, slots=True)
class RootScoreWeighted:
    """Mean weighted by the root of the object score; its length counts, as in mean logits (OV2Seg)."""

    unit_norm: bool = False
    counts_hidden: bool = False

    def weights(self, slots: WindowSlots) -> Float[Tensor, " N"]:
        """Return the roots of the object scores."""
        return slots.object_scores.sqrt()


@dataclass(frozen=True, slots=True)
class PlainMean:
    """Plain mean over all frames (class logits of MinVIS). Empty masks count: their logits say so."""

    unit_norm: bool = False
    counts_hidden: bool = True

    def weights(self, slots: WindowSlots) -> Float[Tensor, " N"]:
        """Return ones."""
        return torch.ones_like(slots.object_scores)


class TrackTable:
    """Sums by track. Row r is track r + 1, which works because trackers count ids from 1 without gaps."""

    def __init__(self, embed_dim: int, *, mean: TokenMean) -> None:
        columns = [
            ("token_sum", np.float64, (embed_dim,)),  # weighted
            ("score_sum", np.float64),  # of the weights
            ("num_frames", np.int64),
            ("first_frame", np.int64),
            ("last_frame", np.int64),
        ]
        self._rows = np.zeros(0, dtype=columns)
        self._mean = mean

    def add(
        self,
        frame_index: int,
        track_ids: Int[np.ndarray, " N"],
        *,
        weights: Float[np.ndarray, " N"],
        tokens: Float[np.ndarray, "N D"],
    ) -> None:
        """Add the instances of one frame: `track_ids` from 1, each at most once."""
        if track_ids.size == 0:
            return
        self._grow(int(track_ids.max()))
        rows = self._rows[track_ids - 1]  # a copy
        rows["first_frame"] = np.where(rows["num_frames"] == 0, frame_index, rows["first_frame"])
        rows["last_frame"] = frame_index
        rows["num_frames"] += 1
        rows["score_sum"] += weights
        rows["token_sum"] += weights[:, None].astype(np.float64) * tokens
        self._rows[track_ids - 1] = rows

    def summaries(self) -> tuple[TrackSummary, ...]:
        """Return every track that was seen, by id."""
        return tuple(self._summary(int(row)) for row in np.flatnonzero(self._rows["num_frames"]))

    def to_tensors(self) -> dict[str, Tensor]:
        """Return a flat dict that `from_tensors` turns back into exactly this table."""
        return {name: torch.from_numpy(np.array(self._rows[name])) for name in self._rows.dtype.names or ()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], *, mean: TokenMean) -> "TrackTable":
        """Return the table that `to_tensors` wrote.

        Raises:
            KeyError: when a tensor is missing.
        """
        num_rows, embed_dim = tensors["token_sum"].shape
        table = cls(embed_dim, mean=mean)
        table._grow(num_rows)
        for name in table._rows.dtype.names or ():
            table._rows[name] = tensors[name].numpy()
        return table

    def _summary(self, row: int) -> TrackSummary:
        sums = self._rows[row]
        token = sums["token_sum"]
        scale = np.linalg.norm(token) if self._mean.unit_norm else sums["score_sum"]
        return TrackSummary(
            track_id=row + 1,
            object_score=float(sums["score_sum"] / sums["num_frames"]),
            first_frame=int(sums["first_frame"]),
            last_frame=int(sums["last_frame"]),
            num_frames=int(sums["num_frames"]),
            instance_token=(token / max(scale, _EPS)).astype(np.float32),
        )

    def _grow(self, num_rows: int) -> None:
        missing = num_rows - self._rows.shape[0]
        if missing > 0:
            self._rows = np.concatenate([self._rows, np.zeros(missing, dtype=self._rows.dtype)])
