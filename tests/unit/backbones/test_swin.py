"""Swin against timm's where that is the same function, and against plain formulations elsewhere."""

import re

import pytest
import timm
import torch

from ovvis_models.backbones.swin import (
    HIDDEN_LOGIT,
    SWIN_B,
    SWIN_L,
    SWIN_S,
    SWIN_T,
    PatchMerging,
    SwinBackbone,
    SwinSpec,
    join_windows,
    relative_places,
    shift_mask,
    split_windows,
)

SMALL = SwinSpec(name="small", width=8, depths=(2, 2, 2, 2), num_heads=(1, 2, 2, 4), window_size=4)


def from_timm(name: str) -> str:
    """Return our name for a tensor of timm's classifier, or an empty one where we have none."""
    block = r"layers\.(\d)\.blocks\.(\d+)\."
    rules = [
        (r"patch_embed\.proj\.(.+)", r"patch_embed.\1"),
        (r"patch_embed\.norm\.(.+)", r"patch_norm.\1"),
        (block + r"norm1\.(.+)", r"stages.\1.\2.attention_norm.\3"),
        (block + r"norm2\.(.+)", r"stages.\1.\2.feed_forward_norm.\3"),
        (
            r"layers\.(\d)\.blocks\.(\d+)\.attn\.relative_position_bias_table",
            r"stages.\1.\2.attention.position_bias",
        ),
        (block + r"attn\.(qkv|proj)\.(.+)", r"stages.\1.\2.attention.\3.\4"),
        (block + r"mlp\.fc1\.(.+)", r"stages.\1.\2.feed_forward.0.\3"),
        (block + r"mlp\.fc2\.(.+)", r"stages.\1.\2.feed_forward.2.\3"),
        (r"layers\.([123])\.downsample\.(.+)", r"merges.\1.\2"),
    ]
    for pattern, ours in rules:
        match = re.fullmatch(pattern, name)
        if match:
            ours_name = match.expand(ours)
            return re.sub(r"merges\.(\d)", lambda m: f"merges.{int(m[1]) - 1}", ours_name)
    return ""


def test_equals_timm_where_nothing_is_padded() -> None:
    torch.manual_seed(0)
    theirs = (
        timm.create_model(
            "swin_tiny_patch4_window7_224",
            pretrained=False,
            img_size=128,
            window_size=4,
            embed_dim=SMALL.width,
            depths=SMALL.depths,
            num_heads=SMALL.num_heads,
            always_partition=True,  # as detection networks do: the last stage shifts its only window
        )
        .eval()
        .double()
    )
    ours = SwinBackbone(SMALL).eval().double()
    state = {from_timm(name): tensor for name, tensor in theirs.state_dict().items()}
    result = ours.load_state_dict({name: x for name, x in state.items() if name}, strict=False)
    assert not result.unexpected_keys
    assert all(name.startswith("norms.") for name in result.missing_keys)
    images = torch.randn(2, 3, 128, 128, dtype=torch.double)
    with torch.no_grad():
        maps = theirs.forward_intermediates(images, intermediates_only=True)
        found = ours(images)
    assert [tuple(x.shape[1:]) for x in found] == [(8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4)]
    for index, (one, other) in enumerate(zip(found, maps, strict=True)):
        normed = ours.norms[index](other.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(one, normed, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "millions"), [(SWIN_T, 27.5), (SWIN_S, 48.8), (SWIN_B, 86.9), (SWIN_L, 195.2)]
)
def test_published_sizes(spec: SwinSpec, millions: float) -> None:
    with torch.device("meta"):
        backbone = SwinBackbone(spec)
    assert sum(x.numel() for x in backbone.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    assert backbone.channels == tuple(spec.width * 2**stage for stage in range(4))


def test_any_image_size_and_independent_images() -> None:
    torch.manual_seed(0)
    backbone = SwinBackbone(SMALL).eval()
    images = torch.randn(2, 3, 70, 105)
    with torch.inference_mode():
        found, alone = backbone(images), backbone(images[1:])
    assert [tuple(x.shape[-2:]) for x in found] == [(18, 27), (9, 14), (5, 7), (3, 4)]
    for one, other in zip(found, alone, strict=True):
        torch.testing.assert_close(one[1:], other)


def test_a_shifted_block_reads_padding_as_the_published_weights_do() -> None:
    """Padded first, shifted after: a plain loop over windows of the padded map at shifted places."""
    torch.manual_seed(0)
    block = SwinBackbone(SMALL).stages[0][1].eval().double()
    tokens = torch.randn(1, 6, 7, 8, dtype=torch.double)
    padded = torch.zeros(1, 8, 8, 8, dtype=torch.double)
    padded[:, :6, :7] = block.attention_norm(tokens)
    expected = torch.zeros_like(padded)
    bands = [slice(0, 2), slice(2, 6), slice(6, 8)]  # windows of 4, shifted by 2
    for rows in bands:
        for columns in bands:
            height, width = rows.stop - rows.start, columns.stop - columns.start
            part = padded[:, rows, columns].reshape(1, -1, 8)
            qkv = block.attention.qkv(part)
            query, key, value = qkv.chunk(3, dim=-1)
            places = torch.cartesian_prod(torch.arange(height), torch.arange(width))
            distance = places[:, None] - places
            table = block.attention.position_bias[:, 0]
            bias = table[(distance[..., 0] + 3) * 7 + distance[..., 1] + 3]
            weights = (query @ key.transpose(1, 2) / 8**0.5 + bias).softmax(dim=-1)
            expected[:, rows, columns] = block.attention.proj(weights @ value).view(1, height, width, 8)
    found = block._attend(block.attention_norm(tokens))
    torch.testing.assert_close(found, expected[:, :6, :7], rtol=0, atol=1e-9)


def test_windows_come_and_go() -> None:
    tokens = torch.arange(2 * 6 * 9 * 2).view(2, 6, 9, 2)
    windows = split_windows(tokens, 3)
    assert windows.shape == (2, 6, 9, 2)
    assert torch.equal(windows[0, 1, :3], tokens[0, 0, 3:6])
    assert torch.equal(join_windows(windows, (6, 9)), tokens)


def test_relative_places_by_a_loop() -> None:
    table = relative_places(3)
    for first in range(9):
        for second in range(9):
            dy, dx = first // 3 - second // 3, first % 3 - second % 3
            assert table[first, second] == (dy + 2) * 5 + dx + 2


def test_shift_mask_hides_only_what_is_apart() -> None:
    mask = shift_mask((8, 8), window_size=4, shift=2, like=torch.zeros(1))
    assert mask.shape == (4, 16, 16)
    assert not mask[0].any()
    last = mask[3].view(4, 4, 4, 4)
    assert last[0, 0, 1, 1] == 0 and last[0, 0, 2, 0] == HIDDEN_LOGIT and last[0, 0, 0, 2] == HIDDEN_LOGIT
    assert set(mask.unique().tolist()) == {0.0, HIDDEN_LOGIT}


def test_merging_joins_squares_column_by_column() -> None:
    merging = PatchMerging(1)
    merging.norm = torch.nn.Identity()
    merging.reduction = torch.nn.Identity()
    joined = merging(torch.arange(1.0, 10.0).view(1, 3, 3, 1))
    assert joined[0, 0, 0].tolist() == [1.0, 4.0, 2.0, 5.0]
    assert joined[0, 1, 1].tolist() == [9.0, 0.0, 0.0, 0.0]
