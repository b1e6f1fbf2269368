"""CLIP-VIS: its parts, its network, its checkpoint."""

from dataclasses import replace

import pytest
import torch

from ovvis_models.backbones.clip_maps import clip_maps
from ovvis_models.catalog import CATALOG
from ovvis_models.converters.clip_vis import to_official
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError
from ovvis_models.heads.mask_pooling import inside_at, mask_pooling
from ovvis_models.loading import assemble
from ovvis_models.losses.mask_quality import mask_quality_loss
from ovvis_models.losses.masks import MaskReads
from ovvis_models.networks.clip import (
    ClipSpec,
    ConvNextVisionSpec,
    ResNetVisionSpec,
    TextSpec,
    VisionSpec,
    build_clip,
)

TEXT = TextSpec(context_length=16, vocab_size=49408, width=8, heads=2, layers=1)
RESNET = ClipSpec(
    embed_dim=16,
    vision=ResNetVisionSpec(image_size=96, width=8, layers=(1, 1, 1, 1), head_width=16),
    text=TEXT,
    quick_gelu=True,
)
CONVNEXT = replace(RESNET, vision=ConvNextVisionSpec(image_size=64, name="convnext_atto"), quick_gelu=False)
PUBLISHED = CATALOG["clipvis-r50"]


def small(clip):
    return replace(
        PUBLISHED,
        clip=clip,
        proposals=replace(
            PUBLISHED.proposals,
            width=32,
            num_heads=2,
            encoder_layers=1,
            encoder_ffn_dim=16,
            decoder_layers=2,
            decoder_ffn_dim=16,
            num_queries=6,
        ),
        proposal_input=replace(PUBLISHED.proposal_input, short_side=96, max_side=160),
    )


@pytest.fixture(params=[RESNET, CONVNEXT], ids=["resnet", "convnext"])
def clip(request):
    torch.manual_seed(3)
    clip = build_clip(request.param).eval()
    for name, value in clip.visual.named_parameters():
        if name.endswith(("bn3.weight", "gamma")):  # they start at zero, or next to it
            torch.nn.init.ones_(value)
    return clip


def frames(count=2):
    return torch.randint(0, 256, (count, 50, 70, 3), dtype=torch.uint8)


def test_maps_are_those_of_the_tower_and_stay_frozen(clip):
    maps = clip_maps(clip.visual).train()
    images = torch.randn(2, 3, 96, 128)
    found = maps(images)
    assert [tuple(x.shape[-2:]) for x in found] == [(24, 32), (12, 16), (6, 8), (3, 4)]
    assert tuple(x.shape[1] for x in found) == maps.channels
    assert not any(module.training for module in maps.modules())
    assert not any(value.requires_grad for value in maps.parameters())
    assert not any(x.requires_grad for x in found)
    assert torch.equal(found[-1], maps(images)[-1])


def test_a_vision_transformer_has_neither_maps_nor_mask_pooling():
    vision = VisionSpec(image_size=32, patch_size=16, width=32, layers=1, head_width=16)
    clip = build_clip(replace(RESNET, vision=vision))
    for build in (clip_maps, mask_pooling):
        with pytest.raises(ValueError, match="VisionTransformer"):
            build(clip.visual)


def test_a_pooled_mask_depends_on_the_places_inside_only():
    torch.manual_seed(0)
    pool = mask_pooling(build_clip(CONVNEXT).visual.eval())
    dense = torch.randn(1, 320, 3, 5)
    inside = torch.zeros(1, 2, 3, 5, dtype=torch.bool)
    inside[:, 0, :2, 1:3] = True
    inside[:, 1] = True
    changed = torch.where(inside[:, :1], dense, -dense)
    before, after = pool(dense, inside), pool(changed, inside)
    assert torch.allclose(before[:, 0], after[:, 0], atol=1e-6)
    assert not torch.allclose(before[:, 1], after[:, 1], atol=1e-3)


