"""What is summed up of every track while a video runs: some floats a track, whatever its length."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.structures import TrackSummary

_EPS = 1e-12  # an object that CLIP never saw has tokens of zero


class TrackTable:
    """Sums by track. Row r is track r + 1, which works because trackers count ids from 1 without gaps."""

    def __init__(self, embed_dim: int, *, unit_norm: bool = True) -> None:
        columns = [
            ("token_sum", np.float64, (embed_dim,)),  # weighted by score
            ("score_sum", np.float64),
            ("num_frames", np.int64),
            ("first_frame", np.int64),
            ("last_frame", np.int64),
        ]
        self._rows = np.zeros(0, dtype=columns)
        self._unit_norm = unit_norm

    def add(
        self,
        frame_index: int,
        track_ids: Int[np.ndarray, " N"],
        *,
        scores: Float[np.ndarray, " N"],
        tokens: Float[np.ndarray, "N D"],
    ) -> None:
        """Counts the instances of one frame: `track_ids` from 1, each at most once."""
        if track_ids.size == 0:
            return
        self._grow(int(track_ids.max()))
        rows = self._rows[track_ids - 1]  # a copy
        rows["first_frame"] = np.where(rows["num_frames"] == 0, frame_index, rows["first_frame"])
        rows["last_frame"] = frame_index
        rows["num_frames"] += 1
        rows["score_sum"] += scores
        rows["token_sum"] += scores[:, None].astype(np.float64) * tokens
        self._rows[track_ids - 1] = rows

    def summaries(self) -> tuple[TrackSummary, ...]:
        """Every track that was seen, by id; its token is the score-weighted mean, or that in unit norm."""
        return tuple(self._summary(int(row)) for row in np.flatnonzero(self._rows["num_frames"]))

    def to_tensors(self) -> dict[str, Tensor]:
        """A flat dict that `from_tensors` turns back into exactly this table."""
        return {name: torch.from_numpy(np.array(self._rows[name])) for name in self._rows.dtype.names or ()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], *, unit_norm: bool = True) -> "TrackTable":
        """The table that `to_tensors` wrote.

        Raises:
            KeyError: when a tensor is missing.
        """
        num_rows, embed_dim = tensors["token_sum"].shape
        table = cls(embed_dim, unit_norm=unit_norm)
        table._grow(num_rows)
        for name in table._rows.dtype.names or ():
            table._rows[name] = tensors[name].numpy()
        return table

    def _summary(self, row: int) -> TrackSummary:
        sums = self._rows[row]
        token = sums["token_sum"]
        scale = np.linalg.norm(token) if self._unit_norm else sums["score_sum"]
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
