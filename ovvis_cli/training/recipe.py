"""Training recipes: flat TOML files, strictly parsed into dataclasses."""

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
    """Stage 0: contrastive training of the small CLIP on single objects of all kinds with captions."""

    schedule: Schedule
    image_px: int
    plain_share: float  # fraction of images, the first ones, with a plain background
    window_probability: float  # fraction of steps with position embeddings from a window of their grid
    name_weight: float  # weight of the loss over names, relative to the loss over captions
    anchor_weight: float  # weight of the loss against the anchors of the kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalStage:
    """Stage 1a: class-agnostic proposals on base kinds and nameless shapes."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    final_frame_hw: tuple[int, int]  # in the last `final_share` of the steps
    final_share: float
    nameless_share: float  # fraction of samples that are nameless shapes
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
    frames_per_scene: int  # another frame of a scene is much cheaper to render than another scene
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
    drop_probability: float  # probability that a track is dropped in a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographFolder:
    """A folder of photographs with masks, below the data folder."""

    name: str
    complete: bool  # whether all objects are labelled
    hold_out: bool  # keep every tenth photograph for validation
    share: float  # relative share of the frames
    cutout_share: float  # relative share of the pasted objects


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographStage:
    """Proposals from photographs, on the feature maps of a frozen network."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    final_frame_hw: tuple[int, int]  # in the last `final_share` of the steps
    final_share: float
    drawn_share: float  # fraction of frames that are drawings of the diorama
    upright_share: float  # fraction of batches with portrait frames (height and width exchanged)
    object_weight: float
    mask_weight: float
    dice_weight: float
    heatmap_weight: float
    quality_weight: float
    num_points: int
    crowd_exponent: float  # see `GuidedCriterion`


@dataclass(frozen=True, slots=True, kw_only=True)
class NameStage:
    """Rows of the word table, fitted to the tokens of labelled objects."""

    schedule: Schedule
    num_frames: int  # frames from which tokens are collected
    row_penalty: float  # L2 penalty on the new rows
    keep_weight: float  # of the divergence from the classifier's own probabilities
    class_penalty: float  # L2 penalty on the change of the classifier's rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentStage:
    """Query decoder and embedding alignment of an OVFormer, on windows of base kinds and nameless shapes."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    num_objects: tuple[int, int]  # fewest and most per window
    nameless_share: float  # fraction of objects that are nameless shapes
    window_lengths: tuple[int, ...]  # frames per window, of one batch after the other in turn
    batches_per_round: int  # different batches that are drawn in turn
    readings: int  # times that each is drawn
    num_classes: int  # of the federated class loss
    object_weight: float
    mask_weight: float
    dice_weight: float
    class_weight: float
    num_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStage:
    """The networks over windows of a GenVIS, on stored queries of a frozen proposal network."""

    schedule: Schedule
    frame_hw: tuple[int, int]
    num_videos: int
    video_frames: int
    stride: int  # twelfths of a second between two frames of a video
    pseudo_share: float  # fraction of the videos that are one moving image
    nameless_share: float  # fraction of objects that are nameless shapes
    windows: int  # per training sample
    num_places: int  # per window, at which masks are compared
    unified_assignment: bool  # UVLA; false: every window is assigned by itself
    class_weight: float
    mask_weight: float
    dice_weight: float
    similarity_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Training of an InstFormer."""

    model: str
    clip: ClipStage
    proposals: ProposalStage
    instclip: InstClipStage
    rollout: RolloutStage


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipVisRecipe:
    """Training of a CLIP-VIS."""

    model: str
    decoders_from: str  # model whose trained decoders the second stage starts from
    clip: ClipStage
    clipvis: ProposalStage  # on the feature maps of the frozen CLIP


@dataclass(frozen=True, slots=True, kw_only=True)
class WordClipVisRecipe:
    """Training of a CLIP-VIS on a frozen classification network."""

    model: str
    decoders_from: str  # model whose trained decoders the first stage starts from
    weights_package: str  # Python package that holds the weights of the classification network
    folders: tuple[PhotographFolder, ...]
    photographs: PhotographStage
    names: NameStage


@dataclass(frozen=True, slots=True, kw_only=True)
class OVFormerRecipe:
    """Training of an OVFormer in windows."""

    model: str
    start_from: str  # CLIP-VIS whose CLIP and decoders it starts from
    alignment: AlignmentStage


@dataclass(frozen=True, slots=True, kw_only=True)
class GenVISRecipe:
    """Training of a GenVIS on the proposal network and the CLIP of another model."""

    model: str
    parts_from: str  # model whose proposal network and InstCLIP are used, frozen
    windows: WindowStage


AnyRecipe = Recipe | ClipVisRecipe | WordClipVisRecipe | OVFormerRecipe | GenVISRecipe


def load_recipe(name: str) -> AnyRecipe:
    """Read the packaged recipe of a model.

    Raises:
        RecipeError: there is no such recipe, or a key is unknown, missing or has the wrong type.
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
    """Parse a recipe from TOML `text`; `where` is the file name for error messages."""
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
    if "alignment" in table:
        return OVFormerRecipe(
            model=_take(table, "model", str, where),
            start_from=_take(table, "start_from", str, where),
            alignment=_part(AlignmentStage, table, "alignment", where),
        )
    if "windows" in table:
        return GenVISRecipe(
            model=_take(table, "model", str, where),
            parts_from=_take(table, "parts_from", str, where),
            windows=_part(WindowStage, table, "windows", where),
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
    """Scaling of a recipe for one run."""

    budget: float = 1.0  # factor of the number of samples
    batch: int = 1  # factor of the batch size; steps are divided by it, the learning rate grows with its root
    workers: int | None = None  # processes that generate samples; None: from the recipe

    def __call__(self, schedule: Schedule) -> Schedule:
        """Return the scaled schedule."""
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