def test_attention_reads_the_places_inside_only():
    torch.manual_seed(0)
    pool = mask_pooling(build_clip(RESNET).visual.eval())
    dense = torch.randn(1, 256, 3, 3)
    inside = torch.zeros(1, 3, 3, 3, dtype=torch.bool)
    inside[0, 0, 1, 2] = inside[0, 1, 0] = True  # one place; a row; nothing
    found = pool(dense, inside)
    attention = pool.pool
    value = attention.v_proj(dense[0, :, 1, 2] + attention.positional_embedding[1 + 5])
    assert torch.allclose(found[0, 0], attention.c_proj(value), atol=1e-5)
    assert torch.equal(found[0, 2], torch.zeros(16))
    order = torch.tensor([2, 0, 1])
    assert torch.allclose(pool(dense, inside[:, order]), found[:, order], atol=1e-6)


def test_masks_are_read_at_the_maps_size():
    logits = torch.full((1, 1, 24, 24), -1.0)
    logits[..., :8, :8] = 1.0
    assert inside_at(logits, hw=(3, 3))[0, 0].int().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_a_frame_does_not_depend_on_its_neighbours(clip):
    spec = small(RESNET if clip.visual.__class__.__name__ == "ModifiedResNet" else CONVNEXT)
    network = spec.build().eval()
    both = frames()
    with torch.inference_mode():
        together, alone = network.predict(both), network.predict(both[1:])
    assert together.instance_tokens.shape == (2, 6, 16)
    assert torch.allclose(together.instance_tokens[1], alone.instance_tokens[0], atol=1e-4)
    quality = together.proposals.mask_quality
    assert quality.shape == (2, 6) and ((quality > 0) & (quality < 1)).all()
    norms = together.instance_tokens.norm(dim=-1)
    assert ((norms - 1).abs() < 1e-4).logical_or(norms == 0).all()


def test_the_loss_of_the_quality_is_the_distance_to_the_overlap_at_the_points():
    logits = torch.tensor([[[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, -1.0, 1.0]]])
    wanted = torch.tensor([[[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]]])
    reads = MaskReads(logits=logits, wanted=wanted, weight=torch.ones(1, 2))
    quality = torch.tensor([[0.5, 0.9]], requires_grad=True)
    loss = mask_quality_loss(reads, quality)  # the second pair does not overlap and does not count
    assert loss.item() == pytest.approx(0.5 - 1 / 3)
    loss.backward()
    assert quality.grad.tolist() == [[1.0, 0.0]]
    nothing = MaskReads(logits=-wanted, wanted=wanted, weight=torch.zeros(1, 2))
    assert mask_quality_loss(nothing, quality).item() == 0.0


@pytest.fixture
def checkpoint(clip):
    """A checkpoint as the authors save one, and the spec that it fits."""
    spec = small(RESNET if clip.visual.__class__.__name__ == "ModifiedResNet" else CONVNEXT)
    torch.manual_seed(5)
    network = spec.compose(clip=clip)
    return spec, network, to_official(network.proposals.state_dict(), clip.state_dict())


def saved(path, tensors):
    extra = {"criterion.empty_object_weight": torch.ones(2)}
    torch.save({"model": tensors | extra, "iteration": 7}, path)
    return path


def test_a_published_file_is_one_whole_model(checkpoint, tmp_path):
    spec, network, official = checkpoint
    found = assemble(spec, [saved(tmp_path / "model.pth", official)])
    wanted = network.state_dict()
    assert found.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in found.state_dict().items())


def test_a_file_without_the_text_tower_wants_clip_beside_it(checkpoint, clip, tmp_path):
    spec, network, official = checkpoint
    visual = {k: v for k, v in official.items() if ".clip_model." not in k or ".visual." in k}
    path = saved(tmp_path / "model.pth", visual)
    with pytest.raises(MissingWeightsError, match="text tower"):
        assemble(spec, [path])
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    found = assemble(spec, [tmp_path / "clip.pt", path]).state_dict()
    assert all(torch.equal(value, found[name]) for name, value in network.state_dict().items())


def test_a_file_of_another_network_is_refused(checkpoint, clip, tmp_path):
    spec, _, official = checkpoint
    deeper = replace(spec, proposals=replace(spec.proposals, decoder_layers=3))
    with pytest.raises(MismatchedWeightsError, match=r"model\.pth"):
        assemble(deeper, [saved(tmp_path / "model.pth", official)])
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    with pytest.raises(MissingWeightsError, match="CLIP-VIS"):
        assemble(spec, [tmp_path / "clip.pt"])
