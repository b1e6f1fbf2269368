"""InstFormer as a system: any proposal network, InstCLIP or masked crops, rollout association."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ovvis_models.converters.clip import from_open_clip
from ovvis_models.converters.parts import PublishedFiles, convert_part, require_parts
from ovvis_models.errors import MissingWeightsError
from ovvis_models.heads.guidance import LogProbabilityGuidance
from ovvis_models.heads.masked_crops import MaskedCrops
from ovvis_models.networks.clip import ClipSpec, build_clip
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.networks.proposals import ProposalNetwork
from ovvis_models.preprocess import ImageInput
from ovvis_models.scoring.instformer import MeanTokenScoring
from ovvis_models.scoring.track_table import ScoreWeighted
from ovvis_models.systems.spec import (
    ClassifierName,
    PublishedProtocol,
    SystemSpec,
    TrackerChoice,
    untrained_tracker,
)
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.naming import OpenVocabulary
from ovvis_models.trackers.assignment import TrackRules
from ovvis_models.trackers.rollout import RolloutTracker
from ovvis_models.trackers.tracker import Tracker

if TYPE_CHECKING:
    from open_clip.model import CLIP


@dataclass(frozen=True, slots=True, kw_only=True)
class InstClipSpec:
    """The numbers of InstCLIP beyond its CLIP."""

    num_instance_tokens: int  # 1: one learned token for every proposal
    lora_rank: int | None  # None: without LoRA
    lora_alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InstFormerSpec(SystemSpec[InstFormer]):
    """The numbers of an InstFormer. MinVIS-CLIP is one with other defaults for tracker and classifier."""

    clip: ClipSpec
    clip_input: ImageInput
    instclip: InstClipSpec

    @property
    def reads_words(self) -> bool:
        """It has a text encoder."""
        return True

    @property
    def token_dim(self) -> int:
        """Width of CLIP's embeddings."""
        return self.clip.embed_dim

    @property
    def token_mean(self) -> ScoreWeighted:
        """Mean weighted by object score."""
        return ScoreWeighted()

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of OpenVIS, Sec. 4.2 and 4.3."""
        return PublishedProtocol(
            tracker=self.default_tracker(),
            tracked_by="query-and-token",
            scoring=MeanTokenScoring(),
            num_results=None,
        )

    def build(self) -> InstFormer:
        """Return the networks with random weights, on the CPU."""
        return self.compose(proposals=self.proposals.build(), clip=build_clip(self.clip))

    def compose(self, *, proposals: ProposalNetwork, clip: "CLIP") -> InstFormer:
        """Return the networks around two given ones; instance tokens start from CLIP's class token."""
        return InstFormer(
            proposals=proposals,
            instance_encoder=InstCLIP(
                clip,
                guidance=LogProbabilityGuidance(),
                num_instance_tokens=self.instclip.num_instance_tokens,
                lora_rank=self.instclip.lora_rank,
                lora_alpha=self.instclip.lora_alpha,
            ),
            text_encoder=TextEncoder(clip),
            tracker=self._rollout(),
            proposal_input=self.proposal_input,
            clip_input=self.clip_input,
        )

    def assemble(self, files: PublishedFiles) -> InstFormer:
        """See `SystemSpec.assemble`: proposals and a CLIP."""
        proposals, clip = self.proposals.build(), build_clip(self.clip)
        proposals_file, clip_file = require_parts(files, self.proposals.part, "clip", model=self.name)
        proposals.load_state_dict(
            convert_part(proposals_file, self.proposals.convert, proposals.state_dict())
        )
        clip.load_state_dict(convert_part(clip_file, from_open_clip, clip.state_dict()))
        return self.compose(proposals=proposals, clip=clip)

    def naming(self, network: InstFormer) -> OpenVocabulary:
        """Return the text encoder of its CLIP."""
        return OpenVocabulary(
            text_encoder=network.text_encoder, embed_dim=self.token_dim, domain=self.text_domain
        )

    def encoder(self, network: InstFormer, classifier: ClassifierName) -> InstFormer:
        """Return the networks, with InstCLIP or with one CLIP pass per masked crop."""
        return self.with_masked_crops(network) if classifier == "masked-crops" else network

    def with_masked_crops(self, network: InstFormer) -> InstFormer:
        """Return the same networks, but CLIP runs once per masked crop: the baseline of InstCLIP."""
        if isinstance(network.instance_encoder, MaskedCrops):
            return network
        assert isinstance(network.instance_encoder, InstCLIP), "an InstFormer has InstCLIP or masked crops"
        crops = MaskedCrops(
            network.instance_encoder.visual,
            crop_size=self.clip.vision.image_size,
            embed_dim=self.token_dim,
        )
        baseline = InstFormer(
            proposals=network.proposals,
            instance_encoder=crops,
            text_encoder=network.text_encoder,
            tracker=network.tracker,
            proposal_input=network.proposal_input,
            clip_input=network.clip_input,
            max_instances=network.max_instances,
        )
        return baseline.eval()

    def tracker(self, network: InstFormer, choice: TrackerChoice, rules: TrackRules) -> Tracker:
        """See `SystemSpec.tracker`."""
        if choice.name != "rollout":
            return untrained_tracker(choice, rules, model=self.name)
        if network.tracker is None:
            raise MissingWeightsError(
                f"{self.name} has no trained rollout tracker",
                hint="use adjacent, momentum or top-k, or add an adapter file",
            )
        return network.tracker.with_rules(rules)

    def _rollout(self) -> RolloutTracker | None:
        if self.association.hidden_dim is None:
            return None
        return RolloutTracker(
            self.proposals.width + self.token_dim,
            hidden_dim=self.association.hidden_dim,
            rules=self.association.rules,
        )
