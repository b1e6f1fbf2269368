"""Names for masks that were found already: InstCLIP after association, with the words of its CLIP."""

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ovvis_models.heads.classifier import InstanceEncoder
from ovvis_models.preprocess import ImageInput, image_area, unpadded_images
from ovvis_models.structures import ImageGeometry
from ovvis_models.text.encoder import TextEncoder


class MaskNaming(nn.Module):
    """An instance encoder, and the text encoder of the same CLIP."""

    instance_encoder: InstanceEncoder

    def __init__(
        self, *, instance_encoder: InstanceEncoder, text_encoder: TextEncoder, clip_input: ImageInput
    ) -> None:
        super().__init__()
        self.instance_encoder = instance_encoder
        self.text_encoder = text_encoder
        self.clip_input = clip_input

    def images(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> Float[Tensor, "B 3 Hc Wc"]:
        """Return the input images of the instance encoder."""
        return unpadded_images(frames, self.clip_input, divisor=self.instance_encoder.size_divisor)

    def tokens(
        self,
        images: Float[Tensor, "T 3 Hc Wc"],
        mask_logits: Float[Tensor, "T N h w"],
        geometry: ImageGeometry,
    ) -> Float[Tensor, "N D"]:
        """Return the token of each mask over the frames of a window: the mean of those that show it.

        Unit norm, or zero for a mask that is empty in all frames.
        """
        shown = image_area(mask_logits, geometry)
        tokens = self.instance_encoder.encode_instances(images, shown)  # (T, N, D)
        visible = (shown > 0).flatten(2).any(dim=-1)  # (T, N)
        return F.normalize((tokens * visible[..., None]).sum(dim=0), dim=-1)
