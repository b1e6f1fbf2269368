"""All there is to say about a model but its weights: frozen numbers; `catalog` makes networks of them."""

from dataclasses import dataclass
from typing import Literal

from ovvis_models.networks.clip import ClipSpec
from ovvis_models.networks.mask2former import Mask2FormerSpec
from ovvis_models.preprocess import ImageInput
from ovvis_models.sources import WeightsSource
from ovvis_models.trackers.assignment import AssociationRules
from ovvis_models.trackers.tracker import TrackedBy

TrackerName = Literal["rollout", "adjacent", "momentum", "top-k", "previous-frame"]
ClassifierName = Literal["instclip", "masked-crops", "mask-pooling", "class-head"]
TextDomain = Literal["web", "diorama"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstClipSpec:
    """The numbers of InstCLIP beyond its CLIP."""

    num_instance_tokens: int  # 1: one learned token for every proposal
    lora_rank: int | None  # None: without LoRA
    lora_alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationSpec:
    """The numbers from proposals to tracks."""

    hidden_dim: int | None  # of the rollout tracker's recurrent layer; None: training-free association only
    untrained: TrackerName = "adjacent"  # the tracker where none is trained
    tracked_by: TrackedBy = "query-and-token"
    rules: AssociationRules
    weight_by_mask_confidence: bool = (
        False  # object scores times the mean probability in the mask (Mask2Former)
    )
    score_floor: float  # object score below which a proposal is ignored
    duplicate_overlap: float  # share of the smaller mask above which the worse of two proposals is


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooWeights:
    """A weights file that comes with the package; `sha256` None while the model is being trained."""

    file_name: str
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Everything about a model but its weights."""

    name: str
    description: str
    proposals: Mask2FormerSpec
    clip: ClipSpec | None  # None: a closed set of classes and no words
    instclip: InstClipSpec | None = (
        None  # None: CLIP's tower is the backbone, and is pooled in masks (CLIP-VIS)
    )
    closed_set: str | None = None  # the category table whose names the class head gives (MinVIS)
    proposal_input: ImageInput
    clip_input: ImageInput | None
    association: AssociationSpec
    classifiers: tuple[ClassifierName, ...]  # that go with its networks, its own first
    class_exponent: float = 1.0  # of the class probability in a track's score
    text_domain: TextDomain  # what CLIP has read: the web, or only the diorama's captions
    weights: ZooWeights | None  # None: they do not come with the package
    sources: tuple[WeightsSource, ...] = ()  # the published files that make up its weights, a part each
    page: str | None = None  # where the authors publish weights that only a person can fetch
    licence: str  # of the weights
    proposal_ap: float | None = None  # published mask AP of the proposal network on COCO, in percent

    @property
    def classifier(self) -> ClassifierName:
        """What names its masks unless another is asked for."""
        return self.classifiers[0]

    @property
    def token_dim(self) -> int:
        """Width of what classifies a track: CLIP's embeddings, or the logits of a closed set."""
        if self.clip is not None:
            return self.clip.embed_dim
        assert self.proposals.num_classes is not None, "without CLIP, the proposal network classifies"
        return self.proposals.num_classes + 1

    @property
    def default_tracker(self) -> TrackerName:
        """The learned tracker where there is one."""
        return self.association.untrained if self.association.hidden_dim is None else "rollout"
