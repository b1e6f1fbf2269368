"""A convolutional patch embedding for small vision transformers.

Source: Early Convolutions Help Transformers See Better (Xiao et al., NeurIPS 2021). Trained on few pictures,
a transformer learns several times faster if a few small convolutions read its patches instead of a large one.
The norms are batch norms: with layer norms over channels, all pictures had nearly the same embedding for
hundreds of steps (measured). In evaluation they are fixed, so an object looks the same in a crop and in a
frame.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


class ConvStem(nn.Module):
    """Convolutions from images to patch embeddings, for a vision transformer without patch convolution.

    Each of `widths` is a stage that halves the size: a strided 3x3 convolution and, from the second stage on,
    a residual one. The patch edge is therefore `2 ** len(widths)` pixels.
    """

    def __init__(self, widths: Sequence[int], *, out_channels: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        channels = 3
        for index, width in enumerate(widths):
            stages.append(_Stage(channels, width, has_residual=index > 0))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.to_patches = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C gh gw"]:
        """Return the patch embeddings; image sizes must be multiples of the patch edge."""
        patches: Tensor = self.to_patches(self.stages(images))
        return patches


class _Stage(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, *, has_residual: bool) -> None:
        super().__init__()
        self.shrink = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.GELU(),
        )
        self.residual = (
            nn.Sequential(
                nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.GELU(),
            )
            if has_residual
            else None
        )

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.shrink(maps)
        return maps if self.residual is None else maps + self.residual(maps)
