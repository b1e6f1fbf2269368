"""MinVIS as a system: Mask2Former with a class head, matched to the previous frame."""

from dataclasses import dataclass

from ovvis_models.converters.parts import PublishedFiles, convert_part, require_parts
from ovvis_models.networks.mask2former import Mask2Former, Mask2FormerSpec
from ovvis_models.networks.minvis import MinVIS
from ovvis_models.scoring.minvis import MeanLogitScoring
from ovvis_models.scoring.track_table import PlainMean
from ovvis_models.systems.spec import PublishedProtocol, SystemSpec
from ovvis_models.text.naming import ClosedVocabulary

_NUM_RESULTS = 10  # hard-coded in `inference_video` of the published code, for OVIS too


@dataclass(frozen=True, slots=True, kw_only=True)
class MinVISSpec(SystemSpec[MinVIS]):
    """The numbers of a MinVIS."""

    proposals: Mask2FormerSpec
    class_table: str  # the category table whose names the class head gives

    @property
    def num_classes(self) -> int:
        """Number of classes, without "no object"."""
        assert self.proposals.num_classes is not None, "MinVIS has a class head"
        return self.proposals.num_classes

    @property
    def reads_words(self) -> bool:
        """It has a class head."""
        return False

    @property
    def token_dim(self) -> int:
        """Number of class logits, including that of "no object"."""
        return self.num_classes + 1

    @property
    def token_mean(self) -> PlainMean:
        """Plain mean of the class logits."""
        return PlainMean()

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of MinVIS."""
        return PublishedProtocol(
            tracker="previous-frame",
            tracked_by="query",
            scoring=MeanLogitScoring(),
            num_results=_NUM_RESULTS,
        )

    def build(self) -> MinVIS:
        """Return the network with random weights, on the CPU."""
        return self.compose(proposals=self.proposals.build())

    def compose(self, *, proposals: Mask2Former) -> MinVIS:
        """Return the network around a given Mask2Former."""
        return MinVIS(proposals, image_input=self.proposal_input)

    def assemble(self, files: PublishedFiles) -> MinVIS:
        """See `SystemSpec.assemble`: one Mask2Former."""
        proposals = self.proposals.build()
        (file,) = require_parts(files, "proposals", model=self.name)
        proposals.load_state_dict(convert_part(file, self.proposals.convert, proposals.state_dict()))
        return self.compose(proposals=proposals)

    def naming(self, network: MinVIS) -> ClosedVocabulary:
        """Return the table of its class head."""
        return ClosedVocabulary(table=self.class_table, num_classes=self.num_classes)
