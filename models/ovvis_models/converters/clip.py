"""CLIP checkpoints with the names of open_clip, which OpenAI's files use, too."""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from ovvis_models.converters.checkpoint_files import VISION
from ovvis_models.errors import MismatchedWeightsError
from ovvis_models.weights import mismatch

_VISION: Final = f"{VISION}."
_PATCHES: Final = f"{_VISION}conv1.weight"
_KNOWN: Final[Mapping[tuple[int, int], str]] = {
    (768, 32): "ViT-B/32",
    (768, 16): "ViT-B/16",
    (1024, 14): "ViT-L/14",
    (1280, 14): "ViT-H/14",
}


def is_clip(checkpoint: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of a CLIP model, or of its vision tower alone, whatever that is."""
    return any(name.startswith(_VISION) for name in checkpoint)


def has_text(checkpoint: Mapping[str, Tensor]) -> bool:
    """Whether the text tower of a CLIP is in the checkpoint too."""
    return "text_projection" in checkpoint


def vision_only(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the vision tower of a CLIP, under their full names."""
    return {name: value for name, value in state.items() if name.startswith(_VISION)}


def from_open_clip(checkpoint: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the checkpoint with the names and shapes of `expected`, the state dict of its open_clip model.

    Scalars that the model lacks are left out, such as `vocab_size` beside OpenAI's tensors.

    Raises:
        MismatchedWeightsError: a tensor is missing, left over, or of another shape.
    """
    tensors = {name: tensor for name, tensor in checkpoint.items() if tensor.ndim or name in expected}
    report = mismatch(expected, tensors)
    if report:
        raise MismatchedWeightsError(
            f"this looks like {describe(tensors)}, but the model needs {describe(expected)}: {report}"
        )
    return tensors


def describe(checkpoint: Mapping[str, Tensor]) -> str:
    """Return the name of a CLIP architecture, as far as its vision tower tells."""
    patches = checkpoint.get(_PATCHES)
    if patches is None or patches.ndim != 4 or "visual.class_embedding" not in checkpoint:
        return "a CLIP without a vision transformer"
    width, edge = patches.shape[0], patches.shape[-1]
    return f"CLIP {_KNOWN.get((width, edge), f'of width {width} with patches of {edge} pixels')}"
