"""The models that ovvis knows by name: one table, and the builders that turn its numbers into networks.

name -> ModelSpec --build--> InstFormer with random weights
name or path --load--> LoadedModel --segmenter_for--> VideoSegmenter
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from open_clip.model import CLIP

from ovvis_models.adapters import adapted
from ovvis_models.backbones.clip_maps import clip_maps
from ovvis_models.backbones.folding import fold_norms, fold_quick_gelus
from ovvis_models.clip_vis_models import CLIPVIS_CONVNEXT_B, CLIPVIS_R50, CLIPVIS_TINY
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError, UnknownModelError
from ovvis_models.heads.guidance import LogProbabilityGuidance
from ovvis_models.heads.mask_pooling import mask_pooling
from ovvis_models.heads.masked_crops import MaskedCrops
from ovvis_models.instformer_models import (
    INSTFORMER_R50,
    INSTFORMER_SWIN_B,
    INSTFORMER_SWIN_T,
    INSTFORMER_TINY,
    MINVIS_CLIP_R50,
    MINVIS_R50_OVIS,
    MINVIS_R50_YTVIS2019,
    MINVIS_R50_YTVIS2021,
)
from ovvis_models.networks.clip import ClipSpec, build_clip
from ovvis_models.networks.clip_vis import ClipVis
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.networks.mask2former import Mask2Former, build_mask2former
from ovvis_models.networks.minvis import MinVIS
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.specs import (
    ClassifierName,
    ModelSpec,
    TrackerName,
)
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.trackers.adjacent import OV2SEG_MOMENTUM, AdjacentTracker
from ovvis_models.trackers.previous_frame import PreviousFrameTracker
from ovvis_models.trackers.rollout import RolloutTracker
from ovvis_models.trackers.top_k import TopKTracker
from ovvis_models.trackers.tracker import Tracker
from ovvis_models.weights import fill, load_weights, read_metadata, read_tensors, weights_hash

Network = InstFormer | ClipVis | MinVIS

ZOO: Final = Path(__file__).with_name("zoo")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A network with its weights, in evaluation mode on the CPU."""

    spec: ModelSpec
    network: Network
    weights_sha256: str
    adapter_sha256: str | None = None


def find_spec(name: str) -> ModelSpec:
    """The catalog's entry.

    Raises:
        UnknownModelError: when there is none of that name.
    """
    if name not in CATALOG:
        raise UnknownModelError(f"unknown model '{name}'", hint=f"models: {', '.join(sorted(CATALOG))}")
    return CATALOG[name]


def build(name: str) -> Network:
    """The network of a catalog entry with random weights, on the CPU.

    Raises:
        UnknownModelError: when there is no entry of that name.
    """
    return build_network(find_spec(name))


def load(name_or_path: str | Path, *, adapter: Path | None = None) -> LoadedModel:
    """A model of the catalog by its name, or by the path of a weights file that `save_weights` wrote.

    Only models that come with the package are found by their name. `adapter` is a file of `save_adapter`.

    Raises:
        UnknownModelError: when it is neither a name nor a path, or the file names no model.
        WeightsError: when the weights are missing, corrupt, or do not fit.
    """
    path = Path(name_or_path)
    if path.suffix != ".safetensors":
        spec = find_spec(str(name_or_path))
        path, sha256 = _zoo_file(spec)
    else:
        spec, sha256 = find_spec(_model_of(path)), None
    if adapter is None:
        network = build_network(spec)
        load_weights(network, path, sha256=sha256)
        return LoadedModel(spec=spec, network=ready(network), weights_sha256=weights_hash(path))
    spec, trained = adapted(spec, adapter)
    network = build_network(spec)
    fill(network, read_tensors(path) | trained, named=f"{path} with {adapter}")
    return LoadedModel(
        spec=spec,
        network=ready(network),
        weights_sha256=weights_hash(path),
        adapter_sha256=weights_hash(adapter),
    )


def ready(network: Network) -> Network:
    """The network in its fastest form: what can be is folded, channels last. It takes no weights any more."""
    fold_norms(network.proposals.backbone)
    fold_quick_gelus(network)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def build_network(spec: ModelSpec) -> Network:
    """The network of any spec with random weights, on the CPU."""
    if spec.clip is None:
        return compose_minvis(spec, proposals=build_mask2former(spec.proposals))
    if spec.instclip is None:
        return compose_clip_vis(spec, clip=build_clip(spec.clip))
    return build_instformer(spec)


def build_instformer(spec: ModelSpec) -> InstFormer:
    """The InstFormer of a spec with random weights, on the CPU."""
    return compose(spec, proposals=build_mask2former(spec.proposals), clip=build_clip(clip_spec(spec)))


def clip_spec(spec: ModelSpec) -> ClipSpec:
    """The numbers of the CLIP of a model that has one."""
    assert spec.clip is not None, f"{spec.name} has no CLIP"
    return spec.clip


def compose_minvis(spec: ModelSpec, *, proposals: Mask2Former) -> MinVIS:
    """The network of a spec without CLIP."""
    return MinVIS(proposals, image_input=spec.proposal_input)


