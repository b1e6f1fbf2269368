"""Windows of frames of the diorama, for the training of an OVFormer.

The frames of a window are stacked along the height, as the query decoder reads them
(`decoders/window_features.py`). A window is thus trained on like one tall frame, in which a query that starts
on an object in one frame belongs to that object in all of them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.diorama.kinds.nameless import NAMELESS
from ovvis_cli.diorama.scene import render_clip
from ovvis_cli.training.recipe import AlignmentStage
from ovvis_cli.training.stage_proposals import LONGEST_FILM, FrameBatch, FrameSample, pool, with_centers
from ovvis_cli.training.stage_proposals import collate as collate_frames

SEED_SPACE = 14
NO_NAME = -1  # class index of nameless objects, and of queries without an object


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSample:
    """One window of T frames, stacked into a frame of T times the height."""

    batch_number: int  # of the batch that it belongs to; batches of one number are equal
    num_frames: int
    stacked: FrameSample
    kind_indices: Int[np.ndarray, " n"]  # among the base kinds, or NO_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBatch:
    """Windows of one length."""

    batch_number: int
    num_frames: int
    stacked: FrameBatch
    kind_indices: Int[Tensor, " G"]  # of all objects, window by window

    @property
    def frames(self) -> UInt8[Tensor, "BT H W 3"]:
        """The frames of all windows, one after the other."""
        return torch.unflatten(self.stacked.images, 1, (self.num_frames, -1)).flatten(0, 1)


class WindowSource:
    """Windows of base kinds and nameless shapes.

    The batches of a round are drawn `readings` times in turn; then the next round begins. All windows of a
    batch have one length.
    """

    def __init__(self, settings: AlignmentStage) -> None:
        self.settings = settings
        self.kinds = pool(BASE_KINDS, NAMELESS, settings.nameless_share)
        num_kept = settings.batches_per_round * settings.schedule.batch_size
        self._rendered = lru_cache(maxsize=num_kept)(self._render)  # a sample is a function of its number

    def draw(self, number: int) -> WindowSample:
        """Return the sample of a number."""
        settings = self.settings
        batch, place = divmod(number, settings.schedule.batch_size)
        round_number, turn = divmod(batch, settings.batches_per_round * settings.readings)
        different = round_number * settings.batches_per_round + turn % settings.batches_per_round
        return self._rendered(different, place)

    def _render(self, batch_number: int, place: int) -> WindowSample:
        settings = self.settings
        num_frames = settings.window_lengths[batch_number % len(settings.window_lengths)]
        rng = np.random.default_rng([SEED_SPACE, settings.schedule.seed, batch_number, place])
        fewest, most = settings.num_objects
        clip = render_clip(
            rng,
            kinds=self.kinds,
            num_frames=num_frames,
            frame_hw=settings.frame_hw,
            num_objects=int(rng.integers(fewest, most + 1)),
            start_frame=int(rng.integers(0, LONGEST_FILM)),
        )
        masks = np.concatenate(list(clip.masks), axis=1)  # (n, T H, W)
        visible = masks.any(axis=(1, 2))
        kind_indices = [BASE_KINDS.index(kind) if kind in BASE_KINDS else NO_NAME for kind in clip.kinds]
        return WindowSample(
            batch_number=batch_number,
            num_frames=num_frames,
            stacked=with_centers(np.concatenate(list(clip.frames)), masks[visible]),
            kind_indices=np.array(kind_indices)[visible],
        )


def collate(samples: list[WindowSample]) -> WindowBatch:
    """Stack the windows of a batch."""
    return WindowBatch(
        batch_number=samples[0].batch_number,
        num_frames=samples[0].num_frames,
        stacked=collate_frames([sample.stacked for sample in samples]),
        kind_indices=torch.from_numpy(np.concatenate([sample.kind_indices for sample in samples])),
    )
