"""State dicts of the official GenVIS (detectron2 names): Mask2Former, and the networks over windows."""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from ovvis_models.converters.key_table import KeyRule, to_theirs
from ovvis_models.converters.mask2former import RULES as MASK2FORMER_RULES
from ovvis_models.converters.mask2former import from_published
from ovvis_models.errors import MismatchedWeightsError

_VIDEO: Final = "vita_module."
_MEMORY: Final = f"{_VIDEO}pre_memory_embed_k.weight"  # what GenVIS adds to VITA
_LOSSES: Final = ("criterion.", "vita_criterion.", "genvis_criterion.")  # class weights of the losses
_SIMILARITY: Final = (f"{_VIDEO}sim_embed_frame.", f"{_VIDEO}sim_embed_clip.")  # only for a loss
_PROPOSALS: Final = "proposals."  # prefix of our names of the Mask2Former


def _attention_rules(ours: str, theirs: str, attention: str) -> list[KeyRule]:
    layer, block = rf"{ours}\.", f"{_VIDEO}{theirs}" + r".\1."
    packed = [
        KeyRule(layer + rf"{letter}_proj\.(\w+)", block + attention + r".in_proj_\2", third)
        for third, letter in enumerate("qkv")
    ]
    return [
        *packed,
        KeyRule(layer + r"out_proj\.(\w+)", block + attention + r".out_proj.\2"),
        KeyRule(layer + r"norm\.(\w+)", block + r"norm.\2"),
    ]


def _window_rules() -> list[KeyRule]:
    encoder, decoder = r"object_encoder\.", r"window_decoder\."
    encoder_layer, decoder_layer = encoder + r"layers\.(\d+)\.", decoder + r"layers\.(\d+)\."
    cross, own = decoder_layer + "cross_attention", decoder_layer + "self_attention"
    return [
        KeyRule(encoder + r"input_proj\.(\w+)", _VIDEO + r"input_proj_dec.\1"),
        *_attention_rules(encoder_layer + "self_attention", "enc_self_attn", "self_attn"),
        KeyRule(encoder_layer + r"feed_forward\.(.+)", _VIDEO + r"enc_ffn.\1.\2"),
        KeyRule(decoder + r"query_feat\.weight", _VIDEO + "query_feat.weight"),
        KeyRule(decoder + r"query_pos\.weight", _VIDEO + "query_embed.weight"),
        KeyRule(decoder + r"frame_query_pos\.weight", _VIDEO + "fq_pos.weight"),
        *_attention_rules(cross, "transformer_cross_attention_layers", "multihead_attn"),
        *_attention_rules(own, "transformer_self_attention_layers", "self_attn"),
        KeyRule(decoder_layer + r"feed_forward\.(.+)", _VIDEO + r"transformer_ffn_layers.\1.\2"),
        KeyRule(decoder + r"norm\.(\w+)", _VIDEO + r"decoder_norm.\1"),
        KeyRule(decoder + r"object_head\.linear\.(\w+)", _VIDEO + r"class_embed.\1"),
        KeyRule(decoder + r"mask_embed\.(.+)", _VIDEO + r"mask_embed.\1"),
        KeyRule(decoder + r"query_key\.(\w+)", _VIDEO + r"pre_query_embed_k.\1"),
        KeyRule(decoder + r"query_value\.(\w+)", _VIDEO + r"pre_query_embed_v.\1"),
        KeyRule(decoder + r"memory_key\.(\w+)", _VIDEO + r"pre_memory_embed_k.\1"),
        KeyRule(decoder + r"memory_value\.(\w+)", _VIDEO + r"pre_memory_embed_v.\1"),
        KeyRule(r"pixel_proj\.(\w+)", _VIDEO + r"vita_mask_features.\1"),
    ]


RULES: Final = (
    *_window_rules(),
    *(KeyRule(_PROPOSALS + rule.ours, rule.theirs, rule.third) for rule in MASK2FORMER_RULES),
)


def is_genvis(checkpoint: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of a GenVIS, or of the VITA that it starts from."""
    return any(name.startswith(_VIDEO) for name in checkpoint)


def from_official(checkpoint: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the checkpoint under the names of `expected`, the state of our network.

    Raises:
        MismatchedWeightsError: it is of another network; the message says of which, where that can be told.
    """
    if _MEMORY not in checkpoint:
        raise MismatchedWeightsError(
            "this looks like a VITA checkpoint: it has no prototype memory", hint="name one of GenVIS"
        )
    weights = {
        name: tensor for name, tensor in checkpoint.items() if not name.startswith((*_LOSSES, *_SIMILARITY))
    }
    return from_published(weights, expected, rules=RULES)


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our state under the official names, without what only the losses use."""
    return to_theirs(state, RULES)
