"""Masked crops: one CLIP image pass per proposal (OpenVIS v1, MinVIS-CLIP); InstCLIP's baseline.

The box of each proposal is widened to a square, cropped and resized to CLIP's input size; pixels outside the
soft mask are black. Accurate but slow: N proposals need N passes.

Deviation from the published code: by default the square is centred on the box. The original places its
top-left corner at that of the box (`anchor="top-left"`), so wide and tall objects lie at the border of their
crop.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD

Anchor = Literal["center", "top-left"]


class MaskedCrops(nn.Module):
    """Instance encoder with one CLIP image pass per proposal; same interface as `InstCLIP`.

    `visual` maps (n, 3, crop_size, crop_size) CLIP-normalised images to (n, D) embeddings. The box of a
    proposal is that of its pixels with probability above 0.5, or the whole frame when there are none.
    """

    black: Tensor

    def __init__(
        self,
        visual: nn.Module,
        *,
        crop_size: int,
        embed_dim: int,
        batch_size: int = 32,
        anchor: Anchor = "center",
    ) -> None:
        super().__init__()
        self.visual = visual
        self.crop_size = crop_size
        self.embed_dim = embed_dim
        self.size_divisor = 1
        self.batch_size = batch_size
        self.anchor: Anchor = anchor
        black = -torch.tensor(CLIP_MEAN) / torch.tensor(CLIP_STD)
        self.register_buffer("black", black.view(1, 3, 1, 1), persistent=False)

    def encode_instances(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B N D"]:
        """Return unit-norm instance tokens; see `InstanceEncoder.encode_instances`."""
        tokens: Tensor = self(images, mask_logits)
        return tokens

    def forward(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B N D"]:
        """Return unit-norm tokens of N masks in each of B images."""
        num_images, num_instances = mask_logits.shape[:2]
        if num_images * num_instances == 0:
            return images.new_zeros(num_images, num_instances, self.embed_dim)
        boxes = square_boxes(mask_logits.flatten(0, 1), anchor=self.anchor)  # (B * N, 4) in [0, 1]
        image_index = torch.arange(num_images, device=images.device).repeat_interleave(num_instances)
        embeds = []
        for start in range(0, len(boxes), self.batch_size):
            part = slice(start, start + self.batch_size)
            crops = self._crops(images, mask_logits.flatten(0, 1)[part], image_index[part], boxes[part])
            embeds.append(self.visual(crops))
        return F.normalize(torch.cat(embeds), dim=-1).view(num_images, num_instances, -1)

    def _crops(
        self,
        images: Float[Tensor, "B 3 Hc Wc"],
        mask_logits: Float[Tensor, "n h w"],
        image_index: Tensor,
        boxes: Float[Tensor, "n 4"],
    ) -> Float[Tensor, "n 3 S S"]:
        """Return the square crops of n proposals, black outside the soft mask and the frame."""
        from torchvision.ops import roi_align  # slow to import, and not needed by every model

        size = (self.crop_size, self.crop_size)
        # Subtract black first: `roi_align` samples zeros outside the frame, and these must become black.
        black = self.black.to(images.dtype)
        rois = _rois(boxes, image_index, images.shape)
        pixels: Tensor = roi_align(images - black, rois, size, aligned=True)
        coverage = mask_logits.unsqueeze(1).sigmoid().to(images.dtype)  # (n, 1, h, w)
        rois = _rois(boxes, torch.arange(len(boxes), device=boxes.device), mask_logits.shape)
        opacity: Tensor = roi_align(coverage, rois, size, aligned=True)
        return pixels * opacity + black


def square_boxes(mask_logits: Float[Tensor, "n h w"], *, anchor: Anchor) -> Float[Tensor, "n 4"]:
    """Return square boxes xyxy around the pixels with logit > 0, in fractions of width and height.

    A square has the longer side of the box, in mask pixels, and may extend outside [0, 1]. The box of an
    empty mask is the whole frame, not widened.
    """
    height, width = mask_logits.shape[-2:]
    masks = mask_logits > 0
    top, bottom = _extent(masks.any(dim=2))
    left, right = _extent(masks.any(dim=1))
    side = torch.maximum(right - left, bottom - top)
    if anchor == "center":
        left, top = (left + right - side) / 2, (top + bottom - side) / 2
    scale = torch.tensor([width, height, width, height], device=masks.device)
    squares = torch.stack([left, top, left + side, top + side], dim=1) / scale
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0], device=masks.device)
    return torch.where(masks.flatten(1).any(dim=1, keepdim=True), squares, whole)


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first occupied index of each row (n, length), and one past the last, as floats."""
    marks = occupied.float()
    return marks.argmax(dim=1).float(), occupied.shape[1] - marks.flip(1).argmax(dim=1).float()


def _rois(boxes: Float[Tensor, "n 4"], index: Tensor, shape: torch.Size) -> Float[Tensor, "n 5"]:
    """Return boxes for `roi_align`: image index, then box corners in pixels of the given shape."""
    height, width = shape[-2:]
    scale = boxes.new_tensor([width, height, width, height])
    return torch.cat([index.to(boxes.dtype).unsqueeze(1), boxes * scale], dim=1)
