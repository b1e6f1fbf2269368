"""CLIP-VIS with a classification network instead of CLIP, and a word table instead of CLIP's text encoder.

Data flow: frames -> frozen EfficientNet-Lite -> four maps -> Mask2Former's decoders -> Q masks, queries,
object scores and expected mask overlaps; last two maps and masks -> coverage pooling -> Q instance tokens,
which are compared with the rows of the requested words (`text/word_table.py`).
Reason: package registries offer networks trained on ImageNet, but none trained on captions from the web.
Limit: the network classifies only into the words of its table.
"""

import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from ovvis_models.heads.coverage_pooling import CoveragePooling
from ovvis_models.networks.mask2former import Mask2Former
from ovvis_models.networks.video_network import FrameNetwork
from ovvis_models.preprocess import ImageInput, proposal_images
from ovvis_models.structures import FramePredictions
from ovvis_models.text.word_table import WordTable


class WordClipVis(FrameNetwork):
    """Networks of CLIP-VIS with a word table. `predict` is stateless."""

    proposals: Mask2Former

    def __init__(
        self, *, proposals: Mask2Former, pooling: CoveragePooling, words: WordTable, image_input: ImageInput
    ) -> None:
        """Store the modules.

        Args:
            proposals: proposal network on the maps of the frozen network; it predicts mask quality.
            pooling: coverage pooling with the head of the same frozen network.
            words: rows that the tokens of `pooling` are compared with.
            image_input: image size and normalisation of the frozen network.
        """
        super().__init__()
        self.proposals = proposals
        self.pooling = pooling
        self.words = words
        self.image_input = image_input

    def predict(self, frames: UInt8[Tensor, "B H0 W0 3"]) -> FramePredictions:
        """Return proposals and instance tokens of B RGB frames of one size, on the device of the frames."""
        images, shape = proposal_images(frames, self.image_input)
        maps = self.proposals.backbone(images)
        proposals = self.proposals.proposals_of(
            self.proposals.query_decoder.last(self.proposals.pixel_decoder(maps))
        )
        tokens = F.normalize(self.pooling(maps, proposals.mask_logits), dim=-1)
        return FramePredictions(proposals=proposals, instance_tokens=tokens, geometry=shape)
