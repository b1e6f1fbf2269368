"""The baseline that InstCLIP replaces: CLIP once for every masked crop (OpenVIS v1, MinVIS-CLIP).

Each proposal's box, widened to a square, is cut out and resized to CLIP's own input size; what lies outside
the soft mask is black. Accurate but slow: N proposals cost N passes.

Deviation from the published code: the square is centred on the box by default; the original anchors it at the
box's top-left corner (`anchor="top-left"`), which pushes flat and tall objects to the border of their crop.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD

Anchor = Literal["center", "top-left"]


class MaskedCrops(nn.Module):
    """Instance tokens from one CLIP image pass per proposal; same call as `InstCLIP`.

    `visual` maps (n, 3, crop_size, crop_size) CLIP-normalised images to (n, D) embeddings. A proposal without
    any pixel above 0.5 keeps the whole frame as its box.
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
        """Unit-norm tokens (B, N, D); see `InstanceEncoder.encode_instances`."""
        tokens: Tensor = self(images, mask_logits)
        return tokens

    def forward(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B N D"]:
        """Unit-norm tokens of N masks of each of B images."""
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
        return functional.normalize(torch.cat(embeds), dim=-1).view(num_images, num_instances, -1)

    def _crops(
        self,
        images: Float[Tensor, "B 3 Hc Wc"],
        mask_logits: Float[Tensor, "n h w"],
        image_index: Tensor,
        boxes: Float[Tensor, "n 4"],
    ) -> Float[Tensor, "n 3 S S"]:
        size = (self.crop_size, self.crop_size)
        # Measured from black, so that the zeros sampled outside the frame and the mask are black.
        black = self.black.to(images.dtype)
        rois = _rois(boxes, image_index, images.shape)
        pixels: Tensor = roi_align(images - black, rois, size, aligned=True)
        coverage = mask_logits.unsqueeze(1).sigmoid().to(images.dtype)  # (n, 1, h, w)
        rois = _rois(boxes, torch.arange(len(boxes), device=boxes.device), mask_logits.shape)
        opacity: Tensor = roi_align(coverage, rois, size, aligned=True)
        return pixels * opacity + black


def square_boxes(mask_logits: Float[Tensor, "n h w"], *, anchor: Anchor) -> Float[Tensor, "n 4"]:
    """Boxes xyxy around the pixels with logit > 0, in fractions of height and width.

    Widened to a square of the longer side in mask pixels, which may leave [0, 1]; the whole frame where a
    mask is empty.
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
    """First and one past last occupied index of each row (n, length), as floats."""
    marks = occupied.float()
    return marks.argmax(dim=1).float(), occupied.shape[1] - marks.flip(1).argmax(dim=1).float()


def _rois(boxes: Float[Tensor, "n 4"], index: Tensor, shape: torch.Size) -> Float[Tensor, "n 5"]:
    height, width = shape[-2:]
    scale = boxes.new_tensor([width, height, width, height])
    return torch.cat([index.to(boxes.dtype).unsqueeze(1), boxes * scale], dim=1)
