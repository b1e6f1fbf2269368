"""CLIP's feature of each whole frame: one vector, whatever is in it.

The published code of OVFormer computes it beforehand for every image of a data set; here it is computed with
the frames of a batch, so that any video can be run.
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD
from ovvis_models.preprocess import center_squares, normalise, pixel_range

if TYPE_CHECKING:
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.transformer import VisionTransformer

_MEAN, _STD = pixel_range(CLIP_MEAN), pixel_range(CLIP_STD)


class FrameFeatures(nn.Module):
    """The vision tower of a CLIP on whole frames, frozen."""

    def __init__(self, visual: "VisionTransformer | ModifiedResNet") -> None:
        super().__init__()
        self.visual = visual.requires_grad_(requires_grad=False)

    @property
    def image_size(self) -> int:
        """Side of the square that the tower reads, in pixels."""
        side = self.visual.image_size
        return int(side if isinstance(side, int) else side[0])

    def forward(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> Float[Tensor, "B D"]:
        """Return CLIP's embedding of each RGB frame, of no particular length."""
        dtype = next(self.visual.parameters()).dtype
        pixels = center_squares(frames, side=self.image_size).to(dtype)
        features: Tensor = self.visual(normalise(pixels, mean=_MEAN, std=_STD))
        return features.to(torch.promote_types(features.dtype, torch.float32))
