"""Models with their weights, ready to run, and the segmenters that run them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from ovvis_models.adapters import adapted
from ovvis_models.backbones.folding import fold_norms, fold_quick_gelus
from ovvis_models.catalog import find_spec
from ovvis_models.converters.parts import read_parts
from ovvis_models.errors import CorruptWeightsError, MismatchedWeightsError, MissingWeightsError
from ovvis_models.networks.video_network import VideoNetwork
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.systems.spec import (
    ClassifierName,
    ModelSpec,
    Network,
    Rules,
    TrackerChoice,
    default_memory_windows,
)
from ovvis_models.text.class_embeddings import ClassEmbeddings, without_class_embeddings
from ovvis_models.text.naming import Naming
from ovvis_models.weights import fill, read_metadata, read_weights, weights_hash

ZOO: Final = Path(__file__).with_name("zoo")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A spec and its networks with weights, in evaluation mode on the CPU."""

    spec: ModelSpec
    network: VideoNetwork  # as `spec.build()` makes it
    weights_sha256: str
    adapter_sha256: str | None = None
    class_embeddings: ClassEmbeddings | None = None  # that its weights file holds

    def with_classifier(self, classifier: ClassifierName) -> "LoadedModel":
        """Return the model for a run with one of the classifiers of its spec."""
        return replace(self, spec=self.spec.with_classifier(classifier))

    @property
    def naming(self) -> Naming:
        """How the model names classes."""
        return self.spec.naming(self.network)


def load(
    name_or_path: str | Path, *, adapter: Path | None = None, short_side: int | None = None
) -> LoadedModel:
    """Load a model of the catalog by its name, or by the path of a weights file that `save_weights` wrote.

    Only models that come with the package are found by their name. `adapter` is a file of `save_adapter`;
    `short_side` replaces the spec's number of pixels of the shorter side that proposals are found at.

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
    if short_side is not None:
        spec = replace(spec, proposal_input=replace(spec.proposal_input, short_side=short_side))
    tensors = read_weights(path, sha256=sha256)
    class_embeddings = _class_embeddings(tensors, path)
    tensors = without_class_embeddings(tensors)
    if adapter is None:
        network = spec.build_for(tensors)
        _fill(network, tensors, path=path, spec=spec)
    else:
        spec, trained = adapted(spec, adapter)
        network = spec.build()
        fill(network, tensors | trained, named=f"{path} with {adapter}")
    return LoadedModel(
        spec=spec,
        network=ready(network),
        weights_sha256=weights_hash(path),
        adapter_sha256=None if adapter is None else weights_hash(adapter),
        class_embeddings=class_embeddings,
    )


def assemble(spec: ModelSpec, files: Sequence[Path]) -> VideoNetwork:
    """Return the networks of `spec` with the weights of published files, one per part, in any order.

    Raises:
        MissingWeightsError: there is no such file, or a part has none.
        CorruptWeightsError: a file cannot be read, or wants to run code.
        MismatchedWeightsError: a file belongs to another network, or holds none of the parts.
    """
    return spec.assemble(read_parts(files))


def ready(network: Network) -> Network:
    """Fold frozen norms and use the channels-last layout. The network cannot load weights after this."""
    fold_norms(network.proposals)
    fold_quick_gelus(network)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def segmenter_for(
    model: LoadedModel,
    *,
    tracker: TrackerChoice | None = None,
    classifier: ClassifierName | None = None,
    rules: Rules = "product",
) -> VideoSegmenter[Any]:
    """Return a segmenter for one video. Any tracker goes with any classifier; all share the model's weights.

    Raises:
        MissingWeightsError: when the model has no trained tracker, but one is asked for.
    """
    spec, network = model.spec, model.network
    choice = tracker or TrackerChoice(
        name=spec.default_tracker(rules), memory_windows=default_memory_windows(rules)
    )
    return VideoSegmenter(
        spec.encoder(network, classifier or spec.classifier),
        spec.associate(network, choice, rules),
        token_mean=spec.token_mean,
    )


def _fill(network: VideoNetwork, tensors: Mapping[str, Tensor], *, path: Path, spec: ModelSpec) -> None:
    try:
        fill(network, tensors, named=str(path))
    except MismatchedWeightsError as error:
        if not spec.sources:
            raise
        raise MismatchedWeightsError(error.message, published_model=spec.name) from error


def _class_embeddings(tensors: Mapping[str, Tensor], path: Path) -> ClassEmbeddings | None:
    try:
        return ClassEmbeddings.from_file(tensors, read_metadata(path))
    except ValueError as error:  # a JSON error is one, too
        raise CorruptWeightsError(f"{path}: {error}", hint="import the model again") from error


def _zoo_file(spec: ModelSpec) -> tuple[Path, str | None]:
    if spec.weights is None:
        raise MissingWeightsError(f"{spec.name} is not installed: no weights", published_model=spec.name)
    return ZOO / spec.weights.file_name, spec.weights.sha256


def _model_of(path: Path) -> str:
    name = read_metadata(path).get("model")
    if name is None:
        raise MismatchedWeightsError(
            f"{path} does not say which model it belongs to",
            hint="its metadata must name a model of the catalog",
        )
    return name
