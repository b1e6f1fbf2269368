"""CLIP-VIS: one frozen convolutional CLIP gives the maps that masks are found on, and the names of masks.

Paper: CLIP-VIS: Adapting CLIP for Open-Vocabulary Video Instance Segmentation (Zhu et al.).
Data flow: frames -> CLIP's convolutional tower -> four maps -> Mask2Former's decoders -> Q masks, queries,
object scores and expected mask overlaps; last map and masks -> mask pooling -> Q instance tokens.
This file is the part that looks at each frame alone; `segmenter.py` runs a tracker over the queries, as a
rule the one with a memory of several frames (`trackers/top_k.py`); `scoring/clip_vis.py` weights classes.
Siblings: InstFormer has a backbone of its own and asks CLIP's transformer, once a frame, about all masks.
Deviations in what is computed in a frame: none (proved by the parity fixtures).
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
    """The networks of CLIP-VIS. `predict` is stateless and takes many frames at once."""

    proposals: Mask2Former

    def __init__(
        self,
        *,
        proposals: Mask2Former,
        pooling: MaskPooling,
        text_encoder: TextEncoder,
        image_input: ImageInput,
    ) -> None:
        """Holds the modules that it is given.

        Args:
            proposals: the proposal network on CLIP's maps, with a mask quality.
            pooling: of the same CLIP.
            text_encoder: of the same CLIP.
            image_input: what that CLIP wants to see.
        """
        super().__init__()
        self.proposals = proposals
        self.pooling = pooling
        self.text_encoder = text_encoder
        self.image_input = image_input

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
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
        """CLIP's embedding of each mask, of any length, padding included; `dense` is CLIP's last map."""
        inside = inside_at(mask_logits, hw=(dense.shape[2], dense.shape[3]))
        return self.pooling(dense, inside)
