"""GenVIS as a system: frame queries of Mask2Former, and queries that are carried from window to window."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from ovvis_models.association import Association
from ovvis_models.converters.clip import from_open_clip, has_text
from ovvis_models.converters.genvis import from_official
from ovvis_models.converters.parts import PublishedFiles, convert_part, require_parts
from ovvis_models.decoders.object_encoder import ObjectEncoder
from ovvis_models.decoders.window_decoder import WindowDecoder
from ovvis_models.errors import MissingWeightsError
from ovvis_models.heads.guidance import LogProbabilityGuidance
from ovvis_models.networks.clip import ClipSpec, build_clip
from ovvis_models.networks.genvis import GenVIS, ImagedGenVIS
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.networks.mask_naming import MaskNaming
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.preprocess import ImageInput
from ovvis_models.propagation import NamedAfterwards, PropagatedQueries
from ovvis_models.proposal_selection import ALL_PROPOSALS, BestProposals
from ovvis_models.scoring.evidence import VideoScoring
from ovvis_models.scoring.genvis import BestWindowScoring
from ovvis_models.scoring.instformer import MeanTokenScoring
from ovvis_models.scoring.track_table import PlainMean, ScoreWeighted, TokenMean
from ovvis_models.systems.instformer import InstClipSpec
from ovvis_models.systems.spec import (
    ClassifierName,
    PublishedProtocol,
    Rules,
    SystemSpec,
    TrackerChoice,
    TrackerName,
)
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.naming import ClosedVocabulary, Naming, OpenVocabulary

if TYPE_CHECKING:
    from open_clip.model import CLIP

_MASK_NAMING: Final = "mask_naming."  # prefix of the weights that an installed model may lack


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
    """The numbers of a GenVIS. Its first classifier is the one that it runs with."""

    proposals: Mask2FormerSpec
    window_decoder: WindowDecoderSpec
    class_table: str | None  # whose names the class head gives; None: it has the one class "object"
    num_results: int | None  # (track, class) pairs per video in the published protocol
    clip: ClipSpec  # names masks with --classifier instclip
    clip_input: ImageInput
    instclip: InstClipSpec

    def with_classifier(self, classifier: ClassifierName) -> Self:
        """See `SystemSpec.with_classifier`."""
        others = (name for name in self.classifiers if name != classifier)
        return replace(self, classifiers=(classifier, *others))

    @property
    def reads_words(self) -> bool:
        """Whether masks are named by InstCLIP."""
        return self._names.reads_words

    @property
    def token_dim(self) -> int:
        """Width of CLIP's embeddings, or number of class logits, including that of "no object"."""
        return self._names.token_dim

    @property
    def token_mean(self) -> TokenMean:
        """As in the system that the classifier is of: MinVIS or InstFormer."""
        return self._names.token_mean

    @property
    def trackers(self) -> tuple[TrackerName, ...]:
        """Its own: there is nothing to match."""
        return ("propagation",)

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of GenVIS; with InstCLIP, scores are those of InstFormer."""
        return PublishedProtocol(
            tracker="propagation",
            tracked_by="query",
            scoring=self._names.scoring,
            num_results=self.num_results,
            masks_measured_at="resized frame",
        )

    def build(self) -> GenVIS:
        """Return the networks with random weights, on the CPU."""
        return self.compose(clip=build_clip(self.clip))

    def build_for(self, tensor_names: Collection[str]) -> GenVIS:
        """See `SystemSpec.build_for`: CLIP may be missing."""
        has_clip = any(name.startswith(_MASK_NAMING) for name in tensor_names)
        return self.compose(clip=build_clip(self.clip) if has_clip else None)

    def compose(self, *, clip: "CLIP | None") -> GenVIS:
        """Return the networks with a CLIP to name masks, or without one; all else is random."""
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
            mask_naming=None if clip is None else self._mask_naming(clip),
            window=self.window,
        )

    def assemble(self, files: PublishedFiles) -> GenVIS:
        """See `SystemSpec.assemble`: the authors' file, and a CLIP for InstCLIP if there is one."""
        (file,) = require_parts(files, "genvis", model=self.name)
        clip: "CLIP | None" = None
        if "clip" in files and has_text(files["clip"][1]):
            clip = build_clip(self.clip)
            clip.load_state_dict(convert_part(files["clip"], from_open_clip, clip.state_dict()))
        network = self.compose(clip=clip)
        own = network.state_dict()
        of_clip = {name: value for name, value in own.items() if name.startswith(_MASK_NAMING)}
        theirs = {name: value for name, value in own.items() if name not in of_clip}
        network.load_state_dict(of_clip | convert_part(file, from_official, theirs))
        return network

    def naming(self, network: GenVIS) -> Naming:
        """Return the text encoder of its CLIP, or the table of its class head."""
        return self._names.naming(network)

    def encoder(self, network: GenVIS, classifier: ClassifierName) -> VideoNetwork:
        """Return the networks; with InstCLIP, windows carry the images that it needs."""
        return self._names.encoder(network)

    def associate(self, network: GenVIS, choice: TrackerChoice, rules: Rules) -> Association[Any, Any]:
        """Return the window decoder over the windows; see `SystemSpec.associate`.

        Raises:
            MissingWeightsError: masks are named by InstCLIP, and the networks have none.
        """
        numbers = self.association
        product = BestProposals(score_floor=numbers.score_floor, duplicate_overlap=numbers.duplicate_overlap)
        queries = PropagatedQueries(
            decoder=network.window_decoder,
            selection=ALL_PROPOSALS if rules == "published" else product,
            max_windows=choice.memory_windows,
        )
        return self._names.associate(network, queries)

    @property
    def _names(self) -> "_Names":
        return _InstClipNames(self) if self.classifier == "instclip" else _ClassHeadNames(self)

    def _mask_naming(self, clip: "CLIP") -> MaskNaming:
        return MaskNaming(
            instance_encoder=InstCLIP(
                clip,
                guidance=LogProbabilityGuidance(),
                num_instance_tokens=self.instclip.num_instance_tokens,
                lora_rank=self.instclip.lora_rank,
                lora_alpha=self.instclip.lora_alpha,
            ),
            text_encoder=TextEncoder(clip),
            clip_input=self.clip_input,
        )


