"""Frames to network input, and mask logits back to frames. Pure functions of tensors and numbers.

The resize is Pillow's antialiased bilinear filter on 8-bit pixels, which the published weights were trained
with: exactly where a model asks for it, else by torch, one grey level off on a pixel in a thousand on the CPU
and within one level elsewhere.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ovvis_models.pillow_resize import resize_like_pillow
from ovvis_models.structures import ImageGeometry

MASK_STRIDE = 4
"""Mask logits are predicted at this stride of the padded input."""

COARSEST_STRIDE = 32
"""Of the maps of a proposal network; its input is padded to whole places of them."""

Channels = tuple[float, float, float]

Resize = Literal["torch", "pillow"]
"""Which resize a network was trained behind: torch's, or Pillow's to the last bit."""

_PIXELS_AT_ONCE = 1 << 25  # of full-size float logits: 128 MiB, however many masks are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """What a network wants to see: sizes in pixels, mean and standard deviation of RGB pixels 0..255."""

    short_side: int
    max_side: int
    mean: Channels
    std: Channels
    resize: Resize = "torch"


def pixel_range(values: Channels) -> Channels:
    """From the range 0..1 to that of 8-bit pixels."""
    return (values[0] * 255, values[1] * 255, values[2] * 255)


def geometry(
    original_hw: tuple[int, int], *, short_side: int, max_side: int, divisor: int = COARSEST_STRIDE
) -> ImageGeometry:
    """The resize that brings the short side to `short_side` and no side over `max_side`, and its padding.

    Sizes round half up, as in detectron2; padding fills up to a multiple of `divisor`.

    Raises:
        ValueError: when a side or number is below 1.
    """
    if min(*original_hw, short_side, max_side, divisor) < 1:
        got = f"frame {original_hw}, short side {short_side}, longest side {max_side}, divisor {divisor}"
        raise ValueError(f"sizes must be positive, got {got}")
    scale = short_side / min(original_hw)
    longest = max(original_hw) * scale
    if longest > max_side:
        scale *= max_side / longest
    height, width = (max(1, int(side * scale + 0.5)) for side in original_hw)
    return ImageGeometry(
        original_hw=original_hw,
        resized_hw=(height, width),
        padded_hw=(_round_up(height, divisor), _round_up(width, divisor)),
    )


def unpadded_geometry(
    original_hw: tuple[int, int], *, short_side: int, max_side: int, divisor: int
) -> ImageGeometry:
    """Like `geometry`, but resized straight to the nearest multiples of `divisor`, so without padding.

    For networks whose patches must not see padding; the aspect ratio changes by up to half a patch.

    Raises:
        ValueError: when a side or number is below 1.
    """
    plain = geometry(original_hw, short_side=short_side, max_side=max_side, divisor=divisor)
    height, width = (max(divisor, divisor * round(side / divisor)) for side in plain.resized_hw)
    return ImageGeometry(original_hw=original_hw, resized_hw=(height, width), padded_hw=(height, width))


def prepare(
    frames: UInt8[Tensor, "B H0 W0 3"],
    geometry: ImageGeometry,
    *,
    mean: Channels,
    std: Channels,
    resize: Resize = "torch",
) -> Float[Tensor, "B 3 H W"]:
    """RGB frames resized, normalised by `mean` and `std` (of pixels 0..255), zero-padded right and bottom.

    Their memory order is channels last, in which convolutions are fastest.

    Raises:
        ValueError: when the frames do not have the geometry's original size.
    """
    if tuple(frames.shape[1:3]) != geometry.original_hw:
        raise ValueError(f"frames are {tuple(frames.shape[1:3])}, the geometry is for {geometry.original_hw}")
    if resize == "pillow":
        pixels = resize_like_pillow(frames, geometry.resized_hw).float()
    else:
        pixels = _resize(frames.permute(0, 3, 1, 2), geometry.resized_hw)
    normalised = normalise(pixels, mean=mean, std=std)
    bottom, right = (full - used for full, used in zip(geometry.padded_hw, geometry.resized_hw, strict=True))
    padded = F.pad(normalised, (0, right, 0, bottom))
    return padded.contiguous(memory_format=torch.channels_last)


def normalise(pixels: Float[Tensor, "B 3 h w"], *, mean: Channels, std: Channels) -> Float[Tensor, "B 3 h w"]:
    """Pixels 0..255 with a channel's `mean` taken off, divided by its `std`."""
    return (pixels - pixels.new_tensor(mean)[:, None, None]) / pixels.new_tensor(std)[:, None, None]


