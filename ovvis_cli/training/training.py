"""Training of a model by its recipe: its stages, how to train them and how to pack the weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ovvis_cli.choices import StageName
from ovvis_cli.training import clipvis, genvis, instformer, ovformer, word_clipvis
from ovvis_cli.training.instformer import Run
from ovvis_cli.training.recipe import (
    ClipVisRecipe,
    GenVISRecipe,
    OVFormerRecipe,
    Scale,
    WordClipVisRecipe,
    load_recipe,
)

KindOfRecipe = TypeVar("KindOfRecipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The training of one model, ready to run."""

    stages: tuple[StageName, ...]  # in training order
    train: Callable[[Run, tuple[StageName, ...]], None]  # trains the given stages
    pack: Callable[[Run, Path], None]  # writes the finished stages into one weights file


def load_training(model: str, scale: Scale, *, data: Path | None = None) -> Training:
    """Return the training of a model from its packaged recipe, at `scale`.

    `data` is the folder of photographs for models that are trained on photographs.

    Raises:
        RecipeError: there is no such recipe, or it is invalid.
    """
    recipe = load_recipe(model)
    if isinstance(recipe, WordClipVisRecipe):
        train = partial(word_clipvis.train_stages, data=data)
        return _training(word_clipvis.at_scale(recipe, scale), word_clipvis.STAGES, train, word_clipvis.pack)
    if isinstance(recipe, ClipVisRecipe):
        return _training(clipvis.at_scale(recipe, scale), clipvis.STAGES, clipvis.train_stages, clipvis.pack)
    if isinstance(recipe, OVFormerRecipe):
        return _training(
            ovformer.at_scale(recipe, scale), ovformer.STAGES, ovformer.train_stages, ovformer.pack
        )
    if isinstance(recipe, GenVISRecipe):
        return _training(genvis.at_scale(recipe, scale), genvis.STAGES, genvis.train_stages, genvis.pack)
    return _training(
        instformer.at_scale(recipe, scale), instformer.STAGES, instformer.train_stages, instformer.pack
    )


def _training(
    recipe: KindOfRecipe,
    stages: tuple[StageName, ...],
    train_stages: Callable[..., None],
    pack: Callable[[KindOfRecipe, Run, Path], None],
) -> Training:
    """Return the training by functions that take the recipe first."""
    return Training(
        stages=stages,
        train=lambda run, chosen: train_stages(recipe, run, stages=chosen),
        pack=lambda run, path: pack(recipe, run, path),
    )
