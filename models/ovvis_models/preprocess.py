"""Preprocessing of frames for the networks, and resizing of mask logits back to the frames.

Most published weights were trained on frames resized with Pillow's antialiased bilinear filter on 8-bit
pixels. A model chooses between two forms of it (`ImageInput.resize`): "pillow" gives exactly the same pixels;
"torch" is faster and differs by at most one grey level, on the CPU in one pixel of a thousand. RF-DETR was
trained with "plain": bilinear without antialiasing, on floats.
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
"""Stride of the mask logits relative to the padded input."""

COARSEST_STRIDE = 32
"""Largest stride of a proposal network's feature maps; its input is padded to a multiple of it."""

Channels = tuple[float, float, float]

Resize = Literal["torch", "pillow", "plain"]
"""Resize filter of a network's input: torch's, exactly Pillow's, or bilinear without antialiasing."""

Fit = Literal["padded", "square"]
"""`padded`: keeps the aspect ratio and pads. `square`: resizes both sides to the short side."""

_PIXELS_AT_ONCE = 1 << 25  # limit of full-size float logits in memory (128 MiB), for any number of masks


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """Input format of a network: sizes in pixels; mean and standard deviation of RGB pixels in 0..255."""

    short_side: int
    max_side: int
    mean: Channels
    std: Channels
    resize: Resize = "torch"
    fit: Fit = "padded"
    divisor: int = COARSEST_STRIDE  # both sides of the network's input are multiples of it

    def geometry_of(self, original_hw: tuple[int, int]) -> ImageGeometry:
        """Return how frames of a size map to the network's input; a square side is rounded to the divisor.

        Raises:
            ValueError: when a side or number is below 1.
        """
        if self.fit == "square":
            return square_geometry(original_hw, side=self.short_side, divisor=self.divisor)
        return geometry(original_hw, short_side=self.short_side, max_side=self.max_side, divisor=self.divisor)


def pixel_range(values: Channels) -> Channels:
    """Convert values for pixels in 0..1 to values for pixels in 0..255."""
    return (values[0] * 255, values[1] * 255, values[2] * 255)


def geometry(
    original_hw: tuple[int, int], *, short_side: int, max_side: int, divisor: int = COARSEST_STRIDE
) -> ImageGeometry:
    """Return the resize of the short side to `short_side`, with no side above `max_side`, and the padding.

    Sizes are rounded half up, as in detectron2, and then padded to a multiple of `divisor`.

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
    """Return the geometry of a resize to the nearest multiples of `divisor`, which needs no padding.

    The sides are first limited as in `geometry`. It is for networks that must not attend to padding. Rounding
    changes each side by up to half of `divisor`, so the aspect ratio may change slightly.

    Raises:
        ValueError: when a side or number is below 1.
    """
    plain = geometry(original_hw, short_side=short_side, max_side=max_side, divisor=divisor)
    height, width = (max(divisor, divisor * round(side / divisor)) for side in plain.resized_hw)
    return ImageGeometry(original_hw=original_hw, resized_hw=(height, width), padded_hw=(height, width))


def square_geometry(original_hw: tuple[int, int], *, side: int, divisor: int) -> ImageGeometry:
    """Return the resize of both sides to the multiple of `divisor` nearest to `side`, without padding.

    Raises:
        ValueError: when a side or number is below 1.
    """
    if min(*original_hw, side, divisor) < 1:
        raise ValueError(f"sizes must be positive, got frame {original_hw}, side {side}, divisor {divisor}")
    rounded = max(divisor, divisor * round(side / divisor))
    return ImageGeometry(original_hw=original_hw, resized_hw=(rounded, rounded), padded_hw=(rounded, rounded))


def prepare(
    frames: UInt8[Tensor, "B H0 W0 3"],
    geometry: ImageGeometry,
    *,
    mean: Channels,
    std: Channels,
    resize: Resize = "torch",
) -> Float[Tensor, "B 3 H W"]:
    """Resize RGB frames, normalise them by `mean` and `std` (of pixels in 0..255), and pad right and bottom.

    The padding is zero after normalisation. The memory format is channels last, in which convolutions are
    fastest.

    Raises:
        ValueError: when the size of the frames is not the original size of the geometry.
    """
    if tuple(frames.shape[1:3]) != geometry.original_hw:
        raise ValueError(f"frames are {tuple(frames.shape[1:3])}, the geometry is for {geometry.original_hw}")
    if resize == "pillow":
        pixels = resize_like_pillow(frames, geometry.resized_hw).float()
    elif resize == "plain":
        floats = frames.permute(0, 3, 1, 2).float()
        pixels = F.interpolate(floats, size=geometry.resized_hw, mode="bilinear", align_corners=False)
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
    """Return the input images of a proposal network, and the geometry that maps their masks to the frames."""
    shape = wanted.geometry_of((frames.shape[1], frames.shape[2]))
    return prepare(frames, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize), shape


def unpadded_images(
    frames: UInt8[Tensor, "B H0 W0 3"], wanted: ImageInput, *, divisor: int
) -> Float[Tensor, "B 3 H W"]:
    """Return the input images of a network that must not attend to padding; see `unpadded_geometry`."""
    shape = unpadded_geometry(
        (frames.shape[1], frames.shape[2]),
        short_side=wanted.short_side,
        max_side=wanted.max_side,
        divisor=divisor,
    )
    return prepare(frames, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize)


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
    """Crop mask logits to the image, without the padding.

    Cells that are only partly inside the image are kept.
    """
    height, width = (_round_up(side, MASK_STRIDE) // MASK_STRIDE for side in geometry.resized_hw)
    return mask_logits[..., :height, :width]


def masks_to_original(
    mask_logits: Float[Tensor, "N h w"], geometry: ImageGeometry
) -> Bool[Tensor, "N H0 W0"]:
    """Return masks at the size of the frame: True where the logits of `logits_to_original` are above zero.

    Each mask costs one full-size float image, so pass only masks that are needed.
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
    """Resize mask logits to the padded input, crop the padding, and resize them to the frame."""
    cropped = logits_to_input(mask_logits, geometry)[None]
    return F.interpolate(cropped, size=geometry.original_hw, mode="bilinear", align_corners=False)[0]


def logits_to_input(
    mask_logits: Float[Tensor, "N h w"], geometry: ImageGeometry
) -> Float[Tensor, "N h_resized w_resized"]:
    """Resize mask logits to the padded input of the network, and crop the padding."""
    padded = F.interpolate(mask_logits[None], size=geometry.padded_hw, mode="bilinear", align_corners=False)
    height, width = geometry.resized_hw
    return padded[0, :, :height, :width]


def _resize(pixels: UInt8[Tensor, "B 3 H0 W0"], size: tuple[int, int]) -> Float[Tensor, "B 3 h w"]:
    """Return the pixels at `size` (height, width), as whole numbers in 0..255."""
    if tuple(pixels.shape[-2:]) == size:
        return pixels.float()
    if pixels.is_cpu:  # torch resizes 8-bit pixels on the CPU only, ten times faster than floats
        return F.interpolate(pixels, size=size, mode="bilinear", antialias=True).float()
    return F.interpolate(pixels.float(), size=size, mode="bilinear", antialias=True).round_()


def _round_up(side: int, divisor: int) -> int:
    return -(-side // divisor) * divisor
