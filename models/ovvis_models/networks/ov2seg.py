"""OV2Seg: Mask2Former with an object head, and its queries mapped into CLIP's space.

Paper: Towards Open-Vocabulary Video Instance Segmentation (Wang et al., ICCV 2023).
Data flow: frames -> Mask2Former -> Q masks, queries and object logits of each frame; queries -> MLP -> tokens
of CLIP's space; queries -> momentum tracker; tokens . text embeddings -> names.
This file is the part that looks at each frame alone; `segmenter.py` runs the tracker over them.
Siblings: OVFormer aligns the mapped queries with CLIP's feature of the frame.
Deviation: none in what is computed (proved by the parity fixture).
"""

import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from ovvis_models.blocks.mlp import MLP
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.networks.video_network import FrameNetwork, TextNetwork
from ovvis_models.preprocess import ImageInput, proposal_images
from ovvis_models.structures import FramePredictions
from ovvis_models.text.encoder import TextEncoder


class OV2Seg(TextNetwork, FrameNetwork):
    """The networks of OV2Seg. `predict` is stateless and takes many frames at once."""

    proposals: Mask2Former

    def __init__(
        self,
        *,
        proposals: Mask2Former,
        projection: MLP,
        text_encoder: TextEncoder | None,
        image_input: ImageInput,
    ) -> None:
        """Hold the modules that it is given.

        Args:
            proposals: the proposal network.
            projection: from queries to CLIP's space.
            text_encoder: of that CLIP; None where class embeddings only come from a file.
            image_input: what `proposals` wants to see.
        """
        super().__init__()
        self.proposals = proposals
        self.projection = projection
        self.text_encoder = text_encoder
        self.image_input = image_input

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
        images, shape = proposal_images(frames, self.image_input)
        last = self.proposals.last(images)
        tokens = F.normalize(self.projection(last.query_embeds), dim=-1)
        return FramePredictions(
            proposals=self.proposals.proposals_of(last), instance_tokens=tokens, geometry=shape
        )
