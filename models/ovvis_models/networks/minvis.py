"""MinVIS: a closed-set image segmentation network whose queries are matched from frame to frame.

Paper: MinVIS: A Minimal Video Instance Segmentation Framework without Video-based Training (Huang et al.,
NeurIPS 2022).
Data flow: frames -> Mask2Former with a class head -> Q masks, queries and class logits of each frame; queries
-> previous-frame tracker -> Q tracks; mean class logits of a track -> its class scores.
This file holds the network that processes each frame alone; `segmenter.py` runs the tracker over the frames.
Differences to other systems: InstFormer and CLIP-VIS classify with any class names, by CLIP tokens; MinVIS
has a fixed set of classes, and its class logits are stored in place of the tokens.
Deviations from the original: none (proved by the parity fixture).
"""

from jaxtyping import UInt8
from torch import Tensor

from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.networks.video_network import FrameNetwork
from ovvis_models.preprocess import ImageInput, proposal_images
from ovvis_models.structures import FramePredictions


class MinVIS(FrameNetwork):
    """Network of MinVIS. `predict` is stateless and takes several frames at once."""

    proposals: Mask2Former

    def __init__(self, proposals: Mask2Former, *, image_input: ImageInput) -> None:
        super().__init__()
        self.proposals = proposals
        self.image_input = image_input

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return masks and class logits (as instance tokens) of B RGB frames of one size, on their device."""
        images, shape = proposal_images(frames, self.image_input)
        last = self.proposals.last(images)
        return FramePredictions(
            proposals=self.proposals.proposals_of(last), instance_tokens=last.object_logits, geometry=shape
        )
