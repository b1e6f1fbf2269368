"""Training targets of images, and their objects gathered into one batch."""

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
    radii: Float[Tensor, " n"]  # distance from the center to the edge of the visible part, in input pixels
    unlabelled: Bool[Tensor, "H W"] | None = None  # where objects may be missing; None: nowhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectBatch:
    """The G objects of all images of a batch, ordered by image."""

    num_images: int
    image_index: Int[Tensor, " G"]
    position: Int[Tensor, " G"]  # index of the object within its image
    counts: tuple[int, ...]  # objects per image, on the host
    masks: Float[Tensor, "G 1 H W"]
    centers: Float[Tensor, "G 2"]
    radii: Float[Tensor, " G"]

    @property
    def num_objects(self) -> int:
        """Number of objects in the batch."""
        return sum(self.counts)


def gather_objects(targets: Sequence[Target], *, dtype: torch.dtype) -> ObjectBatch:
    """Gather the objects of `targets`; masks become `dtype` for sampling.

    Raises:
        ValueError: there is no target.
    """
    if not targets:
        raise ValueError("a batch needs at least one target, even if it is of an image without objects")
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


def gather_unlabelled(targets: Sequence[Target], *, dtype: torch.dtype) -> Float[Tensor, "B 1 H W"] | None:
    """Return where objects of each image may be missing from its target, 1 or 0; None: in no image."""
    areas = [target.unlabelled for target in targets]
    known = next((area for area in areas if area is not None), None)
    if known is None:
        return None
    empty = torch.zeros_like(known)
    return torch.stack([empty if area is None else area for area in areas]).to(dtype)[:, None]
