"""CLIP-VIS: one frozen convolutional CLIP is both the backbone of the masks and their classifier.

Paper: CLIP-VIS: Adapting CLIP for Open-Vocabulary Video Instance Segmentation (Zhu et al.).
Data flow: frames -> CLIP's convolutional tower -> four maps -> Mask2Former's decoders -> Q masks, queries,
object scores and predicted mask IoUs; last map and masks -> mask pooling -> Q instance tokens.
This file holds the networks that process each frame alone; `segmenter.py` runs a tracker over the queries, by
default the one with a memory of several frames (`trackers/top_k.py`); `scoring/clip_vis.py` weights the class
scores.
Differences to other systems: InstFormer has a separate backbone, and encodes masks with a CLIP transformer.
Deviations from the original within a frame: none (proved by the parity fixtures).
"""

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ovvis_models.heads.mask_pooling import MaskPooling, inside_at
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.networks.video_network import FrameNetwork
from ovvis_models.preprocess import ImageInput, proposal_images
from ovvis_models.structures import FramePredictions
from ovvis_models.text.encoder import TextEncoder


class ClipVis(FrameNetwork):
    """Networks of CLIP-VIS. `predict` is stateless and takes several frames at once."""

    proposals: Mask2Former

    def __init__(
        self,
        *,
        proposals: Mask2Former,
        pooling: MaskPooling,
        text_encoder: TextEncoder,
        image_input: ImageInput,
    ) -> None:
        """Store the modules.

        Args:
            proposals: proposal network on CLIP's feature maps; it predicts mask quality.
            pooling: mask pooling of the same CLIP.
            text_encoder: text encoder of the same CLIP.
            image_input: image size and normalisation of that CLIP.
        """
        super().__init__()
        self.proposals = proposals
        self.pooling = pooling
        self.text_encoder = text_encoder
        self.image_input = image_input

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
        images, shape = proposal_images(frames, self.image_input)
        maps = self.proposals.backbone(images)
        proposals = self.proposals.proposals_of(
            self.proposals.query_decoder.last(self.proposals.pixel_decoder(maps))
        )
        tokens = F.normalize(self.embed(maps[-1], proposals.mask_logits), dim=-1)
        return FramePredictions(proposals=proposals, instance_tokens=tokens, geometry=shape)

    def embed(
        self, dense: Float[Tensor, "B C h32 w32"], mask_logits: Float[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return CLIP's embedding of each mask, not normalised.

        `dense` is CLIP's last map; it and the masks cover the padded image.
        """
        inside = inside_at(mask_logits, hw=(dense.shape[2], dense.shape[3]))
        return self.pooling(dense, inside)
