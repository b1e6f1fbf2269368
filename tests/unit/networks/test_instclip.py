"""InstCLIP against open_clip itself and against the paper's full attention mask."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from open_clip.model import resize_pos_embed

from ovvis_models.heads.guidance import BinaryGuidance, LogProbabilityGuidance
from ovvis_models.heads.guided_attention import SHARED_BIAS
from ovvis_models.networks.clip import VIT_B_16, VIT_B_32, build_clip
from ovvis_models.networks.instclip import InstCLIP
from tests.small_clip import SMALL, lively_clip, with_small_text

EVERYWHERE = 60.0  # a mask logit whose probability is 1 in float32


def inst_clip(clip, **options):
    """InstCLIP on a tower of its own, so that tests may change it."""
    options = {"guidance": LogProbabilityGuidance(), "num_instance_tokens": 1} | options
    return InstCLIP(copy.deepcopy(clip), **options).eval()


def random_scene(*, num_images=2, num_instances=3, image_hw=(64, 96), seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(num_images, 3, *image_hw, generator=generator)
    mask_logits = 6 * torch.randn(num_images, num_instances, 16, 24, generator=generator)
    return images, mask_logits


@pytest.fixture(scope="module", params=[VIT_B_32, VIT_B_16], ids=["ViT-B-32", "ViT-B-16"])
def full_size_clip(request):
    return lively_clip(with_small_text(request.param))


@torch.no_grad()
def embedding_by_open_clip(clip, images):
    """open_clip's own forward, with its own resizing of the position embeddings to the grid of the images."""
    patch, own = clip.visual.patch_size[0], clip.visual.positional_embedding
    grid_hw = (images.shape[-2] // patch, images.shape[-1] // patch)
    state = {"visual.positional_embedding": own}
    resize_pos_embed(state, SimpleNamespace(visual=SimpleNamespace(grid_size=grid_hw)))
    clip.visual.positional_embedding = torch.nn.Parameter(state["visual.positional_embedding"])
    embedding = clip.encode_image(images, normalize=True)
    clip.visual.positional_embedding = own
    return embedding


@pytest.mark.parametrize("image_hw", [(224, 224), (160, 288)], ids=["224", "non-square"])
@torch.no_grad()
def test_untrained_tokens_are_clips_image_embedding(full_size_clip, image_hw: tuple[int, int]) -> None:
    images = torch.randn(1, 3, *image_hw, generator=torch.Generator().manual_seed(2))
    expected = embedding_by_open_clip(full_size_clip, images)
    model = InstCLIP(full_size_clip, guidance=LogProbabilityGuidance(), num_instance_tokens=2, lora_rank=2)

    without_proposals = model(images, torch.zeros(1, 0, 8, 8))
    with_full_masks = model(images, torch.full((1, 2, 56, 56), EVERYWHERE))

    torch.testing.assert_close(without_proposals[:, 0], expected, rtol=0, atol=1e-5)
    for row in range(3):  # the register and both instance tokens
        torch.testing.assert_close(with_full_masks[:, row], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "guidance", [LogProbabilityGuidance(), BinaryGuidance()], ids=lambda g: type(g).__name__
)
@torch.no_grad()
def test_equals_the_full_attention_mask_of_the_paper(clip, guidance) -> None:
    model = inst_clip(clip, guidance=guidance, num_instance_tokens=4)
    model.instance_token += torch.randn_like(model.instance_token)  # as if trained: all tokens differ
    model.register_token += torch.randn_like(model.register_token)
    images, mask_logits = random_scene()
    grid_hw, num_instances, num_patches = (4, 6), 3, 24

    length = 1 + num_instances + num_patches  # register, instances, patches: the order of Equation 3
    mask = torch.zeros(2, length, length)
    mask[:, :, 1 : 1 + num_instances] = -math.inf
    for i in range(1, 1 + num_instances):
        mask[:, i, 0] = mask[:, i, i] = SHARED_BIAS
    mask[:, 1 : 1 + num_instances, 1 + num_instances :] = guidance(mask_logits, grid_hw)
    visual = model.visual
    patches = visual.conv1(images).flatten(2).transpose(1, 2) + model._positions(grid_hw)
    tokens = [model.register_token.expand(2, 1, -1), model.instance_token[:3].expand(2, -1, -1), patches]
    x = visual.ln_pre(torch.cat(tokens, dim=1))
    for block in visual.transformer.resblocks:
        x = block(x, attn_mask=mask.repeat_interleave(block.attn.num_heads, dim=0))
    expected = F.normalize(visual.ln_post(x[:, :4]) @ visual.proj, dim=-1)

    torch.testing.assert_close(model(images, mask_logits), expected, rtol=0, atol=2e-6)


@torch.no_grad()
def test_one_pass_equals_one_pass_per_instance(clip) -> None:
    model = inst_clip(clip)
    images, mask_logits = random_scene()
    together = model.encode_instances(images, mask_logits)
    for image in range(2):
        for instance in range(3):
            alone = model.encode_instances(
                images[image : image + 1], mask_logits[image : image + 1, instance : instance + 1]
            )
            torch.testing.assert_close(together[image, instance], alone[0, 0], rtol=0, atol=2e-6)


@torch.no_grad()
def test_shared_token_makes_the_order_of_proposals_irrelevant(clip) -> None:
    model = inst_clip(clip)
    images, mask_logits = random_scene(num_instances=5)
    order = torch.tensor([3, 0, 4, 1, 2])
    tokens = model.encode_instances(images, mask_logits)
    permuted = model.encode_instances(images, mask_logits[:, order])
    torch.testing.assert_close(permuted, tokens[:, order], rtol=0, atol=1e-6)
    assert (tokens[:, 0] - tokens[:, 1]).norm(dim=-1).min() > 0.01  # and the masks do matter


@torch.no_grad()
def test_token_follows_its_mask(clip) -> None:
    """Changing pixels far outside a mask moves its token less than changing pixels inside."""
    model = inst_clip(clip)
    images, _ = random_scene(num_images=1)
    left = torch.full((1, 1, 16, 24), -9.0)
    left[..., :8] = 9.0
    inside, outside = images.clone(), images.clone()
    inside[..., :32] = torch.randn(1, 3, 64, 32, generator=torch.Generator().manual_seed(3))
    outside[..., 64:] = torch.randn(1, 3, 64, 32, generator=torch.Generator().manual_seed(3))
    token, moved_in, moved_out = (model.encode_instances(x, left) for x in (images, inside, outside))
    assert (moved_in - token).norm() > 1.5 * (moved_out - token).norm()


@torch.no_grad()
def test_fewer_proposals_use_the_first_learned_tokens(clip) -> None:
    model = inst_clip(clip, num_instance_tokens=4)
    model.instance_token += torch.randn_like(model.instance_token)
    images, mask_logits = random_scene(num_instances=4)
    four = model.encode_instances(images, mask_logits)
    two = model.encode_instances(images, mask_logits[:, :2])
    torch.testing.assert_close(two, four[:, :2], rtol=0, atol=1e-6)


def test_too_many_proposals_are_refused(clip) -> None:
    model = inst_clip(clip, num_instance_tokens=2)
    with pytest.raises(ValueError, match="3 proposals, but only 2"):
        model.encode_instances(*random_scene())


@pytest.mark.parametrize("image_hw", [(64, 97), (70, 96), (0, 64)])
def test_images_must_be_whole_patches(clip, image_hw) -> None:
    with pytest.raises(ValueError, match="multiple of the patch size 16"):
        inst_clip(clip).encode_instances(torch.zeros(1, 3, *image_hw), torch.zeros(1, 1, 4, 4))


def test_convolutional_tower_is_refused(clip) -> None:
    other = copy.deepcopy(clip)
    other.visual = torch.nn.Conv2d(3, 4, 3)
    with pytest.raises(ValueError, match="plain CLIP vision transformer"):
        InstCLIP(other, guidance=BinaryGuidance())


@torch.no_grad()
def test_new_adapters_change_nothing_and_merging_keeps_the_result(clip) -> None:
    images, mask_logits = random_scene()
    plain = inst_clip(clip)
    adapted = inst_clip(clip, lora_rank=2, lora_alpha=4.0)
    torch.testing.assert_close(adapted(images, mask_logits), plain(images, mask_logits), rtol=0, atol=0)

    for adapter in adapted.lora:
        for part in (adapter.query, adapter.value):
            part.up.normal_(std=0.3)
    trained = adapted(images, mask_logits)
    assert (trained - plain(images, mask_logits)).abs().max() > 0.01
    adapted.merge_lora()
    assert adapted.lora is None
    torch.testing.assert_close(adapted(images, mask_logits), trained, rtol=0, atol=5e-6)


def test_only_tokens_and_adapters_train(clip) -> None:
    model = inst_clip(clip, num_instance_tokens=3, lora_rank=2)
    images, mask_logits = random_scene()
    direction = torch.randn(24, generator=torch.Generator().manual_seed(5))
    (model.encode_instances(images, mask_logits) @ direction).sum().backward()
    trained = dict(model.named_parameters())
    with_gradient = {name for name, parameter in trained.items() if parameter.grad is not None}
    assert with_gradient == {name for name in trained if not name.startswith("visual.")}
    assert {id(p) for p in model.trained_parameters()} == {id(trained[name]) for name in with_gradient}
    for name in with_gradient:
        if not name.endswith(".down"):  # zero at the start, because `up` is
            assert trained[name].grad.abs().max() > 0, name


def test_training_steps_reduce_a_loss(clip) -> None:
    model = inst_clip(clip, lora_rank=2)
    images, mask_logits = random_scene()
    target = F.normalize(torch.randn(24, generator=torch.Generator().manual_seed(6)), dim=0)
    optimiser = torch.optim.Adam(model.trained_parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        loss = 1 - (model.encode_instances(images, mask_logits) @ target).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.2


@torch.no_grad()
def test_position_cache_follows_loaded_weights(clip) -> None:
    model = inst_clip(clip)
    images, mask_logits = random_scene()
    with torch.inference_mode():
        before = model(images, mask_logits)
    other = inst_clip(lively_clip(SMALL, seed=9))
    model.load_state_dict(other.state_dict())
    after = model(images, mask_logits)
    torch.testing.assert_close(after, other(images, mask_logits), rtol=0, atol=1e-6)
    assert (after - before).abs().max() > 0.01


def test_cached_positions_can_be_used_in_training_after_inference(clip) -> None:
    model = inst_clip(clip)
    images, mask_logits = random_scene()
    with torch.inference_mode():
        model(images, mask_logits)
    model(images, mask_logits)[..., 0].sum().backward()
    assert model.register_token.grad is not None


def test_many_frame_sizes_do_not_grow_the_cache(clip) -> None:
    model = inst_clip(clip)
    with torch.no_grad():
        for height in range(1, 13):
            model(torch.zeros(1, 3, 16 * height, 16), torch.zeros(1, 1, 4, 4))
    assert len(model._position_cache) <= 8


@torch.no_grad()
def test_tokens_start_from_the_class_token_of_loaded_weights(clip) -> None:
    model = inst_clip(clip, num_instance_tokens=2)
    model.visual.class_embedding += 1.0
    model.start_from_class_token()
    start = model.visual.class_embedding + model.visual.positional_embedding[0]
    assert torch.equal(model.register_token, start)
    assert torch.equal(model.instance_token, start.expand(2, -1))


@torch.no_grad()
def test_bfloat16_autocast_stays_close(clip) -> None:
    model = inst_clip(clip, lora_rank=2)
    images, mask_logits = random_scene()
    exact = model.encode_instances(images, mask_logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model.encode_instances(images, mask_logits)
    assert F.cosine_similarity(exact, rough.float(), dim=-1).min() > 0.99


def test_state_dict_names_are_stable(clip) -> None:
    names = set(inst_clip(clip, lora_rank=1).state_dict())
    assert {name for name in names if not name.startswith("visual.")} == {
        "instance_token",
        "register_token",
        *(
            f"lora.{block}.{part}.{factor}"
            for block in range(3)
            for part in ("query", "value")
            for factor in ("down", "up")
        ),
    }
    assert {n.removeprefix("visual.") for n in names if n.startswith("visual.")} == set(
        build_clip(SMALL).visual.state_dict()
    )
