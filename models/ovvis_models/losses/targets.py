"""What a training image should give, and the objects of a batch in one row."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The n objects of one training image; n may be 0."""

    masks: Bool[Tensor, "n H W"] | Float[Tensor, "n H W"]  # visible part, at the padded input size
    centers: Float[Tensor, "n 2"]  # (x, y) of the most interior visible point, in input pixels
    radii: Float[Tensor, " n"]  # distance from there to the edge of the visible part, in input pixels
    background: Float[Tensor, "H W"] | None = None
    """How surely each place outside the objects is none, in [0, 1]; None: surely, all objects are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectBatch:
    """The G objects of all images of a batch in one row, ordered by image."""

    num_images: int
    image_index: Int[Tensor, " G"]
    position: Int[Tensor, " G"]  # of the object within its image
    counts: tuple[int, ...]  # objects of each image; known without asking the device
    masks: Float[Tensor, "G 1 H W"]
    centers: Float[Tensor, "G 2"]
    radii: Float[Tensor, " G"]

    @property
    def num_objects(self) -> int:
        """Objects of the whole batch."""
        return sum(self.counts)


def gather_objects(targets: Sequence[Target], *, dtype: torch.dtype) -> ObjectBatch:
    """Return the objects of `targets` in one row; masks become `dtype` for sampling.

    Raises:
        ValueError: there is no target.
    """
    if not targets:
        raise ValueError("a batch needs at least one target (of an image without objects, perhaps)")
    device = targets[0].masks.device
    counts = tuple(target.masks.shape[0] for target in targets)
    counts_tensor = torch.tensor(counts, device=device)
    return ObjectBatch(
        num_images=len(targets),
        image_index=torch.repeat_interleave(
            torch.arange(len(counts), device=device), counts_tensor, output_size=sum(counts)
        ),
        position=torch.cat([torch.arange(count, device=device) for count in counts]),
        counts=counts,
        masks=torch.cat([target.masks for target in targets]).to(dtype)[:, None],
        centers=torch.cat([target.centers for target in targets]).to(dtype),
        radii=torch.cat([target.radii for target in targets]).to(dtype),
    )


def background_of(targets: Sequence[Target], *, like: Float[Tensor, "G 1 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Return how surely each place is background where it lies outside the objects, ones where not told.

    Args:
        targets: of the images.
        like: gives the size, type and device.
    """
    sure = like.new_ones(like.shape[-2:])
    maps = [sure if x.background is None else x.background.to(like.dtype) for x in targets]
    return torch.stack(maps)[:, None]
