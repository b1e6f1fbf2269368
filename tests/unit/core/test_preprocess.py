from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ovvis_models.pillow_resize import resize_like_pillow
from ovvis_models.preprocess import (
    MASK_STRIDE,
    ImageInput,
    geometry,
    image_area,
    masks_to_original,
    prepare,
    proposal_images,
    unpadded_geometry,
)
from ovvis_models.structures import ImageGeometry

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


@pytest.mark.parametrize(
    ("original", "resized", "padded"),
    [
        ((480, 640), (480, 640), (480, 640)),
        ((720, 1280), (480, 853), (480, 864)),
        ((1280, 720), (853, 480), (864, 480)),
        ((100, 1000), (133, 1333), (160, 1344)),  # the long side decides
        ((1, 1), (480, 480), (480, 480)),
        ((1, 5000), (1, 1333), (32, 1344)),
    ],
)
def test_geometry_rounds_half_up_and_pads_to_the_divisor(original, resized, padded):
    found = geometry(original, short_side=480, max_side=1333, divisor=32)
    assert (found.original_hw, found.resized_hw, found.padded_hw) == (original, resized, padded)


def test_geometry_refuses_empty_frames():
    with pytest.raises(ValueError, match="positive"):
        geometry((0, 5), short_side=480, max_side=1333)


@given(height=st.integers(1, 3000), width=st.integers(1, 3000))
@settings(max_examples=50, deadline=None)
def test_geometry_bounds(height, width):
    found = geometry((height, width), short_side=256, max_side=512, divisor=32)
    assert max(found.resized_hw) <= 512
    for resized, padded in zip(found.resized_hw, found.padded_hw, strict=True):
        assert padded % 32 == 0
        assert 1 <= resized <= padded < resized + 32
    free = unpadded_geometry((height, width), short_side=256, max_side=512, divisor=16)
    assert free.resized_hw == free.padded_hw
    assert all(side % 16 == 0 and side >= 16 for side in free.resized_hw)


@pytest.mark.parametrize("size", [(37, 61), (160, 256), (97, 41)])
def test_prepare_resizes_like_pillow(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    shape = geometry(size, short_side=64, max_side=96, divisor=32)
    height, width = shape.resized_hw
    prepared = prepare(torch.from_numpy(pixels)[None], shape, mean=(0.0,) * 3, std=(1.0,) * 3)
    expected = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    found = prepared[0, :, :height, :width].permute(1, 2, 0).numpy()
    difference = np.abs(found - expected.astype(np.float32))
    assert difference.max() <= 1.0
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("wanted", [(480, 853), (45, 80), (89, 158), (90, 160), (91, 162), (1, 1)])
def test_resize_like_pillow_is_exact(wanted):
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (2, 90, 160, 3), dtype=np.uint8)
    frames[1] = rng.integers(0, 2, frames[1].shape) * 255  # as much contrast as there can be
    height, width = wanted
    expected = [Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR) for frame in frames]
    found = resize_like_pillow(torch.from_numpy(frames), wanted)
    assert found.dtype == torch.uint8 and found.shape == (2, 3, height, width)
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), np.stack(expected))


