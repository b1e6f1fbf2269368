"""Decoding of run lengths: equal to pycocotools on sound masks, refused with its place on broken ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from ovvis_cli.data.runs import MaskError, check_totals, decode_counts


def _encoded(mask: np.ndarray) -> str:
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts.decode("ascii")


def _runs(mask: np.ndarray) -> list[int]:
    """Run lengths down the columns, background first."""
    pixels = np.concatenate([[0], mask.flatten(order="F").astype(int)])
    changes = np.flatnonzero(np.diff(pixels))
    bounds = np.concatenate([[0], changes, [mask.size]])
    return np.diff(bounds).tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 40))), min_size=1, max_size=5))
def test_runs_equal_those_of_the_masks(masks: list[np.ndarray]) -> None:
    decoded = decode_counts([_encoded(mask) for mask in masks])
    check_totals(decoded, np.array([mask.size for mask in masks]))
    for n, mask in enumerate(masks):
        own = slice(decoded.offsets[n], decoded.offsets[n + 1])
        pairs = np.stack([decoded.background[own], decoded.foreground[own]], axis=1).ravel().tolist()
        wanted = _runs(mask)
        assert pairs == wanted + [0] * (len(pairs) - len(wanted))


def test_long_runs_take_several_characters() -> None:
    mask = np.zeros((2000, 3000), dtype=bool)
    mask[5:1990, 7:2990] = True
    mask[100, 100] = False
    decoded = decode_counts([_encoded(mask)])
    assert int(decoded.foreground.sum()) == int(mask.sum())
    assert int(decoded.background.sum()) == int((~mask).sum())


def test_no_masks_and_no_runs() -> None:
    assert decode_counts([]).offsets.tolist() == [0]
    empty = decode_counts(["", "Q1"])
    assert empty.offsets.tolist() == [0, 0, 1]
    with pytest.raises(MaskError, match="runs add up to 0, less than 6 pixels") as raised:
        check_totals(empty, np.array([6, 33]))
    assert raised.value.index == 0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("b'P3'", "bytes were converted"),
        ("1 2", "character ' '"),
        ("ab", "ends within a run"),
        ("é", "beyond ASCII"),
        ("ooooooooo1", "a run of more than 8 characters"),
    ],
)
def test_what_is_no_encoding_is_refused_with_its_place(counts: str, message: str) -> None:
    good = _encoded(np.eye(6, dtype=bool))
    with pytest.raises(MaskError, match=message) as raised:
        decode_counts([good, "", counts, good])
    assert raised.value.index == 2


def test_negative_runs_are_refused() -> None:
    good = _encoded(np.eye(6, dtype=bool))
    with pytest.raises(MaskError, match="negative run length") as raised:
        check_totals(decode_counts([good, "4O4"]), np.array([36, 36]))
    assert raised.value.index == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=127), max_size=12), max_size=4)
)
def test_whatever_a_file_says_is_decoded_or_refused(strings: list[str]) -> None:
    try:
        decoded = decode_counts(strings)
        check_totals(decoded, np.full(len(strings), 12))
    except MaskError as error:
        assert 0 <= error.index < len(strings)
    else:
        assert all(coco_mask.area({"size": [3, 4], "counts": counts}) <= 12 for counts in strings)