def compose_clip_vis(spec: ModelSpec, *, clip: CLIP) -> ClipVis:
    """The network of a spec on a CLIP, whose tower both its parts share; the decoders are random."""
    return ClipVis(
        proposals=build_mask2former(spec.proposals, backbone=clip_maps(clip.visual)),
        pooling=mask_pooling(clip.visual),
        text_encoder=TextEncoder(clip),
        image_input=spec.proposal_input,
    )


def compose(spec: ModelSpec, *, proposals: Mask2Former, clip: CLIP) -> InstFormer:
    """An InstFormer from its two great parts; instance tokens start from CLIP's class token."""
    assert spec.instclip is not None, "InstFormer has an InstCLIP"
    assert spec.clip_input is not None, "InstFormer shows frames to CLIP"
    return InstFormer(
        proposals=proposals,
        instance_encoder=InstCLIP(
            clip,
            guidance=LogProbabilityGuidance(),
            num_instance_tokens=spec.instclip.num_instance_tokens,
            lora_rank=spec.instclip.lora_rank,
            lora_alpha=spec.instclip.lora_alpha,
        ),
        text_encoder=TextEncoder(clip),
        tracker=_rollout(spec),
        proposal_input=spec.proposal_input,
        clip_input=spec.clip_input,
    )


def segmenter_for(
    model: LoadedModel, *, tracker: TrackerName | None = None, classifier: ClassifierName | None = None
) -> VideoSegmenter:
    """A segmenter for one video. Any tracker goes with any classifier; all share the model's weights.

    Raises:
        MissingWeightsError: when the model has no trained tracker, but one is asked for.
    """
    association = model.spec.association
    tracker = tracker or model.spec.default_tracker
    classifier = classifier or model.spec.classifier
    as_minvis = tracker == "previous-frame"
    return VideoSegmenter(
        with_masked_crops(model) if classifier == "masked-crops" else model.network,
        tracker_for(model, tracker),
        score_floor=association.score_floor,
        duplicate_overlap=association.duplicate_overlap,
        tracked_by="query" if as_minvis else association.tracked_by,
        weight_by_mask_confidence=association.weight_by_mask_confidence,
        every_proposal=as_minvis,
        closed_set=model.spec.closed_set is not None,
    )


def tracker_for(model: LoadedModel, name: TrackerName) -> Tracker:
    """The tracker of that name, with the model's rules.

    Raises:
        MissingWeightsError: when the model has no trained tracker, but one is asked for.
    """
    rules = model.spec.association.rules
    if name == "adjacent":
        return AdjacentTracker(rules)
    if name == "momentum":
        return AdjacentTracker(rules, momentum=OV2SEG_MOMENTUM)
    if name == "top-k":
        return TopKTracker(rules)
    if name == "previous-frame":
        return PreviousFrameTracker()
    if not isinstance(model.network, InstFormer):
        raise MissingWeightsError(
            f"{model.spec.name} has no rollout tracker", hint="use top-k, adjacent or momentum"
        )
    if model.network.tracker is None:
        raise MissingWeightsError(
            f"{model.spec.name} has no trained rollout tracker",
            hint="use adjacent, momentum or top-k, or add an adapter file",
        )
    return model.network.tracker


def with_masked_crops(model: LoadedModel) -> InstFormer:
    """The same networks, but CLIP runs once a masked crop: the baseline that InstCLIP replaces."""
    network = model.network
    if isinstance(network, InstFormer) and isinstance(network.instance_encoder, MaskedCrops):
        return network
    if not isinstance(network, InstFormer) or not isinstance(network.instance_encoder, InstCLIP):
        raise ValueError(f"{model.spec.name} has no CLIP tower to crop for")
    crops = MaskedCrops(
        network.instance_encoder.visual,
        crop_size=clip_spec(model.spec).vision.image_size,
        embed_dim=model.spec.token_dim,
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


def _rollout(spec: ModelSpec) -> RolloutTracker | None:
    if spec.association.hidden_dim is None:
        return None
    return RolloutTracker(
        spec.proposals.width + spec.token_dim,
        hidden_dim=spec.association.hidden_dim,
        rules=spec.association.rules,
    )


def _zoo_file(spec: ModelSpec) -> tuple[Path, str | None]:
    if spec.weights is None:
        raise MissingWeightsError(
            f"{spec.name} is not installed: no weights", hint=f"ovvis models pull {spec.name}"
        )
    return ZOO / spec.weights.file_name, spec.weights.sha256


def _model_of(path: Path) -> str:
    name = read_metadata(path).get("model")
    if name is None:
        raise MismatchedWeightsError(
            f"{path} does not say which model it belongs to",
            hint="only files written by ovvis train can be named",
        )
    return name


_ENTRIES: Final = (
    INSTFORMER_TINY,
    INSTFORMER_R50,
    INSTFORMER_SWIN_T,
    INSTFORMER_SWIN_B,
    MINVIS_CLIP_R50,
    MINVIS_R50_YTVIS2019,
    MINVIS_R50_YTVIS2021,
    MINVIS_R50_OVIS,
    CLIPVIS_TINY,
    CLIPVIS_R50,
    CLIPVIS_CONVNEXT_B,
)

CATALOG: Final[Mapping[str, ModelSpec]] = MappingProxyType({spec.name: spec for spec in _ENTRIES})