@given(
    old=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    new=st.tuples(st.integers(1, 120), st.integers(1, 120)),
)
@settings(max_examples=60, deadline=None)
def test_resize_like_pillow_is_exact_at_any_size(old, new):
    frame = np.random.default_rng(old[0] * 1000 + new[1]).integers(0, 256, (*old, 3), dtype=np.uint8)
    columns = Image.fromarray(frame).resize((new[1], old[0]), Image.Resampling.BILINEAR)
    expected = columns.resize((new[1], new[0]), Image.Resampling.BILINEAR)
    found = resize_like_pillow(torch.from_numpy(frame)[None], new)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_prepare_takes_the_resize_that_the_model_asks_for():
    pixels = np.random.default_rng(2).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    shape = geometry((97, 131), short_side=64, max_side=96, divisor=32)
    exact = prepare(torch.from_numpy(pixels)[None], shape, mean=MEAN, std=STD, resize="pillow")
    height, width = shape.resized_hw
    expected = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    normalised = (torch.from_numpy(expected.copy()).float() - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.equal(exact[0, :, :height, :width], normalised.permute(2, 0, 1))
    assert not exact[:, :, height:].any()


def test_prepare_normalises_and_pads_with_zeros():
    frames = torch.full((2, 40, 50, 3), 200, dtype=torch.uint8)
    shape = geometry((40, 50), short_side=40, max_side=100, divisor=32)
    prepared = prepare(frames, shape, mean=MEAN, std=STD)
    assert prepared.shape == (2, 3, 64, 64)
    assert prepared[0, 0, 0, 0].item() == pytest.approx((200 - MEAN[0]) / STD[0])
    assert prepared[0, 2, 39, 49].item() == pytest.approx((200 - MEAN[2]) / STD[2])
    assert not prepared[:, :, 40:].any()
    assert not prepared[:, :, :, 50:].any()


def test_prepare_refuses_frames_of_another_size():
    shape = geometry((40, 50), short_side=40, max_side=100)
    with pytest.raises(ValueError, match="geometry is for"):
        prepare(torch.zeros((1, 50, 40, 3), dtype=torch.uint8), shape, mean=MEAN, std=STD)


@given(
    height=st.integers(48, 160), width=st.integers(48, 160), top=st.integers(0, 20), left=st.integers(0, 20)
)
@settings(max_examples=25, deadline=None)
def test_a_mask_finds_back_to_its_place_in_the_frame(height, width, top, left):
    shape = geometry((height, width), short_side=96, max_side=400, divisor=32)
    truth = np.zeros((height, width), dtype=bool)
    truth[top : top + 24, left : left + 24] = True
    logits = torch.full((1, shape.padded_hw[0] // MASK_STRIDE, shape.padded_hw[1] // MASK_STRIDE), -8.0)
    scale = [
        resized / original / MASK_STRIDE
        for resized, original in zip(shape.resized_hw, truth.shape, strict=True)
    ]
    rows = (torch.arange(logits.shape[1]) + 0.5) / scale[0]
    columns = (torch.arange(logits.shape[2]) + 0.5) / scale[1]
    inside = ((rows > top) & (rows < top + 24))[:, None] & ((columns > left) & (columns < left + 24))[None]
    logits[0][inside] = 8.0
    found = masks_to_original(logits, shape)[0].numpy()
    assert found.shape == truth.shape
    assert (found & truth).sum() / (
        found | truth
    ).sum() > 0.6  # up to half a cell of stride 4 off at each side


def test_masks_to_original_of_nothing_and_of_many():
    shape = geometry((30, 40), short_side=64, max_side=100, divisor=32)
    assert masks_to_original(torch.zeros((0, 16, 24)), shape).shape == (0, 30, 40)
    logits = torch.randn((7, 16, 24))
    together = masks_to_original(logits, shape)
    assert torch.equal(together, torch.cat([masks_to_original(one[None], shape) for one in logits]))


def test_masks_to_original_in_chunks(monkeypatch):
    monkeypatch.setattr("ovvis_models.preprocess._PIXELS_AT_ONCE", 2 * 30 * 40)
    shape = geometry((30, 40), short_side=64, max_side=100, divisor=32)
    logits = torch.randn((5, 16, 24), dtype=torch.bfloat16)
    chunked = masks_to_original(logits, shape)
    monkeypatch.undo()
    assert torch.equal(chunked, masks_to_original(logits, shape))


def test_image_area_leaves_the_padding_out():
    shape = geometry((40, 50), short_side=40, max_side=100, divisor=32)
    assert image_area(torch.zeros((2, 5, 16, 16)), shape).shape == (2, 5, 10, 13)


def test_a_square_input_is_rounded_to_whole_windows_and_never_padded():
    wanted = ImageInput(short_side=432, max_side=432, mean=(0, 0, 0), std=(1, 1, 1), fit="square", divisor=24)
    shape = wanted.geometry_of((480, 854))
    assert shape == ImageGeometry(original_hw=(480, 854), resized_hw=(432, 432), padded_hw=(432, 432))
    assert replace(wanted, short_side=400).geometry_of((20, 20)).padded_hw == (408, 408)
    assert replace(wanted, short_side=3).geometry_of((20, 20)).padded_hw == (24, 24)
    with pytest.raises(ValueError, match="positive"):
        wanted.geometry_of((0, 20))


def test_plain_resize_takes_no_pixels_beyond_its_neighbours():
    frames = torch.zeros((1, 8, 8, 3), dtype=torch.uint8)
    frames[:, 0, 0] = 255  # between the places that are read at a quarter of the size
    wanted = ImageInput(short_side=2, max_side=2, mean=(0, 0, 0), std=(1, 1, 1), fit="square", divisor=2)
    plain, _ = proposal_images(frames, replace(wanted, resize="plain"))
    antialiased, _ = proposal_images(frames, wanted)
    assert plain.max() == 0
    assert antialiased.max() > 0
