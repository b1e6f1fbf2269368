"""Engine: a loaded model on its device, with the chosen tracker, classifier and rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import UInt8

from ovvis_cli.errors import UsageError
from ovvis_cli.inference.device import DTYPES, Precision, resolve_device, resolve_precision
from ovvis_cli.inference.tracker_options import TrackerOptions
from ovvis_cli.model_store.installed import locate
from ovvis_cli.record.schema import ModelInfo, SettingValue
from ovvis_models.loading import LoadedModel, load, segmenter_for
from ovvis_models.precision import round_weights
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.systems.spec import ClassifierName, Rules, TrackerChoice

DEFAULT_TRACKER: Final = TrackerOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Model and settings that all videos of a run share. Created by `start_engine`."""

    model: LoadedModel
    device: torch.device
    precision: Precision
    tracker: TrackerChoice
    classifier: ClassifierName
    rules: Rules

    @property
    def model_info(self) -> ModelInfo:
        """Name and weights hash of the model, as stored in records."""
        return ModelInfo(name=self.model.spec.name, weights_sha256=self.model.weights_sha256)

    @property
    def settings(self) -> dict[str, SettingValue]:
        """The settings that affect masks or tokens, even by rounding."""
        settings: dict[str, SettingValue] = {
            "device": self.device.type,
            "precision": self.precision,
            "rules": self.rules,
            "window": self.model.spec.window,
            "tracker": self.tracker.name,
            "classifier": self.classifier,
        }
        if self.tracker.name == "momentum":
            settings["momentum"] = self.tracker.momentum
        if self.tracker.name == "top-k":
            settings["top_k_frames"] = self.tracker.num_frames
            settings["top_k_chosen"] = self.tracker.num_chosen
        if self.tracker.name == "propagation":
            settings["memory_windows"] = self.tracker.memory_windows or "all"
        if self.model.adapter_sha256 is not None:
            settings["adapter_sha256"] = self.model.adapter_sha256
        return settings

    def new_segmenter(self) -> VideoSegmenter[Any]:
        """Return a segmenter for one video."""
        return segmenter_for(self.model, tracker=self.tracker, classifier=self.classifier, rules=self.rules)

    def encode(
        self, segmenter: VideoSegmenter[Any], images: Sequence[UInt8[np.ndarray, "H0 W0 3"]]
    ) -> Sequence[Any]:
        """Encode RGB images of one size into windows, on the device, in the engine's precision."""
        frames = torch.from_numpy(np.stack(images)).to(self.device, non_blocking=True)
        reduced = self.precision != "fp32"
        with torch.autocast(
            self.device.type, dtype=DTYPES[self.precision] if reduced else None, enabled=reduced
        ):
            return segmenter.encode(frames)


def start_engine(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    adapter: Path | None = None,
    tracker: TrackerOptions = DEFAULT_TRACKER,
    classifier: ClassifierName | None = None,
    rules: Rules = "product",
    short_side: int | None = None,
) -> Engine:
    """Load an installed model and move it to its device.

    `adapter` is a file of weights trained on top of the model. None for `classifier` or `short_side` means
    the model's default.

    Raises:
        UsageError: the device or precision is unknown.
        ResourceError: this machine does not have the device.
        ModelError: the model is unknown, or its weights cannot be used.
    """
    place = resolve_device(device)
    resolved = resolve_precision(precision, place)
    loaded = load(locate(model), adapter=adapter, short_side=short_side)
    return engine_of(
        loaded, device=place, precision=resolved, tracker=tracker, classifier=classifier, rules=rules
    )


def engine_of(
    model: LoadedModel,
    *,
    device: torch.device,
    precision: Precision,
    tracker: TrackerOptions = DEFAULT_TRACKER,
    classifier: ClassifierName | None = None,
    rules: Rules = "product",
) -> Engine:
    """Move a model to a device and convert its weights to a precision, in place.

    None for `classifier` means the model's default.

    Raises:
        UsageError: the model does not support the classifier or an option of the tracker.
        MissingWeightsError: the model has no trained weights of that tracker.
    """
    chosen_classifier = classifier or model.spec.classifier
    check_classifier(model, chosen_classifier)
    model = model.with_classifier(chosen_classifier)
    model.network.to(device)
    if precision != "fp32":
        round_weights(model.network, DTYPES[precision])
    engine = Engine(
        model=model,
        device=device,
        precision=precision,
        tracker=tracker.resolve(model.spec, rules),
        classifier=chosen_classifier,
        rules=rules,
    )
    engine.new_segmenter()  # raises now if the model does not have the tracker
    return engine


def check_classifier(model: LoadedModel, classifier: ClassifierName) -> None:
    """Raise UsageError if the model does not support the classifier."""
    if classifier not in model.spec.classifiers:
        raise UsageError(
            f"{model.spec.name} does not support the classifier {classifier}",
            hint=f"choose {' or '.join(model.spec.classifiers)}",
        )
