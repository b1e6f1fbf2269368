"""The model of a record, loaded again: tokens can only be compared with names by the model that made them."""

from typing import Protocol

from ovvis_cli.errors import ModelError
from ovvis_cli.model_store.installed import locate
from ovvis_cli.record.schema import ModelInfo
from ovvis_models import loading


class MadeBy(Protocol):
    """What made tokens; the header of a record tells it, and a group of tracks of a search index."""

    @property
    def model(self) -> ModelInfo:
        """The weights."""

    @property
    def classifier(self) -> str | None:
        """The classifier setting; None in records of versions that did not store it."""


def load_record_model(made_by: MadeBy, *, name_or_path: str | None = None) -> loading.LoadedModel:
    """Load the model and classifier that made tokens, by its name or from `name_or_path`.

    Raises:
        ModelError: it is unknown, not installed, or has other weights than those of the tokens.
    """
    model = made_by.model
    loaded = loading.load(locate(name_or_path or model.name))
    if loaded.weights_sha256 != model.weights_sha256:
        raise ModelError(
            f"the record was made with other weights of {model.name}",
            hint="give that weights file with --model, or run ovvis segment again",
        )
    if made_by.classifier not in loaded.spec.classifiers:
        return loaded
    return loaded.with_classifier(made_by.classifier)
