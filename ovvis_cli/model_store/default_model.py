"""What holds where nothing was said: the model of choice among those that are installed."""

import os
from typing import Final

from ovvis_cli.errors import ModelError

MODEL_VARIABLE: Final = "OVVIS_MODEL"


def default_model() -> str:
    """The model that OVVIS_MODEL names, else the name of the best one that is installed.

    One that knows the web is better than one that knows the diorama; then the published accuracy decides. A
    model of a closed set of classes is never the default: it gives no other names.

    Raises:
        ModelError: none has weights.
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
    return max(installed, key=lambda spec: (spec.text_domain == "web", spec.proposal_ap or 0.0)).name
