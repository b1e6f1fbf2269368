"""From published checkpoints to one network: each file is recognised by its tensors, converted, put in place.

    proposals: Mask2Former as detectron2 wrote it, or as the transformers library names it
               (MinVIS is the same network)
    clip:      CLIP as open_clip or OpenAI wrote it
    clip-vis:  a whole CLIP-VIS as detectron2 wrote it

No checkpoint is ever executed: what is no plain tensor is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from torch import Tensor

from ovvis_models.catalog import Network, clip_spec, compose, compose_clip_vis, compose_minvis
from ovvis_models.converters.checkpoint_files import read_checkpoint
from ovvis_models.converters.clip import from_open_clip, is_clip
from ovvis_models.converters.clip_vis import decoder_state, has_text, is_clip_vis, split, with_counters
from ovvis_models.converters.mask2former import from_published, is_mask2former
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.clip_vis import ClipVis
from ovvis_models.networks.mask2former import build_mask2former
from ovvis_models.sources import Part
from ovvis_models.specs import ModelSpec

Converter = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], dict[str, Tensor]]

_PART_WORDS: Final[Mapping[Part, str]] = {
    "proposals": "a Mask2Former checkpoint",
    "clip": "a CLIP checkpoint",
    "clip-vis": "a CLIP-VIS checkpoint",
}


def assemble(spec: ModelSpec, files: Sequence[Path]) -> Network:
    """The network of `spec` with the weights of published files, one for each part, in any order.

    A CLIP-VIS comes in one file, or in two where the first lacks CLIP's text tower.

    Raises:
        MissingWeightsError: there is no such file, or a part has none.
        CorruptWeightsError: a file cannot be read, or wants to run code.
        MismatchedWeightsError: a file belongs to another network, or to none of the parts.
    """
    found = _sorted(files)
    if spec.clip is not None and spec.instclip is None:
        return _assemble_clip_vis(spec, found)
    parts: tuple[Part, ...] = ("proposals",) if spec.clip is None else ("proposals", "clip")
    missing = [_PART_WORDS[part] for part in parts if part not in found]
    if missing:
        raise MissingWeightsError(
            f"{spec.name} {'also ' if found else ''}needs {' and '.join(missing)}",
            hint="name all files in one command",
        )
    proposals = build_mask2former(spec.proposals)
    path, tensors = found["proposals"]
    proposals.load_state_dict(_converted(path, from_published, tensors, proposals.state_dict()))
    if spec.clip is None:
        return compose_minvis(spec, proposals=proposals)
    clip = build_clip(spec.clip)
    path, tensors = found["clip"]
    clip.load_state_dict(_converted(path, from_open_clip, tensors, clip.state_dict()))
    return compose(spec, proposals=proposals, clip=clip)


def _assemble_clip_vis(spec: ModelSpec, found: Mapping[Part, tuple[Path, dict[str, Tensor]]]) -> ClipVis:
    if "clip-vis" not in found:
        raise MissingWeightsError(f"{spec.name} needs {_PART_WORDS['clip-vis']}")
    path, tensors = found["clip-vis"]
    parts = split(tensors)
    clip = build_clip(clip_spec(spec))
    if has_text(tensors):
        clip_path, clip_tensors = path, parts.clip
    elif "clip" in found:
        clip_path, clip_tensors = found["clip"]
    else:
        raise MissingWeightsError(
            f"{path} lacks CLIP's text tower: {spec.name} also needs {_PART_WORDS['clip']}",
            hint="name both files in one command",
        )
    clip.load_state_dict(_converted(clip_path, with_counters, clip_tensors, clip.state_dict()))
    network = compose_clip_vis(spec, clip=clip)
    state = decoder_state(network)
    network.proposals.load_state_dict(_converted(path, from_published, parts.decoders, state), strict=False)
    return network


def _sorted(files: Sequence[Path]) -> dict[Part, tuple[Path, dict[str, Tensor]]]:
    found: dict[Part, tuple[Path, dict[str, Tensor]]] = {}
    for path in files:
        tensors = read_checkpoint(path)
        part = _part_of(path, tensors)
        if part in found:
            raise MismatchedWeightsError(
                f"{found[part][0]} and {path} are both {_PART_WORDS[part]}", hint="name one of each kind"
            )
        found[part] = (path, tensors)
    return found


def _part_of(path: Path, tensors: Mapping[str, Tensor]) -> Part:
    if is_clip(tensors):
        return "clip"
    if is_clip_vis(tensors):
        return "clip-vis"
    if is_mask2former(tensors):
        return "proposals"
    shown = ", ".join(sorted(tensors)[:3])
    raise MismatchedWeightsError(
        f"{path} is neither {' nor '.join(_PART_WORDS.values())}: its tensors are {shown}, ..."
    )


def _converted(
    path: Path, convert: Converter, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    try:
        return convert(tensors, expected)
    except MismatchedWeightsError as error:
        raise MismatchedWeightsError(f"{path}: {error.message}", hint=error.hint) from error
