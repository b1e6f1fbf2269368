"""GenVIS: queries of frames, condensed by queries that are carried from window to window.

Paper: A Generalized Framework for Video Instance Segmentation (Heo et al., CVPR 2023), on VITA (Heo et al.,
NeurIPS 2022) and Mask2Former.
Data flow: frames -> Mask2Former -> frame queries, and a stride-4 map -> pixel embeddings; the frame queries
of a window -> object encoder -> window decoder, run with the state of the video (`propagation.py`) ->
classes and mask embeddings; masks = mask embeddings . pixel embeddings. Query i of every window is track i.
This file holds what is stateless. Siblings: all other systems find masks first and match them to tracks.
Deviation: none in what is computed (proved by the parity fixtures); the memory may be limited
(`decoders/prototype_memory.py`), which the authors' never is.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ovvis_models.decoders.object_encoder import ObjectEncoder
from ovvis_models.decoders.window_decoder import WindowDecoder
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.networks.mask_naming import MaskNaming
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.preprocess import ImageInput, proposal_images
from ovvis_models.structures import FrameQueryWindow, ImagedWindow, ImageGeometry


class GenVIS(VideoNetwork):
    """The networks of GenVIS. `encode` is stateless; `window_decoder` is run by the association."""

    proposals: Mask2Former

    def __init__(
        self,
        *,
        proposals: Mask2Former,
        object_encoder: ObjectEncoder,
        window_decoder: WindowDecoder,
        image_input: ImageInput,
        mask_naming: MaskNaming | None,
        window: int,
    ) -> None:
        """Hold the modules that it is given.

        Args:
            proposals: gives frame queries; its own masks and classes are only used in training.
            object_encoder: of the frame queries of a window.
            window_decoder: from these to classes and masks of the window.
            image_input: what `proposals` wants to see.
            mask_naming: names masks with any words, after association; None where only the class head names.
            window: frames per window.
        """
        super().__init__()
        self.proposals = proposals
        self.object_encoder = object_encoder
        self.window_decoder = window_decoder
        width = proposals.pixel_decoder.pixel_proj.in_channels
        self.pixel_proj = nn.Conv2d(width, width, 1)
        self.mask_naming = mask_naming
        self.image_input = image_input
        self.window = window

    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> tuple[FrameQueryWindow, ...]:
        """Return the windows of B RGB frames of one size; the last one may be shorter."""
        images, shape = proposal_images(frames, self.image_input)
        queries, pixel_embeds = self.frame_queries(images)
        return self.windows(queries, pixel_embeds, shape=shape)

    def frame_queries(
        self, images: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B Q C"], Float[Tensor, "B C h w"]]:
        """Return the queries of each frame and its pixel embeddings; images are normalised and padded."""
        maps = self.proposals.pixel_decoder.maps(self.proposals.backbone(images))
        last = self.proposals.query_decoder.last(self.proposals.pixel_decoder.embed(maps))
        return last.query_embeds, self.pixel_proj(maps.finest)

    def windows(
        self,
        queries: Float[Tensor, "B Q C"],
        pixel_embeds: Float[Tensor, "B C h w"],
        *,
        shape: ImageGeometry,
    ) -> tuple[FrameQueryWindow, ...]:
        """Return the windows that the queries and pixel embeddings of B frames make."""
        num_whole = len(queries) // self.window * self.window
        whole, rest = queries[:num_whole], queries[num_whole:]
        tokens = [*self.object_encoder(torch.unflatten(whole, 0, (-1, self.window)))] if num_whole else []
        tokens += [*self.object_encoder(rest[None])] if len(rest) else []
        return tuple(
            FrameQueryWindow(frame_tokens=one, pixel_embeds=embeds, geometry=shape)
            for one, embeds in zip(tokens, torch.split(pixel_embeds, self.window), strict=True)
        )


class ImagedGenVIS(VideoNetwork):
    """The same networks, whose windows carry the images that masks are named from after association."""

    proposals: Mask2Former

    def __init__(self, network: GenVIS, *, mask_naming: MaskNaming) -> None:
        super().__init__()
        self.proposals = network.proposals
        self.network = network
        self.mask_naming = mask_naming

    def encode(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> tuple[ImagedWindow, ...]:
        """Return the windows of B RGB frames of one size; the last one may be shorter."""
        images = torch.split(self.mask_naming.images(frames), self.network.window)
        windows = self.network.encode(frames)
        return tuple(
            ImagedWindow(window=one, images=shown) for one, shown in zip(windows, images, strict=True)
        )
