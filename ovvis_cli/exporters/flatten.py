"""Non-overlapping masks, for formats that assign each pixel to one object."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from ovvis_cli.record.reader import instance_mask
from ovvis_cli.record.schema import FrameLine


def flatten(
    frame: FrameLine, *, values: Mapping[int, int], frame_hw: tuple[int, int]
) -> Int[np.ndarray, "H0 W0"]:
    """Return the track value at every pixel, 0 for background; where masks overlap the higher score wins.

    Args:
        frame: the instances; tracks that are not in `values` are left out.
        values: track id to pixel value, all > 0.
        frame_hw: (height, width) of the frame.
    """
    flat = np.zeros(frame_hw, dtype=np.int64)
    for instance in sorted(frame.instances, key=lambda instance: instance.score):
        if instance.track_id in values:
            flat[instance_mask(instance)] = values[instance.track_id]
    return flat
