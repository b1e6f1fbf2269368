"""The common part of all model specs: frozen numbers, and what every system must be able to make of them.

A system is a subclass of `SystemSpec` in a file of its own. It knows its networks and its four parts:
how frames are encoded, how windows are associated, how tracks are scored, and how classes are named.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Self, TypeAlias, TypeVar

from ovvis_models.association import Association, MatchingAssociation
from ovvis_models.converters.parts import PublishedFiles
from ovvis_models.errors import MissingWeightsError
from ovvis_models.networks.proposals import ProposalSpec
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.preprocess import ImageInput
from ovvis_models.proposal_selection import ALL_PROPOSALS, BestProposals
from ovvis_models.scoring.evidence import MeasuredAt, VideoScoring
from ovvis_models.scoring.track_table import TokenMean
from ovvis_models.sources import WeightsSource
from ovvis_models.text.naming import Naming, TextDomain
from ovvis_models.trackers.adjacent import OV2SEG_MOMENTUM, AdjacentTracker
from ovvis_models.trackers.assignment import FIXED_SLOTS, AssociationRules, TrackRules
from ovvis_models.trackers.top_k import PAPER_CHOSEN, PAPER_FRAMES, TopKTracker
from ovvis_models.trackers.tracker import TrackedBy, Tracker

Network = TypeVar("Network", bound=VideoNetwork)

TrackerName = Literal["rollout", "adjacent", "momentum", "top-k", "previous-frame", "propagation"]
ClassifierName = Literal["instclip", "masked-crops", "mask-pooling", "class-head", "query"]
Rules = Literal["product", "published"]
"""`product`: proposals are selected, tracks begin and end. `published`: every query is a slot."""

MATCHING_TRACKERS: Final[tuple[TrackerName, ...]] = (
    "rollout",
    "adjacent",
    "momentum",
    "top-k",
    "previous-frame",
)
"""The trackers that match what is found in each window to tracks."""

MEMORY_WINDOWS: Final = 256
"""Windows in the memory of `propagation` under product rules, so that memory does not grow with the video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerChoice:
    """A tracker and its options; each option applies to one tracker."""

    name: TrackerName
    momentum: float = OV2SEG_MOMENTUM  # of momentum: weight of the newest look
    num_frames: int = PAPER_FRAMES  # of top-k: T frames in memory
    num_chosen: int = PAPER_CHOSEN  # of top-k: the K of them that are matched with
    memory_windows: int | None = None  # of propagation: windows in memory; None for all


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationSpec:
    """The numbers from proposals to tracks under product rules."""

    hidden_dim: int | None  # of the rollout tracker's recurrent layer; None: training-free association only
    untrained: TrackerName = "adjacent"  # the tracker where none is trained
    tracked_by: TrackedBy = "query-and-token"
    rules: AssociationRules
    weight_by_mask_confidence: bool = False  # see `MatchingAssociation`
    score_floor: float  # object score below which a proposal is ignored
    duplicate_overlap: float  # fraction of the smaller mask above which the worse of two proposals is ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedProtocol:
    """How the paper of a system associates and scores the slots of a video."""

    tracker: TrackerName
    tracked_by: TrackedBy
    scoring: VideoScoring
    num_results: int | None  # (track, class) pairs per video; None: the number that the data set's papers use
    masks_measured_at: MeasuredAt = "stride 4"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooWeights:
    """A weights file that comes with the package; `sha256` is None while the model is being trained."""

    file_name: str
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec(ABC, Generic[Network]):
    """Everything about a model except its weights; each system is a subclass."""

    name: str
    description: str
    proposals: ProposalSpec
    proposal_input: ImageInput
    association: AssociationSpec
    classifiers: tuple[ClassifierName, ...]  # that work with its networks, its own first
    window: int = 1  # frames per window
    text_domain: TextDomain  # what its text encoder was trained on
    weights: ZooWeights | None  # None: they do not come with the package
    sources: tuple[WeightsSource, ...] = ()  # the published files that make up its weights, one per part
    page: str | None = None  # where the authors publish weights that only a person can fetch
    licence: str  # of the weights
    proposal_ap: float | None = None  # published mask AP of the proposal network on COCO, in percent

    @property
    def classifier(self) -> ClassifierName:
        """The default classifier."""
        return self.classifiers[0]

    def default_tracker(self, rules: Rules = "product") -> TrackerName:
        """Return the tracker of the paper under its rules, else the learned tracker where there is one."""
        if rules == "published":
            return self.published.tracker
        return self.association.untrained if self.association.hidden_dim is None else "rollout"

    @property
    def trackers(self) -> tuple[TrackerName, ...]:
        """The trackers that go with its networks."""
        return MATCHING_TRACKERS

    @property
    @abstractmethod
    def reads_words(self) -> bool:
        """Whether it names any words; else only a closed set of classes."""

    @property
    @abstractmethod
    def token_dim(self) -> int:
        """Width of the instance tokens."""

    @property
    @abstractmethod
    def token_mean(self) -> TokenMean:
        """How the tokens of a track are averaged under product rules."""

    @property
    @abstractmethod
    def published(self) -> PublishedProtocol:
        """The protocol of the system's paper."""

    @abstractmethod
    def build(self) -> Network:
        """Return the networks with random weights, on the CPU."""

    def build_for(self, tensor_names: Collection[str]) -> Network:
        """Return the networks of a weights file that holds tensors of these names; parts may be optional."""
        return self.build()

    @abstractmethod
    def assemble(self, files: PublishedFiles) -> Network:
        """Return the networks with the weights of published files.

        Raises:
            MissingWeightsError: a part is missing.
            MismatchedWeightsError: a file belongs to another network.
        """

    @abstractmethod
    def naming(self, network: Network) -> Naming:
        """Return how the networks that `build` made name classes."""

    def with_classifier(self, classifier: ClassifierName) -> Self:
        """Return the spec for a run with one of `classifiers`; it may have other tokens and other classes."""
        return self

    def encoder(self, network: Network, classifier: ClassifierName) -> VideoNetwork:
        """Return the part of the networks that encodes frames, with one of `classifiers`."""
        return network

    def tracker(self, network: Network, choice: TrackerChoice, rules: TrackRules) -> Tracker:
        """Return a tracker of the networks.

        Raises:
            MissingWeightsError: it is a learned tracker, and the networks have none.
        """
        return untrained_tracker(choice, rules, model=self.name)

    def associate(self, network: Network, choice: TrackerChoice, rules: Rules) -> Association[Any, Any]:
        """Return the association of windows by a tracker.

        Raises:
            MissingWeightsError: it is a learned tracker, and the networks have none.
        """
        numbers = self.association
        if rules == "published" or choice.name == "previous-frame":
            by_query = choice.name == "previous-frame"
            return MatchingAssociation(
                tracker=self.tracker(network, choice, FIXED_SLOTS),
                selection=ALL_PROPOSALS,
                tracked_by="query" if by_query else self.published.tracked_by,
                weight_by_mask_confidence=numbers.weight_by_mask_confidence,
            )
        return MatchingAssociation(
            tracker=self.tracker(network, choice, numbers.rules),
            selection=BestProposals(
                score_floor=numbers.score_floor, duplicate_overlap=numbers.duplicate_overlap
            ),
            tracked_by=numbers.tracked_by,
            weight_by_mask_confidence=numbers.weight_by_mask_confidence,
        )


def default_memory_windows(rules: Rules) -> int | None:
    """Return the number of windows in the memory of `propagation`; None for all, as in the paper."""
    return MEMORY_WINDOWS if rules == "product" else None


ModelSpec: TypeAlias = SystemSpec[Any]
"""A spec of any system."""


def untrained_tracker(choice: TrackerChoice, rules: TrackRules, *, model: str) -> Tracker:
    """Return a tracker without weights.

    Raises:
        MissingWeightsError: the choice is a learned tracker.
    """
    if choice.name in ("adjacent", "previous-frame"):
        return AdjacentTracker(rules)
    if choice.name == "momentum":
        return AdjacentTracker(rules, momentum=choice.momentum)
    if choice.name == "top-k":
        return TopKTracker(rules, num_frames=choice.num_frames, num_chosen=choice.num_chosen)
    raise MissingWeightsError(f"{model} has no rollout tracker", hint="use top-k, adjacent or momentum")
