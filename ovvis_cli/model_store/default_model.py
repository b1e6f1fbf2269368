"""Default model: $OVVIS_MODEL, else the best installed one."""

import os
from typing import Final

from ovvis_cli.errors import ModelError

MODEL_VARIABLE: Final = "OVVIS_MODEL"

_ORDER: Final = ("diorama", "photographs", "web")  # of what models know, the best last


def default_model() -> str:
    """Return the model named by OVVIS_MODEL, else the name of the best installed one.

    Models that learnt from the web come first, then labelled photographs, then the diorama; of several the
    one with the best published accuracy. A model of a closed set of classes is never the default.

    Raises:
        ModelError: no model has weights.
    """
    chosen = os.environ.get(MODEL_VARIABLE)
    if chosen:
        return chosen
    from ovvis_cli.model_store.installed import weights_file
    from ovvis_models.catalog import CATALOG

    candidates = [spec for spec in CATALOG.values() if spec.reads_words]
    installed = [spec for spec in candidates if weights_file(spec) is not None]
    if not installed:
        raise ModelError("no model is installed", hint="install ovvis again, or name a file with --model")
    return max(installed, key=lambda spec: (_ORDER.index(spec.text_domain), spec.proposal_ap or 0.0)).name
