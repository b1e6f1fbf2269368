"""State dicts of the official OV2Seg and OVFormer (detectron2 names): Mask2Former, and the map to CLIP.

Neither holds a CLIP. The text columns and class weights of the training vocabulary are stored with the
weights; they are left out, because every run has a vocabulary of its own.
"""

from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

from ovvis_models.converters.key_table import KeyRule, to_theirs
from ovvis_models.converters.mask2former import RULES as MASK2FORMER_RULES
from ovvis_models.converters.mask2former import from_published

_HEAD: Final = "sem_seg_head.predictor.class_embed."
_ATTENTION: Final = f"{_HEAD}cross_attention."
_TEXT_COLUMNS: Final = f"{_HEAD}zs_weight"
_LOSS: Final = "criterion."  # class weights of the losses
NAMING: Final = "naming."
"""Prefix of our names of the map from queries to CLIP's space."""

RULES: Final = (
    KeyRule(r"backbone\.body\.(.+)", r"backbone.base.\1"),  # a ResNet keeps its timm names
    KeyRule(r"naming\.(?:projection\.)?layers\.0\.(\w+)", _HEAD + r"linear.0.\1"),
    KeyRule(r"naming\.(?:projection\.)?layers\.1\.(\w+)", _HEAD + r"linear.2.\1"),
    *(
        KeyRule(rf"naming\.attention\.{letter}_proj\.(\w+)", _ATTENTION + r"multihead_attn.in_proj_\1", third)
        for third, letter in enumerate("qkv")
    ),
    KeyRule(r"naming\.attention\.out_proj\.(\w+)", _ATTENTION + r"multihead_attn.out_proj.\1"),
    KeyRule(r"naming\.attention\.norm\.(\w+)", _ATTENTION + r"norm.\1"),
    *MASK2FORMER_RULES,
)


def is_ov2seg(checkpoint: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of an OV2Seg."""
    return f"{_HEAD}linear.0.weight" in checkpoint and not is_ovformer(checkpoint)


def is_ovformer(checkpoint: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of an OVFormer; its image and video models have the same."""
    return any(name.startswith(_ATTENTION) for name in checkpoint)


def official_state(*, proposals: nn.Module, naming: nn.Module) -> dict[str, Tensor]:
    """Return the state that a published file holds: the proposal network, and the map to CLIP's space."""
    named = {f"{NAMING}{name}": value for name, value in naming.state_dict().items()}
    return {**proposals.state_dict(), **named}


def load_official(state: Mapping[str, Tensor], *, proposals: nn.Module, naming: nn.Module) -> None:
    """Fill both networks with a state of the names of `official_state`."""
    named = {name.removeprefix(NAMING): x for name, x in state.items() if name.startswith(NAMING)}
    naming.load_state_dict(named)
    proposals.load_state_dict({name: x for name, x in state.items() if not name.startswith(NAMING)})


def from_official(checkpoint: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the checkpoint under the names of `expected`, an `official_state`.

    Raises:
        MismatchedWeightsError: it is of another network; the message says of which, where that can be told.
    """
    weights = {
        name: tensor
        for name, tensor in checkpoint.items()
        if name != _TEXT_COLUMNS and not name.startswith(_LOSS)
    }
    return from_published(weights, expected, rules=RULES)


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return an `official_state` under the official names, without text columns and loss weights."""
    return to_theirs(state, RULES)
