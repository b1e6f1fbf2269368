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
class PhotographFolder:
    """A folder of photographs with masks, below the data folder."""

    name: str
    complete: bool  # everything that counts as an object is labelled
    hold_out: bool  # every tenth photograph is kept for validation
    share: float  # of the frames, relative to the other folders
    cutout_share: float  # of the objects that are pasted into others


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographStage:
    """Proposals from photographs, on the maps of a frozen network."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    final_frame_hw: tuple[int, int]  # in the last `final_share` of the steps
    final_share: float
    upright_share: float  # of the batches, whose frames have both sides exchanged
    object_weight: float
    mask_weight: float
    dice_weight: float
    heatmap_weight: float
    quality_weight: float
    num_points: int
    crowd_exponent: float  # see `GuidedCriterion`


@dataclass(frozen=True, slots=True, kw_only=True)
class NameStage:
    """Rows of the word table: what objects look like to the frozen network."""

    schedule: Schedule
    num_frames: int  # that tokens are collected from
    row_penalty: float  # on the square of the new rows
    class_penalty: float  # on the square of the change of the classifier's rows


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WordClipVisRecipe:
    """The whole training of a CLIP-VIS on a classification network."""

    model: str
    decoders_from: str  # model whose trained decoders the first stage starts from
    weights_package: str  # Python package that holds the weights of the classification network
    folders: tuple[PhotographFolder, ...]
    photographs: PhotographStage
    names: NameStage


AnyRecipe = Recipe | ClipVisRecipe | WordClipVisRecipe


def load_recipe(name: str) -> AnyRecipe:
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


def parse_recipe(text: str, *, where: str) -> AnyRecipe:
    """Builds a recipe from TOML `text`; `where` names the file in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: {error}") from error
    if "photographs" in table:
        entries = _take(table, "folder", list, where)
        return WordClipVisRecipe(
            model=_take(table, "model", str, where),
            decoders_from=_take(table, "decoders_from", str, where),
            weights_package=_take(table, "weights_package", str, where),
            folders=tuple(_part(PhotographFolder, {"folder": entry}, "folder", where) for entry in entries),
            photographs=_part(PhotographStage, table, "photographs", where),
            names=_part(NameStage, table, "names", where),
        )
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
