"""CLIP-VIS on a classification network as a system: its words are those of a table."""

from dataclasses import dataclass
from typing import Final

from ovvis_models.backbones.efficientnet_maps import efficientnet
from ovvis_models.converters.parts import PublishedFiles
from ovvis_models.errors import MissingWeightsError
from ovvis_models.heads.coverage_pooling import CoveragePooling
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.networks.word_clip_vis import WordClipVis
from ovvis_models.scoring.clip_vis import CLASS_EXPONENT, ClipVisScoring
from ovvis_models.scoring.track_table import QualityWeighted
from ovvis_models.systems.spec import PublishedProtocol, SystemSpec
from ovvis_models.text.naming import ListedVocabulary
from ovvis_models.text.word_table import WordTable

_NUM_RESULTS: Final = 50  # as every published CLIP-VIS


@dataclass(frozen=True, slots=True, kw_only=True)
class WordClipVisSpec(SystemSpec[WordClipVis]):
    """The numbers of a CLIP-VIS with a table of words; its proposals have no backbone of their own."""

    proposals: Mask2FormerSpec
    image_network: str  # timm's name of the frozen network
    words: str  # the table of words, by the name of its file
    num_rows: int  # of the table
    token_width: int  # follows from the frozen network

    @property
    def reads_words(self) -> bool:
        """It names thousands of words, though not all."""
        return True

    @property
    def token_dim(self) -> int:
        """Width of the pooled features."""
        return self.token_width

    @property
    def token_mean(self) -> QualityWeighted:
        """Mean weighted by object score and mask quality."""
        return QualityWeighted()

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of CLIP-VIS, whose architecture this is."""
        return PublishedProtocol(
            tracker="top-k", tracked_by="query", scoring=ClipVisScoring(), num_results=_NUM_RESULTS
        )

    def build(self) -> WordClipVis:
        """Return the networks with random weights, on the CPU."""
        maps, head = efficientnet(self.image_network)
        pooling = CoveragePooling(head=head, width=self.token_width)
        return WordClipVis(
            proposals=build_mask2former(self.proposals, backbone=maps),
            pooling=pooling,
            words=WordTable(num_rows=self.num_rows, embed_dim=pooling.embed_dim),
            image_input=self.proposal_input,
        )

    def assemble(self, files: PublishedFiles) -> WordClipVis:
        """See `SystemSpec.assemble`: no published files make it up.

        Raises:
            MissingWeightsError: always.
        """
        raise MissingWeightsError(f"{self.name} is not made of published files", hint="it comes with ovvis")

    def naming(self, network: WordClipVis) -> ListedVocabulary:
        """Return its table of words."""
        return ListedVocabulary(
            table=self.words,
            rows=network.words.rows,
            logit_scale=network.words.logit_scale.exp().item(),
            class_exponent=CLASS_EXPONENT,
        )
