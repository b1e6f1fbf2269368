"""State dicts of the official CLIP-VIS (detectron2 names): a whole CLIP, and the decoders on its maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor

from ovvis_models.converters.clip import from_open_clip
from ovvis_models.converters.mask2former import to_detectron2
from ovvis_models.networks.clip_vis import ClipVis

CLIP: Final = "backbone.clip_model."
_TEXT: Final = f"{CLIP}text_projection"
_BACKBONE: Final = "backbone."  # of our decoders: CLIP's tower, which is converted separately
_COUNTER: Final = ".num_batches_tracked"  # of batch norms; not needed since CLIP is frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipVisParts:
    """The two networks of a checkpoint, under the names of the file."""

    clip: dict[str, Tensor]  # names of open_clip
    decoders: dict[str, Tensor]  # names of detectron2's Mask2Former


def is_clip_vis(checkpoint: Mapping[str, Tensor]) -> bool:
    """Return whether the names are those of a CLIP-VIS."""
    return any(name.startswith(f"{CLIP}visual.") for name in checkpoint)


def has_text(checkpoint: Mapping[str, Tensor]) -> bool:
    """Return whether CLIP's text tower is in the checkpoint, as the official code saves it."""
    return _TEXT in checkpoint


def split(checkpoint: Mapping[str, Tensor]) -> ClipVisParts:
    """Split a checkpoint into its two networks."""
    return ClipVisParts(
        clip={name.removeprefix(CLIP): x for name, x in checkpoint.items() if name.startswith(CLIP)},
        decoders={name: x for name, x in checkpoint.items() if not name.startswith(CLIP)},
    )


def with_counters(clip: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the CLIP with the names of `expected`; counters of batch norms may be missing.

    Raises:
        MismatchedWeightsError: a tensor is missing, left over, or of another shape.
    """
    counters = {name: value for name, value in expected.items() if name.endswith(_COUNTER)}
    return from_open_clip({**counters, **clip}, expected)


def decoder_state(network: ClipVis) -> dict[str, Tensor]:
    """Return the state of `network.proposals` without its backbone, which converts as a Mask2Former."""
    state = network.proposals.state_dict()
    return {name: value for name, value in state.items() if not name.startswith(_BACKBONE)}


def to_official(network: ClipVis, clip: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network under the official names; `clip` is the state dict of its CLIP."""
    return {f"{CLIP}{name}": value for name, value in clip.items()} | to_detectron2(decoder_state(network))
