"""`ovvis models`: list, install and remove the models of the catalog.

Only `pull` uses the network.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovvis_cli.commands.options import (
    ClassesFileOption,
    ClassesOption,
    JsonOption,
    QuietOption,
    VocabularyOption,
)
from ovvis_cli.console import Console, JsonValue
from ovvis_cli.errors import ModelError, UsageError, WeightsError
from ovvis_cli.model_store.installed import hold_install_lock, installed_path, weights_file

if TYPE_CHECKING:
    from ovvis_cli.model_store.download import OnBytes
    from ovvis_models.sources import WeightsSource
    from ovvis_models.systems.spec import ModelSpec
    from ovvis_models.text.class_embeddings import ClassEmbeddings

_TEXT_DOMAINS = {
    "web": "photographs and captions of the web",
    "photographs": "labelled photographs: the words of a list",
    "diorama": "drawings of the procedural diorama world only",
}
_MB = 1_000_000

NameArgument = Annotated[str, typer.Argument(help="A name of `ovvis models list`.", show_default=False)]

models = typer.Typer(help="List, install and remove models.", no_args_is_help=True)


@models.command("list")
def list_models(*, json: JsonOption = False) -> None:
    """List all models, and whether they are installed."""
    from ovvis_models.catalog import CATALOG

    console = Console(json=json)
    rows = [(spec.name, _state(spec), spec.licence or "-", spec.description) for spec in CATALOG.values()]
    columns = ("model", "weights", "licence of weights", "description")
    console.table(columns, rows, unwrapped=columns[:2])
    console.emit({"models": [_as_json(spec) for spec in CATALOG.values()]})


@models.command("info")
def info(name: NameArgument, *, json: JsonOption = False) -> None:
    """Show one model: parts, sizes, weights, licence, and where its weights are published."""
    spec = _spec(name)
    console = Console(json=json)
    value = _as_json(spec)
    rows = [(key.replace("_", " "), _shown(entry)) for key, entry in value.items() if key != "sources"]
    console.table(("", name), rows)
    _show_sources(spec, console=console)
    console.emit(value)


@models.command("pull")
def pull(
    name: NameArgument,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Install it again, even if it is installed.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the downloaded files, for models that share them.")
    ] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Download and install a model; the only command that uses the network."""
    spec = _spec(name)
    console = Console(quiet=quiet, json=json)
    if spec.weights is None and not spec.sources:
        raise ModelError(
            f"{name} cannot be pulled: {_elsewhere(spec)}",
            hint=f"download it by hand, then run {_import(spec)}",
        )
    if not spec.sources:
        console.note(f"{name} comes with ovvis, there is nothing to pull")
    elif not again and weights_file(spec) is not None:
        console.note(f"{name} is already installed; --again installs it again")
    else:
        spec.proposals.require_packages()
        _show_sources(spec, console=console)
        with hold_install_lock():
            _pull(spec, keep=keep, console=console)
    _show_installed(spec, console=console)


