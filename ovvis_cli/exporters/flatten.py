"""Non-overlapping masks, for formats that assign each pixel to one object."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Int

from ovvis_cli.exporters.mask_loss import MaskLoss
from ovvis_cli.record.reader import instance_mask
from ovvis_cli.record.schema import FrameLine

OVERLAP_REASON: Final = "each pixel has one track, the one with the better score"


def flatten(
    frame: FrameLine, *, values: Mapping[int, int], frame_hw: tuple[int, int], loss: MaskLoss
) -> Int[np.ndarray, "H0 W0"]:
    """Return the track value at every pixel, 0 for background; where masks overlap the higher score wins.

    Args:
        frame: the instances; tracks that are not in `values` are left out.
        values: track id to pixel value, all > 0.
        frame_hw: (height, width) of the frame.
        loss: counts the pixels of the lower scores that are hidden.
    """
    flat = np.zeros(frame_hw, dtype=np.int64)
    total_px = 0
    for instance in sorted(frame.instances, key=lambda instance: instance.score):
        if instance.track_id in values:
            mask = instance_mask(instance)
            total_px += int(np.count_nonzero(mask))
            flat[mask] = values[instance.track_id]
    loss.add(lost_px=total_px - int(np.count_nonzero(flat)), total_px=total_px)
    return flat
