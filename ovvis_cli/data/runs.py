"""Decoder of many run-length encoded masks at once, which checks everything it reads.

COCO's compressed form writes each run as characters of 6 bits; from the fourth run on it writes the
difference to the run before the last. pycocotools loops forever on masks whose runs do not add up to the
frame. So strings are decoded and checked here, in numpy, before pycocotools sees them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt8

_FIRST_CHARACTER = 48
_CONTINUES, _NEGATIVE, _VALUE = 0x20, 0x10, 0x1F
_BITS = 5
_MAX_CHARACTERS = 8  # per run: 40 bits, more than any mask needs


class MaskError(ValueError):
    """A mask that cannot be used; `index` is its position among the given masks."""

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPairs:
    """The runs of N masks, as pairs of a background run and the foreground run after it.

    Mask n has the pairs offsets[n]:offsets[n + 1]; its last foreground run is 0 if the mask ends in
    background.
    """

    background: Int[np.ndarray, " P"]
    foreground: Int[np.ndarray, " P"]
    offsets: Int[np.ndarray, " N+1"]


def decode_counts(strings: Sequence[str]) -> RunPairs:
    """Decode the runs of compressed masks.

    Raises:
        MaskError: a string holds characters that are not part of the encoding, or ends within a run.
    """
    ends = np.cumsum(np.fromiter(map(len, strings), dtype=np.int64, count=len(strings)))
    characters = _characters("".join(strings), strings=strings, ends=ends)
    last_characters = np.flatnonzero(characters < _CONTINUES)
    num_characters = np.diff(last_characters, prepend=-1)
    runs_before = np.searchsorted(last_characters, ends)
    num_runs = np.diff(runs_before, prepend=0)
    _check_ends(characters, num_characters=num_characters, strings=strings, ends=ends)
    values = _values(characters, last_characters=last_characters, num_characters=num_characters)
    return _undo_differences(values, num_runs=num_runs)


def check_totals(runs: RunPairs, num_pixels: Int[np.ndarray, " N"]) -> None:
    """Raise MaskError for a negative run, or if the runs do not add up to `num_pixels` of the mask."""
    negative = (runs.background < 0) | (runs.foreground < 0)
    if negative.any():
        index = int(np.searchsorted(runs.offsets, np.argmax(negative), side="right")) - 1
        raise MaskError("negative run length", index=index)
    sums = np.concatenate([[0], np.cumsum(runs.background + runs.foreground)])
    totals = np.diff(sums[runs.offsets])
    if (totals != num_pixels).any():
        index = int(np.argmax(totals != num_pixels))
        total, wanted = int(totals[index]), int(num_pixels[index])
        less_or_more = "less" if total < wanted else "more"
        raise MaskError(f"runs add up to {total}, {less_or_more} than {wanted} pixels", index=index)


def _characters(text: str, *, strings: Sequence[str], ends: Int[np.ndarray, " N"]) -> UInt8[np.ndarray, " S"]:
    """Return the 6 bits of each character."""
    try:
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8) - np.uint8(_FIRST_CHARACTER)
    except UnicodeEncodeError:
        index = next(n for n, string in enumerate(strings) if not string.isascii())
        raise MaskError("counts cannot be decoded: there are characters beyond ASCII", index=index) from None
    wrong = codes > (_CONTINUES | _VALUE)  # codes below the first valid character wrap around
    if wrong.any():
        place = int(np.argmax(wrong))
        index = int(np.searchsorted(ends, place, side="right"))
        raise MaskError(_wrong_character(strings[index], text[place]), index=index)
    return codes


def _wrong_character(string: str, character: str) -> str:
    if string.startswith(("b'", 'b"')):
        return "counts cannot be decoded: it starts with b' (bytes were converted with str(), not decoded)"
    return f"counts cannot be decoded: character {character!r} is not part of the encoding"


def _check_ends(
    characters: UInt8[np.ndarray, " S"],
    *,
    num_characters: Int[np.ndarray, " R"],
    strings: Sequence[str],
    ends: Int[np.ndarray, " N"],
) -> None:
    filled = np.flatnonzero(np.diff(ends, prepend=0))
    cut = characters[ends[filled] - 1] >= _CONTINUES
    if cut.any():
        raise MaskError("counts cannot be decoded: it ends within a run", index=int(filled[np.argmax(cut)]))
    if num_characters.size and num_characters.max() > _MAX_CHARACTERS:
        place = int(num_characters[: np.argmax(num_characters > _MAX_CHARACTERS) + 1].sum()) - 1
        index = int(np.searchsorted(ends, place, side="right"))
        raise MaskError(
            f"counts cannot be decoded: a run of more than {_MAX_CHARACTERS} characters", index=index
        )


def _values(
    characters: UInt8[np.ndarray, " S"],
    *,
    last_characters: Int[np.ndarray, " R"],
    num_characters: Int[np.ndarray, " R"],
) -> Int[np.ndarray, " R"]:
    """Decode the number of each run: little-endian groups of five bits in two's complement."""
    highest = characters[last_characters].astype(np.int64)
    values = (highest & _VALUE) - ((highest & _NEGATIVE) << 1)
    longer = np.flatnonzero(num_characters > 1)
    for before in range(1, int(num_characters.max(initial=1))):
        longer = longer[num_characters[longer] > before]
        values[longer] = (values[longer] << _BITS) + (characters[last_characters[longer] - before] & _VALUE)
    return values


def _undo_differences(values: Int[np.ndarray, " R"], *, num_runs: Int[np.ndarray, " N"]) -> RunPairs:
    """Undo the differences: from the fourth run on, add the run two before."""
    num_pairs = (num_runs + 1) // 2
    offsets = np.concatenate([[0], np.cumsum(num_pairs)])
    paired = np.zeros(2 * offsets[-1], dtype=np.int64)  # every mask starts at an even position
    shift = 2 * offsets[:-1] - (np.cumsum(num_runs) - num_runs)
    paired[np.arange(len(values)) + np.repeat(shift, num_runs)] = values
    background, foreground = paired[0::2], paired[1::2]
    first = offsets[:-1][num_pairs > 0]
    first_background = background[first]
    background[first] = 0  # not part of the chain of differences
    background = _segmented_sums(background, offsets=offsets, sizes=num_pairs)
    background[first] = first_background
    foreground = _segmented_sums(foreground, offsets=offsets, sizes=num_pairs)
    odd = np.flatnonzero(num_runs % 2 == 1)
    foreground[offsets[odd + 1] - 1] = 0  # this run does not exist
    return RunPairs(background=background, foreground=foreground, offsets=offsets)


def _segmented_sums(
    values: Int[np.ndarray, " P"], *, offsets: Int[np.ndarray, " N+1"], sizes: Int[np.ndarray, " N"]
) -> Int[np.ndarray, " P"]:
    """Return running sums that restart with each segment."""
    sums = np.cumsum(values)
    before = np.concatenate([[0], sums])[offsets[:-1]]
    sums -= np.repeat(before, sizes)
    return sums