@models.command("import")
def import_model(
    name: NameArgument,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="The published files of the model in any order, or an installed .safetensors file of it.",
            show_default=False,
        ),
    ],
    *,
    text_embeddings: Annotated[
        Path | None,
        typer.Option(
            "--text-embeddings",
            metavar="FILE",
            help="A .npy file with one row per class name, stored with the weights and used for these names.",
        ),
    ] = None,
    classes: ClassesOption = None,
    classes_file: ClassesFileOption = None,
    vocabulary: VocabularyOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Install a model from local files, without the network."""
    from ovvis_cli.model_store.published import source_of

    spec = _spec(name)
    console = Console(quiet=quiet, json=json)
    if spec.weights is not None:
        raise ModelError(f"{name} comes with ovvis", hint="use other weights with --model FILE")
    spec.proposals.require_packages()
    for file in files:
        if not file.is_file():
            raise WeightsError(f"{file} does not exist", hint="check the path")
        if len(files) > 1 and source_of(file, spec) is None:
            console.warning(f"{file} is not a published file of the catalog; it is used as it is")
    class_embeddings = _class_embeddings(
        spec, text_embeddings, classes=classes, classes_file=classes_file, vocabulary=vocabulary
    )
    with hold_install_lock():
        _install(spec, files, class_embeddings=class_embeddings, console=console)
    _show_installed(spec, console=console)


@models.command("remove")
def remove(name: NameArgument, *, quiet: QuietOption = False, json: JsonOption = False) -> None:
    """Delete an installed model and its downloaded files."""
    from ovvis_cli.model_store.published import forget

    spec = _spec(name)
    console = Console(quiet=quiet, json=json)
    if spec.weights is not None:
        raise ModelError(
            f"{name} is part of ovvis and cannot be removed", hint="uninstall ovvis to remove it"
        )
    path = weights_file(spec)
    if path is None:
        raise ModelError(f"{name} is not installed", hint="`ovvis models list` shows what is installed")
    freed = path.stat().st_size
    with hold_install_lock():
        path.unlink()
        forget(spec)
    console.note(f"removed {path}, {freed / _MB:.0f} MB")
    console.emit({"name": name, "removed": str(path), "bytes": freed})


def _pull(spec: "ModelSpec", *, keep: bool, console: Console) -> None:
    from ovvis_cli.model_store.published import fetch, forget

    @contextmanager
    def show(source: "WeightsSource") -> Iterator["OnBytes"]:
        total = (source.size_bytes or source.approximate_bytes) // _MB
        with console.progress(source.file_name, total=total, unit="MB") as progress:
            is_first = True

            def on_bytes(done: int, whole: int | None) -> None:
                nonlocal is_first
                if is_first:  # bytes from an earlier run do not count in the rate
                    progress.resume_at(done // _MB)
                    is_first = False
                progress.update(done // _MB, total=None if whole is None else whole // _MB)

            yield on_bytes

    files = fetch(spec, show=show)
    _install(spec, files, class_embeddings=None, console=console)
    if not keep:
        forget(spec)


def _install(
    spec: "ModelSpec", files: list[Path], *, class_embeddings: "ClassEmbeddings | None", console: Console
) -> None:
    from ovvis_cli.model_store.installation import install

    console.note(f"converting {', '.join(file.name for file in files)}")
    install(spec, files, class_embeddings=class_embeddings)


def _class_embeddings(
    spec: "ModelSpec",
    text_embeddings: Path | None,
    *,
    classes: str | None,
    classes_file: Path | None,
    vocabulary: str | None,
) -> "ClassEmbeddings | None":
    """Return the embeddings to store with the weights, with the name of each row.

    Raises:
        UsageError: embeddings are given without names, or names without embeddings.
        VocabularyError: they do not fit each other or the model.
    """
    from ovvis_cli.labelling.class_rows import class_embeddings_of, read_text_embeddings
    from ovvis_cli.vocabulary.names import resolve_vocabulary

    if text_embeddings is None:
        if any(option is not None for option in (classes, classes_file, vocabulary)):
            raise UsageError(
                "class names without embeddings", hint="add --text-embeddings FILE.npy, with a row per name"
            )
        return None
    names = resolve_vocabulary(classes=classes, classes_file=classes_file, table=vocabulary)
    return class_embeddings_of(read_text_embeddings(text_embeddings), names, spec=spec)


def _show_installed(spec: "ModelSpec", *, console: Console) -> None:
    path = weights_file(spec)
    if path is None:
        raise WeightsError(f"{spec.name} has no weights in {installed_path(spec.name).parent}")
    console.write(str(path))
    console.note(f"licence of its weights: {spec.licence}")
    console.emit(_as_json(spec))


def _show_sources(spec: "ModelSpec", *, console: Console) -> None:
    from ovvis_cli.model_store.published import address

    for source in spec.sources:
        console.write(f"{source.file_name}: {_size(source)}, checked by {_check(source)}")
        console.write(f"    from {address(source)}{'' if _is_pinned(source) else ' (the newest version)'}")
        console.write(f"    licence {source.licence}; trained on {source.trained_on}")


def _size(source: "WeightsSource") -> str:
    if source.size_bytes is None:
        return f"about {source.approximate_bytes / _MB:.0f} MB"
    return f"{source.size_bytes / _MB:.0f} MB"


def _check(source: "WeightsSource") -> str:
    if source.sha256 is not None:
        return f"SHA-256 {source.sha256[:12]}..."
    if source.md5_start is not None:
        return f"MD5 {source.md5_start}... (SHA-256 not published)"
    return "nothing: no checksum is published"


def _is_pinned(source: "WeightsSource") -> bool:
    from ovvis_models.sources import WebFile

    return isinstance(source.location, WebFile) or source.location.revision is not None


def _spec(name: str) -> "ModelSpec":
    from ovvis_models.catalog import CATALOG

    if name not in CATALOG:
        near = get_close_matches(name, CATALOG, n=1)
        hint = f"did you mean {near[0]}?" if near else f"models: {', '.join(CATALOG)}"
        raise ModelError(f"unknown model '{name}'", hint=hint)
    return CATALOG[name]


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
        "backbone": spec.proposals.backbone_name,
        "proposals_a_frame": spec.proposals.num_queries,
        "decoder_layers": spec.proposals.decoder_layers,
        "width": spec.proposals.width,
        "clip_embedding": spec.token_dim if spec.reads_words else None,
        "stored_class_embeddings": None if file is None else _num_stored(file),
        "short_side_px": spec.proposal_input.short_side,
        "max_side_px": spec.proposal_input.max_side,
        "tracker": spec.default_tracker(),
        "proposal_ap_on_coco": spec.proposal_ap,
        "published_at": spec.page,
        "sources": [_source_as_json(source) for source in spec.sources],
    }


def _num_stored(file: Path) -> int | None:
    """Return for how many class names an installed file holds embeddings, None for no such names."""
    from ovvis_models.text.class_embeddings import stored_names
    from ovvis_models.weights import read_metadata

    return len(stored_names(read_metadata(file))) or None


def _source_as_json(source: "WeightsSource") -> dict[str, JsonValue]:
    from ovvis_cli.model_store.published import address

    return {
        "part": source.part,
        "file_name": source.file_name,
        "url": address(source),
        "bytes": source.size_bytes,
        "sha256": source.sha256,
        "md5_start": source.md5_start,
        "licence": source.licence,
        "trained_on": source.trained_on,
    }


def _state(spec: "ModelSpec") -> str:
    file = weights_file(spec)
    if file is not None:
        return f"installed, {file.stat().st_size / _MB:.1f} MB"
    if spec.sources:
        return f"ovvis models pull {spec.name}"
    return f"ovvis train {spec.name}" if spec.page is None else _import(spec)


def _import(spec: "ModelSpec") -> str:
    return f"ovvis models import {spec.name} FILE"


def _elsewhere(spec: "ModelSpec") -> str:
    """Return where to get weights that cannot be downloaded automatically."""
    if spec.page is None:
        return f"no weights are published; `ovvis train {spec.name}` trains them"
    return f"its authors publish it at {spec.page}"


def _shown(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
