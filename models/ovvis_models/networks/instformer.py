"""InstFormer: class-agnostic proposals, with one token in CLIP's space for each of them.

Paper: OpenVIS: Open-vocabulary Video Instance Segmentation, Fig. 3.
Data flow: frames -> proposal network (Mask2Former in the paper, or RF-DETR) -> Q masks, object scores and
queries; frames and masks -> InstCLIP -> Q instance tokens; (query, token) -> rollout tracker -> tracks;
tokens . text embeddings -> class scores.
This file holds the networks that process each frame alone; `segmenter.py` runs the tracker over the frames.
Differences to other systems: MinVIS has no tokens and classifies with a closed-set head; CLIP-VIS uses one
convolutional CLIP as backbone and classifier.
Choice that the paper leaves open: CLIP's input is resized to whole patches; the proposal network's is padded.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ovvis_models.heads.classifier import InstanceEncoder
from ovvis_models.networks.proposals import ProposalNetwork
from ovvis_models.networks.video_network import FrameNetwork
from ovvis_models.preprocess import ImageInput, image_area, proposal_images, unpadded_images
from ovvis_models.structures import FramePredictions, ImageGeometry, Proposals
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.trackers.rollout import RolloutTracker


class InstFormer(FrameNetwork):
    """Networks of InstFormer. `encode` is stateless and takes several frames at once."""

    def __init__(
        self,
        *,
        proposals: ProposalNetwork,
        instance_encoder: InstanceEncoder,
        text_encoder: TextEncoder,
        tracker: RolloutTracker | None,
        proposal_input: ImageInput,
        clip_input: ImageInput,
        max_instances: int | None = None,
    ) -> None:
        """Store the modules.

        Args:
            proposals: the proposal network.
            instance_encoder: InstCLIP, or another encoder that maps masks to tokens.
            text_encoder: text encoder of the same CLIP as `instance_encoder`.
            tracker: trained tracker, or None. It is not run here; it is stored so that its weights are saved
                and loaded with those of this network.
            proposal_input: image size and normalisation of `proposals`.
            clip_input: image size and normalisation of `instance_encoder`.
            max_instances: number of proposals per frame, chosen by object score, that get a token and are
                returned; None for all, as in the paper. A limit saves time when few objects are expected. The
                learned instance tokens are then assigned by rank, not by query.
        """
        super().__init__()
        self.proposals = proposals
        self.instance_encoder = instance_encoder
        self.text_encoder = text_encoder
        self.tracker = tracker
        self.proposal_input = proposal_input
        self.clip_input = clip_input
        self.max_instances = max_instances

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
        proposals, shape = self.propose(frames)
        if self.max_instances is not None:
            proposals = best_proposals(proposals, num_instances=self.max_instances)
        tokens = self.classify(frames, image_area(proposals.mask_logits, shape))
        return FramePredictions(proposals=proposals, instance_tokens=tokens, geometry=shape)

    def propose(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> tuple[Proposals, ImageGeometry]:
        """Return class-agnostic proposals, and the geometry that maps their masks to the frames."""
        images, shape = proposal_images(frames, self.proposal_input)
        return self.proposals.propose(images), shape

    def classify(
        self, frames: UInt8[Tensor, "B H0 W0 3"], mask_logits: Float[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Return unit-norm instance tokens of masks that cover exactly the frames, at any resolution."""
        images = unpadded_images(frames, self.clip_input, divisor=self.instance_encoder.size_divisor)
        return self.instance_encoder.encode_instances(images, mask_logits)


def best_proposals(proposals: Proposals, *, num_instances: int) -> Proposals:
    """Return the `num_instances` best proposals of each frame (or all) by object score, best first."""
    num_kept = min(num_instances, proposals.object_logits.shape[1])
    logits, chosen = proposals.object_logits.topk(num_kept, dim=1)
    return Proposals(
        query_embeds=torch.take_along_dim(proposals.query_embeds, chosen[..., None], dim=1),
        mask_logits=torch.take_along_dim(proposals.mask_logits, chosen[..., None, None], dim=1),
        object_logits=logits,
    )
