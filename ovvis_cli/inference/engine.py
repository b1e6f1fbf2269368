"""A model, ready to run: loaded, on its device, with the tracker and classifier that were chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from ovvis_cli.errors import UsageError
from ovvis_cli.inference.device import DTYPES, Precision, resolve_device, resolve_precision
from ovvis_cli.model_store.installed import locate
from ovvis_cli.record.schema import ModelInfo, SettingValue
from ovvis_models.catalog import LoadedModel, load, segmenter_for, tracker_for
from ovvis_models.precision import round_weights
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.specs import ClassifierName, TrackerName
from ovvis_models.structures import WindowPrediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What all videos of a run share. Made by `start_engine`."""

    model: LoadedModel
    device: torch.device
    precision: Precision
    tracker: TrackerName
    classifier: ClassifierName

    @property
    def model_info(self) -> ModelInfo:
        """The model as records name it."""
        return ModelInfo(name=self.model.spec.name, weights_sha256=self.model.weights_sha256)

    @property
    def settings(self) -> dict[str, SettingValue]:
        """What of this changes masks or tokens, be it in the last digit."""
        told: dict[str, SettingValue] = {
            "device": self.device.type,
            "precision": self.precision,
            "tracker": self.tracker,
            "classifier": self.classifier,
        }
        if self.model.adapter_sha256 is not None:
            told["adapter_sha256"] = self.model.adapter_sha256
        return told

    def new_segmenter(self) -> VideoSegmenter:
        """A segmenter for one video."""
        return segmenter_for(self.model, tracker=self.tracker, classifier=self.classifier)

    def predict(
        self, segmenter: VideoSegmenter, images: Sequence[UInt8[np.ndarray, "H0 W0 3"]]
    ) -> WindowPrediction:
        """The networks' answer for RGB images of one size; on the device, in the engine's precision."""
        frames = torch.from_numpy(np.stack(images)).to(self.device, non_blocking=True)
        reduced = self.precision != "fp32"
        with torch.autocast(
            self.device.type, dtype=DTYPES[self.precision] if reduced else None, enabled=reduced
        ):
            return segmenter.predict(frames)


def start_engine(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    adapter: Path | None = None,
    tracker: TrackerName | None = None,
    classifier: ClassifierName | None = None,
) -> Engine:
    """Loads an installed model and puts it on its device.

    `adapter` is a file of what was trained on top of it; `tracker` or `classifier` None is the model's own.

    Raises:
        UsageError: no such device or precision.
        ResourceError: this machine lacks the device.
        CoreError: the model is unknown, or its weights cannot be used.
    """
    place = resolve_device(device)
    resolved = resolve_precision(precision, place)
    loaded = load(locate(model), adapter=adapter)
    return engine_of(loaded, device=place, precision=resolved, tracker=tracker, classifier=classifier)


def engine_of(
    model: LoadedModel,
    *,
    device: torch.device,
    precision: Precision,
    tracker: TrackerName | None = None,
    classifier: ClassifierName | None = None,
) -> Engine:
    """Puts a model on its device, in that precision for good; `tracker` and `classifier` None are its own.

    Raises:
        UsageError: the classifier does not go with the model.
        CoreError: the model has no tracker of that name.
    """
    chosen_classifier = classifier or model.spec.classifier
    check_classifier(model, chosen_classifier)
    model.network.to(device)
    if precision != "fp32":
        round_weights(model.network, DTYPES[precision])
    chosen = tracker or model.spec.default_tracker
    tracker_for(model, chosen)  # raises now where the model has none of that name
    return Engine(
        model=model,
        device=device,
        precision=precision,
        tracker=chosen,
        classifier=chosen_classifier,
    )


def check_classifier(model: LoadedModel, classifier: ClassifierName) -> None:
    """Raises UsageError when the classifier does not go with the model's networks."""
    if classifier not in model.spec.classifiers:
        raise UsageError(
            f"classifier {classifier} does not go with {model.spec.name}",
            hint=f"choose {' or '.join(model.spec.classifiers)}",
        )
