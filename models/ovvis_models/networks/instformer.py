"""InstFormer: class-agnostic proposals, and a token of CLIP's space for each of them.

Paper: OpenVIS: Open-vocabulary Video Instance Segmentation, Fig. 3.
Data flow: frames -> proposal network (Mask2Former in the paper, or RF-DETR) -> Q masks, object scores and
queries; frames and masks -> InstCLIP -> Q instance tokens; (query, token) -> rollout tracker -> tracks;
tokens . text embeddings -> names.
This file is the part that looks at each frame alone; `segmenter.py` runs the tracker over them.
Siblings: MinVIS has no tokens and names by a closed head; CLIP-VIS shares one convolutional CLIP.
Deviation: CLIP sees the frame resized to whole patches, proposals the padded one; the paper does not say.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ovvis_models.heads.classifier import InstanceEncoder
from ovvis_models.networks.proposals import ProposalNetwork
from ovvis_models.networks.video_network import FrameNetwork
from ovvis_models.preprocess import ImageInput, image_area, prepare, proposal_images, unpadded_geometry
from ovvis_models.structures import FramePredictions, ImageGeometry, Proposals
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.trackers.rollout import RolloutTracker


class InstFormer(FrameNetwork):
    """The networks of InstFormer. `encode` is stateless and takes many frames at once."""

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
        """Holds the modules that it is given.

        Args:
            proposals: the proposal network.
            instance_encoder: InstCLIP, or another module that makes tokens of masks.
            text_encoder: of the same CLIP as `instance_encoder`.
            tracker: held for its weights only, which belong to this network; None without a trained one.
            proposal_input: what `proposals` wants to see.
            clip_input: what `instance_encoder` wants to see.
            max_instances: only so many proposals of a frame, by object score, get a token and are handed on;
                None for all of them, as in the paper. Saves time where few objects are expected. A learned
                instance token then belongs to a rank, not to a query.
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
        """Proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
        proposals, shape = self.propose(frames)
        if self.max_instances is not None:
            proposals = best_proposals(proposals, num_instances=self.max_instances)
        tokens = self.classify(frames, image_area(proposals.mask_logits, shape))
        return FramePredictions(proposals=proposals, instance_tokens=tokens, geometry=shape)

    def propose(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> tuple[Proposals, ImageGeometry]:
        """Class-agnostic proposals, and how their masks map to the frames."""
        images, shape = proposal_images(frames, self.proposal_input)
        return self.proposals.propose(images), shape

    def classify(
        self, frames: UInt8[Tensor, "B H0 W0 3"], mask_logits: Float[Tensor, "B Q h w"]
    ) -> Float[Tensor, "B Q D"]:
        """Unit-norm instance tokens of masks that cover exactly the frames' area, at any resolution."""
        wanted = self.clip_input
        shape = unpadded_geometry(
            (frames.shape[1], frames.shape[2]),
            short_side=wanted.short_side,
            max_side=wanted.max_side,
            divisor=self.instance_encoder.size_divisor,
        )
        images = prepare(frames, shape, mean=wanted.mean, std=wanted.std, resize=wanted.resize)
        return self.instance_encoder.encode_instances(images, mask_logits)


def best_proposals(proposals: Proposals, *, num_instances: int) -> Proposals:
    """The proposals of each frame with the best object scores, best first; all when there are fewer."""
    num_kept = min(num_instances, proposals.object_logits.shape[1])
    logits, chosen = proposals.object_logits.topk(num_kept, dim=1)
    return Proposals(
        query_embeds=torch.take_along_dim(proposals.query_embeds, chosen[..., None], dim=1),
        mask_logits=torch.take_along_dim(proposals.mask_logits, chosen[..., None, None], dim=1),
        object_logits=logits,
    )
