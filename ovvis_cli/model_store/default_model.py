"""Default model: $OVVIS_MODEL, else the best installed one."""

import os
from typing import Final

from ovvis_cli.errors import ModelError

MODEL_VARIABLE: Final = "OVVIS_MODEL"


def default_model() -> str:
    """Return the model named by OVVIS_MODEL, else the name of the best installed one.

    Models trained on web data come before models of the diorama; among them the published accuracy decides.
    Models with a closed set of classes are never the default, because they know no other names.

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
        raise ModelError(
            "no installed model has weights", hint="install ovvis again, or name a file with --model"
        )
    return max(installed, key=lambda spec: (spec.text_domain == "web", spec.proposal_ap or 0.0)).name
