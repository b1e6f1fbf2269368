"""The systems are compositions: what one adds to another is listed here, all else they share."""

from ovvis_models.catalog import find_spec

SHARED = {
    "blocks.deformable_attention.DeformableAttention",
    "blocks.mlp.MLP",
    "blocks.transformer_layers.AttentionLayer",
    "blocks.transformer_layers.FeedForwardLayer",
    "decoders.pixel_decoder.EncoderLayer",
    "decoders.pixel_decoder.PixelDecoder",
    "decoders.query_decoder.DecoderLayer",
    "decoders.query_decoder.QueryDecoder",
    "networks.mask2former.Mask2Former",
}
OVFORMER_SHARES_WITH_OV2SEG = {
    "decoders.object_heads.ObjectOrNothingHead",
    "decoders.queries.LearnedQueries",
    "text.encoder.TextEncoder",
}
ALIGNMENT = {"heads.alignment.EmbeddingAlignment", "heads.frame_features.FrameFeatures"}
CLIP_VIS_ADDS = {
    "backbones.clip_maps.ClipMaps",
    "decoders.object_heads.MaskQualityHead",
    "decoders.object_heads.ObjectOrNothingHead",
    "heads.mask_pooling.MaskedAttentionPool",
    "networks.clip_vis.ClipVis",
}


def _parts(model: str) -> set[str]:
    classes = {type(module) for module in find_spec(model).build().modules()}
    ours = {
        f"{each.__module__}.{each.__qualname__}" for each in classes if each.__module__.startswith("ovvis")
    }
    return {name.removeprefix("ovvis_models.") for name in ours}


def test_clip_vis_shares_all_but_its_own_parts_with_instformer() -> None:
    instformer, clip_vis = _parts("instformer-tiny"), _parts("clipvis-tiny")
    assert clip_vis - instformer == CLIP_VIS_ADDS
    assert instformer & clip_vis >= SHARED | {"text.encoder.TextEncoder"}


def test_minvis_adds_its_composition_and_a_class_head() -> None:
    adds = _parts("minvis-r50-ovis") - _parts("instformer-tiny")
    assert adds == {
        "decoders.object_heads.ClosedSetHead",
        "decoders.queries.LearnedQueries",
        "networks.minvis.MinVIS",
    }


def test_ov2seg_adds_its_composition_only() -> None:
    adds = _parts("ov2seg-r50") - _parts("instformer-tiny")
    assert adds == {
        "decoders.object_heads.ObjectOrNothingHead",
        "decoders.queries.LearnedQueries",
        "networks.ov2seg.OV2Seg",
    }


def test_ovformer_adds_the_alignment_and_whole_frame_features_to_ov2seg() -> None:
    ov2seg, image, video = _parts("ov2seg-r50"), _parts("ovformer-r50"), _parts("ovformer-lvvis-r50")
    assert image - ov2seg == ALIGNMENT | {"networks.ovformer.OVFormer"}
    assert video - image == {"networks.ovformer.WindowOVFormer"}
    assert image & ov2seg >= SHARED | OVFORMER_SHARES_WITH_OV2SEG


def test_genvis_adds_the_networks_over_windows_to_minvis_and_instclip() -> None:
    minvis, instformer, genvis = (
        _parts(name) for name in ("minvis-r50-ovis", "instformer-r50", "genvis-r50-ovis")
    )
    assert genvis - minvis - instformer == {
        "decoders.object_encoder.ObjectEncoder",
        "decoders.object_encoder.ObjectEncoderLayer",
        "decoders.window_decoder.WindowDecoder",
        "networks.genvis.GenVIS",
        "networks.mask_naming.MaskNaming",
    }
    assert minvis - genvis == {"networks.minvis.MinVIS"}


def test_the_small_ovformer_is_clip_vis_but_for_names() -> None:
    clip_vis, small, large = _parts("clipvis-tiny"), _parts("ovformer-tiny"), _parts("ovformer-lvvis-r50")
    assert small - clip_vis == ALIGNMENT | {"networks.ovformer.WindowOVFormer"}
    assert small - large == {"backbones.clip_maps.ClipMaps", "decoders.queries.GuidedQueries"}