@dataclass(frozen=True, slots=True)
class _Names(ABC):
    """How tracks get their names: what differs between the classifiers."""

    spec: GenVISSpec

    @property
    @abstractmethod
    def reads_words(self) -> bool: ...

    @property
    @abstractmethod
    def token_dim(self) -> int: ...

    @property
    @abstractmethod
    def token_mean(self) -> TokenMean: ...

    @property
    @abstractmethod
    def scoring(self) -> VideoScoring: ...

    @abstractmethod
    def naming(self, network: GenVIS) -> Naming: ...

    @abstractmethod
    def encoder(self, network: GenVIS) -> VideoNetwork: ...

    @abstractmethod
    def associate(self, network: GenVIS, queries: PropagatedQueries) -> Association[Any, Any]: ...


@dataclass(frozen=True, slots=True)
class _ClassHeadNames(_Names):
    """The closed set of the class head: tokens are class logits."""

    reads_words = False
    token_mean = PlainMean()
    scoring = BestWindowScoring()

    @property
    def token_dim(self) -> int:
        return self.spec.window_decoder.num_classes + 1

    def naming(self, network: GenVIS) -> ClosedVocabulary:
        assert self.spec.class_table is not None, "models without a table have no class head to name with"
        return ClosedVocabulary(table=self.spec.class_table, num_classes=self.spec.window_decoder.num_classes)

    def encoder(self, network: GenVIS) -> GenVIS:
        return network

    def associate(self, network: GenVIS, queries: PropagatedQueries) -> PropagatedQueries:
        return queries


@dataclass(frozen=True, slots=True)
class _InstClipNames(_Names):
    """Any words: InstCLIP looks at the masks after association."""

    reads_words = True
    token_mean = ScoreWeighted()
    scoring = MeanTokenScoring()

    @property
    def token_dim(self) -> int:
        return self.spec.clip.embed_dim

    def naming(self, network: GenVIS) -> OpenVocabulary:
        return OpenVocabulary(
            text_encoder=self._parts(network).text_encoder,
            embed_dim=self.token_dim,
            domain=self.spec.text_domain,
        )

    def encoder(self, network: GenVIS) -> ImagedGenVIS:
        return ImagedGenVIS(network, mask_naming=self._parts(network))

    def associate(self, network: GenVIS, queries: PropagatedQueries) -> NamedAfterwards:
        return NamedAfterwards(queries=queries, mask_naming=self._parts(network))

    def _parts(self, network: GenVIS) -> MaskNaming:
        if network.mask_naming is None:
            raise MissingWeightsError(
                f"{self.spec.name} was installed without a CLIP",
                hint="import it again together with a CLIP checkpoint, or use --classifier class-head",
            )
        return network.mask_naming
