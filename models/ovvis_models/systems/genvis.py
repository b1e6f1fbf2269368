"""GenVIS as a system: frame queries of Mask2Former, and queries that are carried from window to window."""

from dataclasses import dataclass

from ovvis_models.converters.genvis import from_official
from ovvis_models.converters.parts import PublishedFiles, convert_part, require_parts
from ovvis_models.decoders.object_encoder import ObjectEncoder
from ovvis_models.decoders.window_decoder import WindowDecoder
from ovvis_models.networks.genvis import GenVIS
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.propagation import PropagatedQueries
from ovvis_models.proposal_selection import ALL_PROPOSALS, BestProposals
from ovvis_models.scoring.genvis import BestWindowScoring
from ovvis_models.scoring.track_table import PlainMean
from ovvis_models.systems.spec import (
    PublishedProtocol,
    Rules,
    SystemSpec,
    TrackerChoice,
    TrackerName,
)
from ovvis_models.text.naming import ClosedVocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowDecoderSpec:
    """The numbers of the networks over windows; width and heads are those of the Mask2Former."""

    num_queries: int
    encoder_layers: int
    decoder_layers: int
    ffn_dim: int
    num_classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GenVISSpec(SystemSpec[GenVIS]):
    """The numbers of a GenVIS."""

    proposals: Mask2FormerSpec
    window_decoder: WindowDecoderSpec
    class_table: str  # the category table whose names the class head gives
    num_results: int  # (track, class) pairs per video in the published protocol

    @property
    def reads_words(self) -> bool:
        """It has a class head."""
        return False

    @property
    def token_dim(self) -> int:
        """Number of class logits, including that of "no object"."""
        return self.window_decoder.num_classes + 1

    @property
    def token_mean(self) -> PlainMean:
        """Plain mean of the class logits."""
        return PlainMean()

    @property
    def trackers(self) -> tuple[TrackerName, ...]:
        """Its own: there is nothing to match."""
        return ("propagation",)

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of GenVIS."""
        return PublishedProtocol(
            tracker="propagation",
            tracked_by="query",
            scoring=BestWindowScoring(),
            num_results=self.num_results,
            masks_measured_at="resized frame",
        )

    def build(self) -> GenVIS:
        """Return the networks with random weights, on the CPU."""
        proposals, numbers = self.proposals, self.window_decoder
        return GenVIS(
            proposals=build_mask2former(proposals),
            object_encoder=ObjectEncoder(
                proposals.width,
                num_heads=proposals.num_heads,
                num_layers=numbers.encoder_layers,
                ffn_dim=numbers.ffn_dim,
            ),
            window_decoder=WindowDecoder(
                proposals.width,
                num_queries=numbers.num_queries,
                num_frame_queries=proposals.num_queries,
                num_heads=proposals.num_heads,
                num_layers=numbers.decoder_layers,
                ffn_dim=numbers.ffn_dim,
                num_classes=numbers.num_classes,
            ),
            image_input=self.proposal_input,
            window=self.window,
        )

    def assemble(self, files: PublishedFiles) -> GenVIS:
        """See `SystemSpec.assemble`: one file of the authors."""
        network = self.build()
        (file,) = require_parts(files, "genvis", model=self.name)
        network.load_state_dict(convert_part(file, from_official, network.state_dict()))
        return network

    def naming(self, network: GenVIS) -> ClosedVocabulary:
        """Return the table of its class head."""
        return ClosedVocabulary(table=self.class_table, num_classes=self.window_decoder.num_classes)

    def associate(self, network: GenVIS, choice: TrackerChoice, rules: Rules) -> PropagatedQueries:
        """Return the window decoder over the windows; see `SystemSpec.associate`."""
        numbers = self.association
        product = BestProposals(score_floor=numbers.score_floor, duplicate_overlap=numbers.duplicate_overlap)
        return PropagatedQueries(
            decoder=network.window_decoder,
            selection=ALL_PROPOSALS if rules == "published" else product,
            max_windows=choice.memory_windows,
        )