def proposal_images(
    frames: UInt8[Tensor, "B H0 W0 3"], wanted: ImageInput
) -> tuple[Float[Tensor, "B 3 H W"], ImageGeometry]:
    """RGB frames as a proposal network wants to see them, and how masks of these images map to the frames."""
    shape = geometry(
        (frames.shape[1], frames.shape[2]), short_side=wanted.short_side, max_side=wanted.max_side
    )
    return prepare(frames, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize), shape


def center_squares(frames: UInt8[Tensor, "B H0 W0 3"], *, side: int) -> UInt8[Tensor, "B 3 S S"]:
    """RGB frames as CLIP's own preprocessing shows them: short side to `side`, the centre square cut out.

    The resize is Pillow's bicubic one; the longer side is rounded down, the cut's place to the nearest, of
    halves to the even one, as in torchvision.
    """
    height, width = frames.shape[1:3]
    short = min(height, width)
    resized_h, resized_w = (side if length == short else side * length // short for length in (height, width))
    pixels = resize_like_pillow(frames, (resized_h, resized_w), kernel="bicubic")
    top, left = round((resized_h - side) / 2), round((resized_w - side) / 2)
    return pixels[:, :, top : top + side, left : left + side]


def image_area(
    mask_logits: Float[Tensor, "*batch h w"], geometry: ImageGeometry
) -> Float[Tensor, "*batch h_image w_image"]:
    """The part of the mask logits that lies over the image, without the padding.

    A cell partly over the image belongs to it, so the area may reach a fraction of a cell too far.
    """
    height, width = (_round_up(side, MASK_STRIDE) // MASK_STRIDE for side in geometry.resized_hw)
    return mask_logits[..., :height, :width]


def masks_to_original(
    mask_logits: Float[Tensor, "N h w"], geometry: ImageGeometry
) -> Bool[Tensor, "N H0 W0"]:
    """Masks at the frame's own size: logits to the padded input, cropped, resized to the frame, above zero.

    Costs a full-size float image a mask: only for the masks that are kept.
    """
    height, width = geometry.original_hw
    at_once = max(1, _PIXELS_AT_ONCE // (height * width))
    masks = mask_logits.new_empty((mask_logits.shape[0], height, width), dtype=torch.bool)
    for start in range(0, mask_logits.shape[0], at_once):
        logits = mask_logits[start : start + at_once].float()
        masks[start : start + at_once] = logits_to_original(logits, geometry) > 0
    return masks


def logits_to_original(
    mask_logits: Float[Tensor, "N h w"], geometry: ImageGeometry
) -> Float[Tensor, "N H0 W0"]:
    """Mask logits at the frame's own size: resized to the padded input, cropped, resized to the frame."""
    padded = F.interpolate(mask_logits[None], size=geometry.padded_hw, mode="bilinear", align_corners=False)
    height, width = geometry.resized_hw
    cropped = padded[..., :height, :width]
    return F.interpolate(cropped, size=geometry.original_hw, mode="bilinear", align_corners=False)[0]


def _resize(pixels: UInt8[Tensor, "B 3 H0 W0"], size: tuple[int, int]) -> Float[Tensor, "B 3 h w"]:
    if tuple(pixels.shape[-2:]) == size:
        return pixels.float()
    if pixels.is_cpu:  # ten times faster than in floats, and only the CPU has it
        return F.interpolate(pixels, size=size, mode="bilinear", antialias=True).float()
    return F.interpolate(pixels.float(), size=size, mode="bilinear", antialias=True).round_()


def _round_up(side: int, divisor: int) -> int:
    return -(-side // divisor) * divisor
