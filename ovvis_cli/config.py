"""What holds where nothing was said: the model of choice among those that are installed."""

from ovvis_cli.errors import ModelError


def default_model() -> str:
    """The name of the best model whose weights are installed: one that knows the web before the diorama's.

    Raises:
        ModelError: none has weights.
    """
    from ovvis_models.catalog import CATALOG, ZOO

    installed = [
        spec
        for spec in CATALOG.values()
        if spec.weights is not None and (ZOO / spec.weights.file_name).is_file()
    ]
    if not installed:
        raise ModelError("no model has weights here", hint="install ovvis again, or name a file with --model")
    return min(installed, key=lambda spec: spec.text_domain != "web").name
