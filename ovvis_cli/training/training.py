"""Training of a model by its recipe: its stages, how to train them and how to pack the weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
        word_recipe = word_clipvis.at_scale(recipe, scale)
        return Training(
            stages=word_clipvis.STAGES,
            train=lambda run, stages: word_clipvis.train_stages(word_recipe, run, data=data, stages=stages),
            pack=lambda run, path: word_clipvis.pack(word_recipe, run, path),
        )
    if isinstance(recipe, ClipVisRecipe):
        clipvis_recipe = clipvis.at_scale(recipe, scale)
        return Training(
            stages=clipvis.STAGES,
            train=lambda run, stages: clipvis.train_stages(clipvis_recipe, run, stages=stages),
            pack=lambda run, path: clipvis.pack(clipvis_recipe, run, path),
        )
    if isinstance(recipe, OVFormerRecipe):
        ovformer_recipe = ovformer.at_scale(recipe, scale)
        return Training(
            stages=ovformer.STAGES,
            train=lambda run, stages: ovformer.train_stages(ovformer_recipe, run, stages=stages),
            pack=lambda run, path: ovformer.pack(ovformer_recipe, run, path),
        )
    if isinstance(recipe, GenVISRecipe):
        genvis_recipe = genvis.at_scale(recipe, scale)
        return Training(
            stages=genvis.STAGES,
            train=lambda run, stages: genvis.train_stages(genvis_recipe, run, stages=stages),
            pack=lambda run, path: genvis.pack(genvis_recipe, run, path),
        )
    instformer_recipe = instformer.at_scale(recipe, scale)
    return Training(
        stages=instformer.STAGES,
        train=lambda run, stages: instformer.train_stages(instformer_recipe, run, stages=stages),
        pack=lambda run, path: instformer.pack(instformer_recipe, run, path),
    )
