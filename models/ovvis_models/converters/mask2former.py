"""Conversion of state dicts of the official Mask2Former and MinVIS (detectron2 names) to ours and back.

Both have the same names; MinVIS has other numbers of classes.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from torch import Tensor

from ovvis_models.converters.key_table import KeyRule, to_ours, to_theirs
from ovvis_models.converters.mask2former_hub import hub_to_detectron2, is_hub_layout
from ovvis_models.converters.mask2former_kind import difference, kind_of
from ovvis_models.errors import MismatchedWeightsError

_PIXEL: Final = "sem_seg_head.pixel_decoder."
_QUERY: Final = "sem_seg_head.predictor."
_UNUSED: Final = ("criterion.empty_weight", "criterion.empty_object_weight")  # class weights of the loss
_UNUSED_SUFFIXES: Final = (
    ".num_batches_tracked",  # in some versions of frozen batch norm
    ".relative_position_index",  # follows from the window size
)


def _resnet_rules() -> list[KeyRule]:
    body = r"backbone\.body\."
    rules = [
        KeyRule(body + r"conv1\.(\w+)", r"backbone.stem.conv1.\1"),
        KeyRule(body + r"bn1\.(\w+)", r"backbone.stem.conv1.norm.\1"),
    ]
    for layer in range(1, 5):
        block, theirs = rf"{body}layer{layer}\.(\d+)\.", rf"backbone.res{layer + 1}.\1."
        rules += [
            KeyRule(block + r"conv(\d)\.(\w+)", theirs + r"conv\2.\3"),
            KeyRule(block + r"bn(\d)\.(\w+)", theirs + r"conv\2.norm.\3"),
            KeyRule(block + r"downsample\.0\.(\w+)", theirs + r"shortcut.\2"),
            KeyRule(block + r"downsample\.1\.(\w+)", theirs + r"shortcut.norm.\2"),
        ]
    return rules


def _swin_rules() -> list[KeyRule]:
    ours, theirs = r"backbone\.", "backbone."
    block, their_block = ours + r"stages\.(\d+)\.(\d+)\.", theirs + r"layers.\1.blocks.\2."
    return [
        KeyRule(ours + r"patch_embed\.(\w+)", theirs + r"patch_embed.proj.\1"),
        KeyRule(ours + r"patch_norm\.(\w+)", theirs + r"patch_embed.norm.\1"),
        KeyRule(block + r"attention_norm\.(\w+)", their_block + r"norm1.\3"),
        KeyRule(block + r"attention\.position_bias", their_block + "attn.relative_position_bias_table"),
        KeyRule(block + r"attention\.(.+)", their_block + r"attn.\3"),
        KeyRule(block + r"feed_forward_norm\.(\w+)", their_block + r"norm2.\3"),
        KeyRule(block + r"feed_forward\.0\.(\w+)", their_block + r"mlp.fc1.\3"),
        KeyRule(block + r"feed_forward\.2\.(\w+)", their_block + r"mlp.fc2.\3"),
        KeyRule(ours + r"merges\.(\d+)\.(.+)", theirs + r"layers.\1.downsample.\2"),
        KeyRule(ours + r"norms\.(\d+)\.(\w+)", theirs + r"norm\1.\2"),
    ]


def _pixel_decoder_rules() -> list[KeyRule]:
    ours, layer = r"pixel_decoder\.", r"pixel_decoder\.layers\.(\d+)\."
    theirs = _PIXEL + r"transformer.encoder.layers.\1."
    return [
        KeyRule(ours + r"input_proj\.(.+)", _PIXEL + r"input_proj.\1"),
        KeyRule(ours + r"level_embed", _PIXEL + r"transformer.level_embed"),
        KeyRule(layer + r"attention\.(.+)", theirs + r"self_attn.\2"),
        KeyRule(layer + r"norm\.(\w+)", theirs + r"norm1.\2"),
        KeyRule(layer + r"feed_forward\.linear(\d)\.(\w+)", theirs + r"linear\2.\3"),
        KeyRule(layer + r"feed_forward\.norm\.(\w+)", theirs + r"norm2.\2"),
        KeyRule(ours + r"lateral\.0\.(\w+)", _PIXEL + r"adapter_1.\1"),
        KeyRule(ours + r"lateral\.1\.(\w+)", _PIXEL + r"adapter_1.norm.\1"),
        KeyRule(ours + r"smooth\.0\.(\w+)", _PIXEL + r"layer_1.\1"),
        KeyRule(ours + r"smooth\.1\.(\w+)", _PIXEL + r"layer_1.norm.\1"),
        KeyRule(ours + r"pixel_proj\.(\w+)", _PIXEL + r"mask_features.\1"),
    ]


def _attention_rules(ours: str, theirs_layer: str, theirs_attention: str) -> list[KeyRule]:
    layer = rf"query_decoder\.layers\.(\d+)\.{ours}\."
    block = _QUERY + theirs_layer + r".\1."
    packed = [
        KeyRule(layer + rf"{letter}_proj\.(\w+)", block + theirs_attention + r".in_proj_\2", third)
        for third, letter in enumerate("qkv")
    ]
    return [
        *packed,
        KeyRule(layer + r"out_proj\.(\w+)", block + theirs_attention + r".out_proj.\2"),
        KeyRule(layer + r"norm\.(\w+)", block + r"norm.\2"),
    ]


def _query_decoder_rules() -> list[KeyRule]:
    ours = r"query_decoder\."
    return [
        KeyRule(ours + r"queries\.query_feat\.weight", _QUERY + "query_feat.weight"),
        KeyRule(ours + r"queries\.query_pos\.weight", _QUERY + "query_embed.weight"),
        KeyRule(ours + r"level_embed\.weight", _QUERY + "level_embed.weight"),
        KeyRule(ours + r"norm\.(\w+)", _QUERY + r"decoder_norm.\1"),
        KeyRule(ours + r"mask_embed\.(.+)", _QUERY + r"mask_embed.\1"),
        KeyRule(ours + r"object_head\.linear\.(\w+)", _QUERY + r"class_embed.\1"),
        KeyRule(ours + r"object_head\.mlp\.(.+)", _QUERY + r"object_embed.\1"),  # this and the next: CLIP-VIS
        KeyRule(ours + r"quality_head\.mlp\.(.+)", _QUERY + r"iou_head.\1"),
        *_attention_rules("cross_attention", "transformer_cross_attention_layers", "multihead_attn"),
        *_attention_rules("self_attention", "transformer_self_attention_layers", "self_attn"),
        KeyRule(ours + r"layers\.(\d+)\.feed_forward\.(.+)", _QUERY + r"transformer_ffn_layers.\1.\2"),
    ]


RULES: Final = (*_resnet_rules(), *_swin_rules(), *_pixel_decoder_rules(), *_query_decoder_rules())


def is_mask2former(checkpoint: Mapping[str, Tensor]) -> bool:
    """Return whether the names are of a Mask2Former or MinVIS, in any layout of `from_published`."""
    return is_hub_layout(checkpoint) or any(name.startswith("sem_seg_head.") for name in checkpoint)


def from_published(
    checkpoint: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, rules: Sequence[KeyRule] = RULES
) -> dict[str, Tensor]:
    """Return a checkpoint of detectron2 or of the transformers library under the names of `expected`.

    Systems whose networks hold more than a Mask2Former bring rules of their own.

    Raises:
        MismatchedWeightsError: it is of another network; the message says which, if that is known.
    """
    try:
        official = hub_to_detectron2(checkpoint) if is_hub_layout(checkpoint) else checkpoint
        return from_detectron2(official, expected, rules=rules)
    except MismatchedWeightsError as error:
        message = difference(kind_of(checkpoint), kind_of(expected))
        if message:
            raise MismatchedWeightsError(message, hint=error.message) from error
        raise


def from_detectron2(
    checkpoint: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, rules: Sequence[KeyRule] = RULES
) -> dict[str, Tensor]:
    """Return the checkpoint under the names of `expected`, the state dict of the network that it is for.

    Older spellings are accepted; loss weights and batch counters are dropped.

    Raises:
        MismatchedWeightsError: a tensor is missing, left over, or of another shape.
    """
    theirs = {
        _present_spelling(name): tensor
        for name, tensor in checkpoint.items()
        if name not in _UNUSED and not name.endswith(_UNUSED_SUFFIXES)
    }
    return to_ours(theirs, expected, rules)


def to_detectron2(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our state dict under the official names, without loss weights.

    Raises:
        MismatchedWeightsError: the network has parts that the official one lacks.
    """
    return to_theirs(state, RULES)


def _present_spelling(name: str) -> str:
    """Return the current official name of a tensor of an older checkpoint."""
    head, _, rest = name.partition("sem_seg_head.")
    if head or not rest:
        return name
    if not rest.startswith(("pixel_decoder.", "predictor.")):
        return _PIXEL + rest
    return name.replace(".predictor.static_query.", ".predictor.query_feat.")
