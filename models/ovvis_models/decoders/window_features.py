"""Frames of a window as one long map, so that one set of queries looks at all of them (OVFormer).

Frames are stacked along the height: the query decoder then reads the places of all frames as one sequence.
Maps are padded to multiples of stride 32, so resizing the stack never mixes two frames.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_models.blocks.decoder_output import PixelFeatures
from ovvis_models.blocks.position import axis_code


def window_features(features: PixelFeatures, *, num_frames: int) -> PixelFeatures:
    """Return the features of B frames as those of B / T windows of T frames.

    To the sine position of a place comes that of its frame, over the length of the window.

    Raises:
        ValueError: B is no multiple of T.
    """
    if features.pixel_embeds.shape[0] % num_frames:
        raise ValueError(f"{features.pixel_embeds.shape[0]} frames are no windows of {num_frames}")
    place = features.positions[0]  # (P, C)
    times = axis_code(num_frames, width=place.shape[1], dtype=place.dtype, device=place.device)
    return PixelFeatures(
        levels=tuple(_stacked(level, num_frames) for level in features.levels),
        positions=tuple(
            (times[:, None] + position).flatten(0, 1)  # (T P, C)
            for position in features.positions
        ),
        pixel_embeds=_stacked(features.pixel_embeds, num_frames),
    )


def frames_of_window(
    mask_logits: Float[Tensor, "W Q Th w"], *, num_frames: int
) -> Float[Tensor, "W T Q h w"]:
    """Return masks of stacked frames frame by frame."""
    return torch.unflatten(mask_logits, 2, (num_frames, -1)).transpose(1, 2)


def _stacked(maps: Float[Tensor, "B C h w"], num_frames: int) -> Float[Tensor, "W C Th w"]:
    windows = torch.unflatten(maps, 0, (-1, num_frames))  # (W, T, C, h, w)
    return windows.permute(0, 2, 1, 3, 4).flatten(2, 3)
