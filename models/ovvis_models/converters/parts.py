"""Published files by the part of a model that they hold; each is recognised by its tensors.

    proposals: Mask2Former as detectron2 wrote it, or as the transformers library names it
               (MinVIS is the same network)
    rf-detr:   RF-DETR-Seg as the transformers library writes it
    clip:      CLIP as open_clip or OpenAI wrote it
    clip-vis:  a whole CLIP-VIS as detectron2 wrote it
    ov2seg, ovformer: as detectron2 wrote them; their CLIP is a file of its own
    genvis:    as detectron2 wrote it

No checkpoint is ever executed: everything but plain tensors is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from torch import Tensor

from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.converters.clip import is_clip
from ovvis_models.converters.clip_vis import is_clip_vis
from ovvis_models.converters.genvis import is_genvis
from ovvis_models.converters.mask2former import is_mask2former
from ovvis_models.converters.ov2seg import is_ov2seg, is_ovformer
from ovvis_models.converters.rf_detr import is_rf_detr
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError
from ovvis_models.sources import Part

PublishedFile = tuple[Path, Mapping[str, Tensor]]
PublishedFiles = Mapping[Part, PublishedFile]
"""Published files by the part they hold, with their tensors."""

Converter = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], dict[str, Tensor]]
"""(published tensors, expected tensors) -> published numbers under our names."""

_PART_WORDS: Final[Mapping[Part, str]] = {
    "proposals": "a Mask2Former checkpoint",
    "clip": "a CLIP checkpoint",
    "clip-vis": "a CLIP-VIS checkpoint",
    "ov2seg": "an OV2Seg checkpoint",
    "ovformer": "an OVFormer checkpoint",
    "genvis": "a GenVIS checkpoint",
    "rf-detr": "an RF-DETR checkpoint",
}


def read_parts(files: Sequence[Path]) -> PublishedFiles:
    """Read files in any order, at most one per part.

    Raises:
        MissingWeightsError: there is no such file.
        CorruptWeightsError: a file cannot be read, or wants to run code.
        MismatchedWeightsError: a file holds none of the parts, or two hold the same one.
    """
    found: dict[Part, PublishedFile] = {}
    for path in files:
        tensors = read_checkpoint(path)
        part = _part_of(path, tensors)
        if part in found:
            raise MismatchedWeightsError(
                f"{found[part][0]} and {path} are both {_PART_WORDS[part]}", hint="name one of each kind"
            )
        found[part] = (path, tensors)
    return found


def require_parts(files: PublishedFiles, *parts: Part, model: str) -> tuple[PublishedFile, ...]:
    """Return the files of these parts, in order.

    Raises:
        MissingWeightsError: some are missing.
    """
    missing = [_PART_WORDS[part] for part in parts if part not in files]
    if missing:
        raise MissingWeightsError(
            f"{model} {'also ' if files else ''}needs {' and '.join(missing)}",
            hint="name all files in one command",
        )
    return tuple(files[part] for part in parts)


def convert_part(
    file: PublishedFile, convert: Converter, expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Convert the tensors of a file to our names.

    Raises:
        MismatchedWeightsError: they do not fit; the message names the file.
    """
    path, tensors = file
    try:
        return convert(tensors, expected)
    except MismatchedWeightsError as error:
        raise MismatchedWeightsError(f"{path}: {error.message}", hint=error.hint) from error


def _part_of(path: Path, tensors: Mapping[str, Tensor]) -> Part:
    if is_clip(tensors):
        return "clip"
    if is_clip_vis(tensors):
        return "clip-vis"
    if is_ovformer(tensors):
        return "ovformer"
    if is_ov2seg(tensors):
        return "ov2seg"
    if is_genvis(tensors):
        return "genvis"
    if is_mask2former(tensors):
        return "proposals"
    if is_rf_detr(tensors):
        return "rf-detr"
    shown = ", ".join(sorted(tensors)[:3])
    raise MismatchedWeightsError(
        f"{path} is neither {' nor '.join(_PART_WORDS.values())}: its tensors are {shown}, ..."
    )
