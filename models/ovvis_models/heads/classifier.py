"""Interface between proposals and the vision-language model."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

CLIP_MEAN: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
"""Channel means (RGB, pixels in [0, 1]) with which CLIP models normalise images, as set by OpenAI."""

CLIP_STD: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
"""Channel standard deviations that go with `CLIP_MEAN`."""


@runtime_checkable
class InstanceEncoder(Protocol):
    """Encoder of proposals: one token per proposal, in CLIP's joint image and text space.

    The tokens do not depend on a vocabulary, so stored tokens can be classified again with other class names.
    """

    @property
    def embed_dim(self) -> int:
        """Width D of the tokens."""
        ...

    @property
    def size_divisor(self) -> int:
        """Number of pixels that image height and width must be multiples of, in `encode_instances`."""
        ...

    def encode_instances(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B N D"]:
        """Return unit-norm instance tokens of N proposals in each of B images.

        Args:
            images: RGB, normalised with `CLIP_MEAN` and `CLIP_STD`.
            mask_logits: mask logits that cover exactly the same image area, at any resolution.
        """
        ...
