"""Training recipes: flat TOML files, read strictly into these dataclasses."""

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TypeVar

from ovvis_cli.errors import RecipeError
from ovvis_cli.training.loop import Schedule

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStage:
    """Stage 0: the small CLIP, contrastive on single objects of all kinds with captions."""

    schedule: Schedule
    image_px: int
    plain_share: float  # of the pictures, the first ones: objects on one colour
    window_probability: float  # share of steps in which positions come from a random part of their grid
    name_weight: float  # of the loss over bare names, beside the loss over captions
    anchor_weight: float  # of the loss against the kinds' anchors


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalStage:
    """Stage 1a: class-agnostic proposals on base kinds and nameless shapes."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    final_frame_hw: tuple[int, int]  # in the last `final_share` of the steps
    final_share: float
    nameless_share: float  # of the kinds drawn from
    object_weight: float
    mask_weight: float
    dice_weight: float
    heatmap_weight: float
    margin_weight: float
    num_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstClipStage:
    """Stage 1b: LoRA and instance tokens on base kinds."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    frames_per_scene: int  # drawing another moment of a scene costs much less than another scene
    clip_short_side: int
    mask_noise: float  # standard deviation of the noise on mask logits
    distillation_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStage:
    """Stage 2: the rollout tracker on tokens of base kinds, everything else frozen."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    num_clips: int
    clip_frames: int
    temperature: float
    drop_probability: float  # of a track in a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The whole training of one model."""

    model: str
    clip: ClipStage
    proposals: ProposalStage
    instclip: InstClipStage
    rollout: RolloutStage


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipVisRecipe:
    """The whole training of a CLIP-VIS."""

    model: str
    decoders_from: str  # model whose trained decoders the second stage starts from
    clip: ClipStage
    clipvis: ProposalStage  # on the maps of the frozen CLIP


def load_recipe(name: str) -> Recipe | ClipVisRecipe:
    """Reads the packaged recipe of a model.

    Raises:
        RecipeError: no such recipe, or a key is unknown, missing or of the wrong type.
    """
    path = resources.files("ovvis_cli.recipes") / f"{name.replace('-', '_')}.toml"
    if not path.is_file():
        known = sorted(
            entry.name.removesuffix(".toml").replace("_", "-")
            for entry in resources.files("ovvis_cli.recipes").iterdir()
            if entry.name.endswith(".toml")
        )
        raise RecipeError(f"there is no recipe for '{name}'", hint=f"recipes: {', '.join(known)}")
    return parse_recipe(path.read_text(encoding="utf-8"), where=path.name)


def parse_recipe(text: str, *, where: str) -> Recipe | ClipVisRecipe:
    """Builds a recipe from TOML `text`; `where` names the file in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: {error}") from error
    if "clipvis" in table:
        return ClipVisRecipe(
            model=_take(table, "model", str, where),
            decoders_from=_take(table, "decoders_from", str, where),
            clip=_part(ClipStage, table, "clip", where),
            clipvis=_part(ProposalStage, table, "clipvis", where),
        )
    return Recipe(
        model=_take(table, "model", str, where),
        clip=_part(ClipStage, table, "clip", where),
        proposals=_part(ProposalStage, table, "proposals", where),
        instclip=_part(InstClipStage, table, "instclip", where),
        rollout=_part(RolloutStage, table, "rollout", where),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How a run differs from its recipe."""

    budget: float = 1.0  # times as many samples
    batch: int = 1  # times as large batches, in as many fewer steps; the learning rate grows with its root
    workers: int | None = None  # processes that draw samples; None: as many as the recipe says

    def __call__(self, schedule: Schedule) -> Schedule:
        """The schedule of the run."""
        return dataclasses.replace(
            schedule,
            steps=max(2, round(schedule.steps * self.budget / self.batch)),
            batch_size=schedule.batch_size * self.batch,
            learning_rate=schedule.learning_rate * math.sqrt(self.batch),
            workers=schedule.workers if self.workers is None else self.workers,
        )


def _part(part: type[Part], table: dict[str, object], key: str, where: str) -> Part:
    values = dict(_take(table, key, dict, where))
    fields = {field.name: field.type for field in dataclasses.fields(part)}  # type: ignore[arg-type]
    if "schedule" in fields:
        values["schedule"] = _part(Schedule, values, "schedule", f"{where}: [{key}]")
    for name in values.keys() - fields.keys():
        raise RecipeError(f"{where}: unknown key '{name}' in [{key}]")
    for name in fields.keys() - values.keys():
        raise RecipeError(f"{where}: [{key}] lacks '{name}'")
    for name, value in values.items():
        values[name] = _converted(value, fields[name], f"{where}: [{key}] {name}")
    return part(**values)


def _converted(value: object, kind: object, where: str) -> object:
    if kind is float and isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return tuple(value)
    if isinstance(kind, type) and not isinstance(value, kind):
        raise RecipeError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


Value = TypeVar("Value")


def _take(table: dict[str, object], key: str, kind: type[Value], where: str) -> Value:
    value = table.get(key)
    if not isinstance(value, kind):
        raise RecipeError(f"{where}: '{key}' is missing or not a {kind.__name__}")
    return value
