"""Conversion of Mask2Former files of the transformers library to detectron2's names and back.

`mask2former.py` converts those to ours. In memory the library may use other names.
"""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from ovvis_models.converters.key_table import KeyRule, to_ours, to_theirs

_ENCODER: Final = r"model\.pixel_level_module\.encoder\."
_DECODER: Final = r"model\.pixel_level_module\.decoder\."
_TRANSFORMER: Final = r"model\.transformer_module\."
_PIXEL: Final = "sem_seg_head.pixel_decoder."
_QUERY: Final = "sem_seg_head.predictor."
_START: Final = "model.pixel_level_module."
_OLD_ENCODER: Final = "model.pixel_level_module.encoder.model."
_UNUSED_SUFFIXES: Final = (
    "criterion.empty_weight",
    ".num_batches_tracked",
    ".relative_position_index",
    "swin.layernorm.weight",  # of the classifier that the backbone came from
    "swin.layernorm.bias",
)


def _resnet_rules() -> list[KeyRule]:
    parts = ((r"convolution\.(\w+)", ""), (r"normalization\.(\w+)", "norm."))
    rules = [
        KeyRule(_ENCODER + r"embedder\.embedder\." + part, rf"backbone.stem.conv1.{norm}\1")
        for part, norm in parts
    ]
    for stage in range(4):
        block, theirs = _ENCODER + rf"encoder\.stages\.{stage}\.layers\.(\d+)\.", f"backbone.res{stage + 2}."
        for part, norm in parts:
            rules.append(KeyRule(block + r"shortcut\." + part, theirs + rf"\1.shortcut.{norm}\2"))
            rules += [
                KeyRule(block + rf"layer\.{conv}\." + part, theirs + rf"\1.conv{conv + 1}.{norm}\2")
                for conv in range(3)
            ]
    return rules


def _swin_rules() -> list[KeyRule]:
    block, theirs = _ENCODER + r"encoder\.layers\.(\d+)\.blocks\.(\d+)\.", r"backbone.layers.\1.blocks.\2."
    attention = block + r"attention\.self\."
    return [
        KeyRule(
            _ENCODER + r"embeddings\.patch_embeddings\.projection\.(\w+)", r"backbone.patch_embed.proj.\1"
        ),
        KeyRule(_ENCODER + r"embeddings\.norm\.(\w+)", r"backbone.patch_embed.norm.\1"),
        KeyRule(block + r"layernorm_before\.(\w+)", theirs + r"norm1.\3"),
        KeyRule(block + r"layernorm_after\.(\w+)", theirs + r"norm2.\3"),
        *(
            KeyRule(attention + rf"{word}\.(\w+)", theirs + r"attn.qkv.\3", third)
            for third, word in enumerate(("query", "key", "value"))
        ),
        KeyRule(attention + "relative_position_bias_table", theirs + "attn.relative_position_bias_table"),
        KeyRule(block + r"attention\.output\.dense\.(\w+)", theirs + r"attn.proj.\3"),
        KeyRule(block + r"intermediate\.dense\.(\w+)", theirs + r"mlp.fc1.\3"),
        KeyRule(block + r"output\.dense\.(\w+)", theirs + r"mlp.fc2.\3"),
        KeyRule(_ENCODER + r"encoder\.layers\.(\d+)\.downsample\.(.+)", r"backbone.layers.\1.downsample.\2"),
        *(
            KeyRule(_ENCODER + rf"hidden_states_norms\.stage{stage + 1}\.(\w+)", rf"backbone.norm{stage}.\1")
            for stage in range(4)
        ),
    ]


