"""OVFormer: queries aligned with CLIP's feature of the whole frame, of one frame or of a window of frames.

Paper: Unified Embedding Alignment for Open-Vocabulary Video Instance Segmentation (Fang et al., ECCV 2024).
Data flow: frames -> Mask2Former -> Q masks, queries and object logits; whole frames -> CLIP -> one feature
each; queries and features -> alignment -> tokens of CLIP's space; queries -> tracker; tokens . text -> names.
`OVFormer` (trained on images) looks at each frame alone. `WindowOVFormer` (trained on videos) has one set of
queries for all frames of a window, whose places are one sequence (`decoders/window_features.py`).
Siblings: OV2Seg is the image model without alignment.
Deviation: none in what is computed (proved by the parity fixtures); the published code looks CLIP's features
up by file name.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ovvis_models.blocks.decoder_output import LayerOutput
from ovvis_models.decoders.window_features import frames_of_window, window_features
from ovvis_models.heads.alignment import EmbeddingAlignment
from ovvis_models.heads.frame_features import FrameFeatures
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.networks.video_network import FrameNetwork, TextNetwork
from ovvis_models.preprocess import ImageInput, proposal_images
from ovvis_models.structures import EncodedWindow, FramePredictions, ImageGeometry
from ovvis_models.text.encoder import TextEncoder


class OVFormerParts(TextNetwork):
    """What both models hold."""

    proposals: Mask2Former

    def __init__(
        self,
        *,
        proposals: Mask2Former,
        frame_features: FrameFeatures,
        alignment: EmbeddingAlignment,
        text_encoder: TextEncoder | None,
        image_input: ImageInput,
        window: int,
    ) -> None:
        """Hold the modules that it is given.

        Args:
            proposals: the proposal network.
            frame_features: of the CLIP in whose space classes are named.
            alignment: of queries and these features.
            text_encoder: of that CLIP; None where class embeddings only come from a file.
            image_input: what `proposals` wants to see.
            window: frames per window; 1 for networks that look at each frame alone.
        """
        super().__init__()
        self.proposals = proposals
        self.frame_features = frame_features
        self.alignment = alignment
        self.text_encoder = text_encoder
        self.image_input = image_input
        self.window = window

    def tokens(
        self, query_embeds: Float[Tensor, "B Q C"], features: Float[Tensor, "B T D"]
    ) -> Float[Tensor, "B Q D"]:
        """Return the unit-norm instance tokens of queries that cover T frames each."""
        return F.normalize(self.alignment(query_embeds, features), dim=-1)


class OVFormer(OVFormerParts, FrameNetwork):
    """The image-trained networks. `predict` is stateless and takes many frames at once."""

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
        images, shape = proposal_images(frames, self.image_input)
        last = self.proposals.last(images)
        features = self.frame_features(frames)[:, None]  # (B, 1, D)
        return FramePredictions(
            proposals=self.proposals.proposals_of(last),
            instance_tokens=self.tokens(last.query_embeds, features),
            geometry=shape,
        )


class WindowOVFormer(OVFormerParts):
    """The video-trained networks: one set of queries for each window of frames."""

    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> tuple[EncodedWindow, ...]:
        """Return the windows of B RGB frames of one size; the last one may be shorter."""
        num_whole = frames.shape[0] // self.window * self.window
        whole, rest = frames[:num_whole], frames[num_whole:]
        windows = self._encode(whole, num_frames=self.window) if len(whole) else ()
        return windows + (self._encode(rest, num_frames=len(rest)) if len(rest) else ())

    def _encode(self, frames: UInt8[Tensor, "B H0 W0 3"], *, num_frames: int) -> tuple[EncodedWindow, ...]:
        """Return the windows of B frames, a multiple of `num_frames`."""
        images, shape = proposal_images(frames, self.image_input)
        features = self.proposals.pixel_decoder(self.proposals.backbone(images))
        last = self.proposals.query_decoder.last(window_features(features, num_frames=num_frames))
        return self.windows(last, self.frame_features(frames), shape=shape)

    def windows(
        self, last: LayerOutput, features: Float[Tensor, "B D"], *, shape: ImageGeometry
    ) -> tuple[EncodedWindow, ...]:
        """Return the windows that the last heads describe, B frames in W windows of one length."""
        num_windows = last.query_embeds.shape[0]
        num_frames = features.shape[0] // num_windows
        tokens = self.tokens(last.query_embeds, torch.unflatten(features, 0, (num_windows, num_frames)))
        proposals = self.proposals.proposals_of(last)
        masks = frames_of_window(proposals.mask_logits, num_frames=num_frames)
        return tuple(
            EncodedWindow(
                query_embeds=proposals.query_embeds[index],
                instance_tokens=tokens[index],
                object_logits=proposals.object_logits[index],
                mask_logits=masks[index],
                mask_quality=None,
                geometry=shape,
            )
            for index in range(num_windows)
        )
