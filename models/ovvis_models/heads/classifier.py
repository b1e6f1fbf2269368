"""The seam between proposals and the vision-language model."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

CLIP_MEAN: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
"""Channel means (RGB, pixels in [0, 1]) that CLIP models of OpenAI's lineage normalise their images with."""

CLIP_STD: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
"""Channel standard deviations belonging to `CLIP_MEAN`."""


@runtime_checkable
class InstanceEncoder(Protocol):
    """Turns proposals into tokens of CLIP's joint image and text space.

    The tokens do not depend on any vocabulary, so they can be stored and asked again with other words.
    """

    @property
    def embed_dim(self) -> int:
        """Width D of the tokens."""
        ...

    @property
    def size_divisor(self) -> int:
        """Image height and width handed to `encode_instances` must be multiples of this."""
        ...

    def encode_instances(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B N D"]:
        """Unit-norm instance tokens of N proposals in each of B images.

        `images` are RGB, normalised with `CLIP_MEAN` and `CLIP_STD`; `mask_logits` cover exactly the same
        image area, at any resolution.
        """
        ...
