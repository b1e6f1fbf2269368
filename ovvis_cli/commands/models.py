"""`ovvis models`: what the catalog holds, and which of it is installed."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import ModelError
from ovvis_cli.options import JsonOption

if TYPE_CHECKING:
    from ovvis_models.catalog import ModelSpec

_TEXT_DOMAINS = {
    "web": "photographs and captions of the web",
    "diorama": "drawings of the procedural diorama world only",
}

models = typer.Typer(help="List the models, or tell about one.", no_args_is_help=True)


@models.command("list")
def list_models(*, json: JsonOption = False) -> None:
    """List all models, and whether their weights are installed."""
    from ovvis_models.catalog import CATALOG

    console = Console(json=json)
    rows = [
        (spec.name, _weights_state(spec), spec.licence or "-", spec.description) for spec in CATALOG.values()
    ]
    console.table(("model", "weights", "licence of weights", "description"), rows)
    console.emit({"models": [_as_json(spec) for spec in CATALOG.values()]})


@models.command("info")
def info(
    name: Annotated[str, typer.Argument(help="A name of `ovvis models list`.", show_default=False)],
    *,
    json: JsonOption = False,
) -> None:
    """Tell everything about one model: parts, sizes, weights, licence."""
    from ovvis_models.catalog import CATALOG

    if name not in CATALOG:
        near = get_close_matches(name, CATALOG, n=1)
        hint = f"did you mean {near[0]}?" if near else f"models: {', '.join(CATALOG)}"
        raise ModelError(f"no model '{name}'", hint=hint)
    spec = CATALOG[name]
    console = Console(json=json)
    value = _as_json(spec)
    console.table(("", name), [(key.replace("_", " "), _shown(entry)) for key, entry in value.items()])
    console.emit(value)


def weights_file(spec: "ModelSpec") -> Path | None:
    """The installed weights file of a model, None where there is none."""
    from ovvis_models.catalog import ZOO

    if spec.weights is None or not (ZOO / spec.weights.file_name).is_file():
        return None
    return ZOO / spec.weights.file_name


def _as_json(spec: "ModelSpec") -> dict[str, JsonValue]:
    file = weights_file(spec)
    return {
        "name": spec.name,
        "description": spec.description,
        "installed": file is not None,
        "weights_file": None if file is None else str(file),
        "weights_bytes": None if file is None else file.stat().st_size,
        "weights_sha256": None if spec.weights is None else spec.weights.sha256,
        "licence": spec.licence or None,
        "knows": _TEXT_DOMAINS[spec.text_domain],
        "backbone": spec.proposals.backbone.name,
        "proposals_a_frame": spec.proposals.num_queries,
        "decoder_layers": spec.proposals.decoder_layers,
        "width": spec.proposals.width,
        "clip_embedding": spec.clip.embed_dim,
        "short_side_px": spec.proposal_input.short_side,
        "max_side_px": spec.proposal_input.max_side,
    }


def _weights_state(spec: "ModelSpec") -> str:
    file = weights_file(spec)
    return "not installed" if file is None else f"installed, {file.stat().st_size / 1e6:.1f} MB"


def _shown(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