def _pixel_decoder_rules() -> list[KeyRule]:
    layer, theirs = _DECODER + r"encoder\.layers\.(\d+)\.", _PIXEL + r"transformer.encoder.layers.\1."
    return [
        KeyRule(_DECODER + r"input_projections\.(\d)\.([01])\.(\w+)", _PIXEL + r"input_proj.\1.\2.\3"),
        KeyRule(_DECODER + "level_embed", _PIXEL + "transformer.level_embed"),
        KeyRule(layer + r"self_attn\.(.+)", theirs + r"self_attn.\2"),
        KeyRule(layer + r"self_attn_layer_norm\.(\w+)", theirs + r"norm1.\2"),
        KeyRule(layer + r"fc([12])\.(\w+)", theirs + r"linear\2.\3"),
        KeyRule(layer + r"final_layer_norm\.(\w+)", theirs + r"norm2.\2"),
        KeyRule(_DECODER + r"(adapter|layer)_1\.0\.(\w+)", _PIXEL + r"\1_1.\2"),
        KeyRule(_DECODER + r"(adapter|layer)_1\.1\.(\w+)", _PIXEL + r"\1_1.norm.\2"),
        KeyRule(_DECODER + r"mask_projection\.(\w+)", _PIXEL + r"mask_features.\1"),
    ]


def _query_decoder_rules() -> list[KeyRule]:
    layer = _TRANSFORMER + r"decoder\.layers\.(\d+)\."
    cross, own, feed_forward = (
        _QUERY + rf"transformer_{kind}_layers.\1." for kind in ("cross_attention", "self_attention", "ffn")
    )
    return [
        KeyRule(_TRANSFORMER + r"queries_features\.weight", _QUERY + "query_feat.weight"),
        KeyRule(_TRANSFORMER + r"queries_embedder\.weight", _QUERY + "query_embed.weight"),
        KeyRule(_TRANSFORMER + r"level_embed\.weight", _QUERY + "level_embed.weight"),
        KeyRule(layer + r"cross_attn\.(.+)", cross + r"multihead_attn.\2"),
        KeyRule(layer + r"cross_attn_layer_norm\.(\w+)", cross + r"norm.\2"),
        *(
            KeyRule(layer + rf"self_attn\.{letter}_proj\.(\w+)", own + r"self_attn.in_proj_\2", third)
            for third, letter in enumerate("qkv")
        ),
        KeyRule(layer + r"self_attn\.out_proj\.(\w+)", own + r"self_attn.out_proj.\2"),
        KeyRule(layer + r"self_attn_layer_norm\.(\w+)", own + r"norm.\2"),
        KeyRule(layer + r"fc([12])\.(\w+)", feed_forward + r"linear\2.\3"),
        KeyRule(layer + r"final_layer_norm\.(\w+)", feed_forward + r"norm.\2"),
        KeyRule(_TRANSFORMER + r"decoder\.layernorm\.(\w+)", _QUERY + r"decoder_norm.\1"),
        KeyRule(
            _TRANSFORMER + r"decoder\.mask_predictor\.mask_embedder\.(\d)\.0\.(\w+)",
            _QUERY + r"mask_embed.layers.\1.\2",
        ),
        KeyRule(r"class_predictor\.(\w+)", _QUERY + r"class_embed.\1"),
    ]


RULES: Final = (*_resnet_rules(), *_swin_rules(), *_pixel_decoder_rules(), *_query_decoder_rules())


def is_hub_layout(checkpoint: Mapping[str, Tensor]) -> bool:
    """Return whether the names are those of the transformers library."""
    return any(name.startswith(_START) for name in checkpoint)


def hub_to_detectron2(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the checkpoint to detectron2's names, with query, key and value packed.

    Raises:
        MismatchedWeightsError: a tensor is not part of a Mask2Former.
    """
    return to_theirs(_used(checkpoint), RULES)


def detectron2_to_hub(official: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert a state dict with detectron2's names to those of `expected`, a file of the library.

    Raises:
        MismatchedWeightsError: a tensor is missing, left over, or of another shape.
    """
    return to_ours(official, _used(expected), RULES)


def _used(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.replace(_OLD_ENCODER, _START + "encoder."): tensor
        for name, tensor in checkpoint.items()
        if not name.endswith(_UNUSED_SUFFIXES)
    }
