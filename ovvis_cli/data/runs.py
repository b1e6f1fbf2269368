"""Run-length encoded masks as intervals of pixels: many at once, and never trusted.

COCO's compressed form writes each run as characters of 6 bits; from the fourth run on it writes the
difference to the run before the last. pycocotools loops for ever over masks whose runs do not add up to the
frame, so nothing that a file says reaches it: strings are decoded here, in numpy, and checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

_FIRST_CHARACTER = 48
_CONTINUES, _NEGATIVE, _VALUE = 0x20, 0x10, 0x1F
_BITS = 5
_MAX_CHARACTERS = 8  # of one run: 40 bits, more than any mask needs


class MaskError(ValueError):
    """A mask that cannot be used; `index` is its position in the given masks."""

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs of N masks, one after the other; mask n has runs[offsets[n]:offsets[n + 1]]."""

    lengths: Int[np.ndarray, " R"]
    offsets: Int[np.ndarray, " N+1"]


def decode_counts(strings: Sequence[str]) -> Runs:
    """The runs of compressed masks.

    Raises:
        MaskError: a string holds characters that are not part of the encoding, or ends within a run.
    """
    sizes = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    characters = _characters("".join(strings), strings=strings)
    first_character = np.concatenate([[0], np.cumsum(sizes)])
    last_of_run = (characters & _CONTINUES) == 0
    _check_ends(last_of_run, sizes=sizes, first_character=first_character, strings=strings)
    values = _values(characters, last_of_run=last_of_run)
    runs_before = np.concatenate([[0], np.cumsum(last_of_run)])
    offsets = runs_before[first_character]
    return Runs(lengths=_undo_differences(values, offsets=offsets), offsets=offsets)


def check_totals(runs: Runs, num_pixels: Int[np.ndarray, " N"]) -> None:
    """Raises MaskError for a negative run, and where the runs do not add up to `num_pixels` of the mask."""
    mask_of_run = np.repeat(np.arange(len(num_pixels)), np.diff(runs.offsets))
    if (runs.lengths < 0).any():
        index = int(mask_of_run[np.argmax(runs.lengths < 0)])
        raise MaskError("negative run length", index=index)
    totals = np.bincount(mask_of_run, weights=runs.lengths, minlength=len(num_pixels)).astype(np.int64)
    if (totals != num_pixels).any():
        index = int(np.argmax(totals != num_pixels))
        total, wanted = int(totals[index]), int(num_pixels[index])
        less_or_more = "less" if total < wanted else "more"
        raise MaskError(f"runs add up to {total}, {less_or_more} than {wanted} pixels", index=index)


def _characters(text: str, *, strings: Sequence[str]) -> Int[np.ndarray, " S"]:
    try:
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64) - _FIRST_CHARACTER
    except UnicodeEncodeError:
        index = next(n for n, string in enumerate(strings) if not string.isascii())
        raise MaskError("counts cannot be decoded: there are characters beyond ASCII", index=index) from None
    wrong = (codes < 0) | (codes > (_CONTINUES | _VALUE))
    if wrong.any():
        ends = np.cumsum([len(string) for string in strings])
        place = int(np.argmax(wrong))
        index = int(np.searchsorted(ends, place, side="right"))
        raise MaskError(_wrong_character(strings[index], text[place]), index=index)
    return codes


def _wrong_character(string: str, character: str) -> str:
    if string.startswith(("b'", 'b"')):
        return "counts cannot be decoded: it starts with b' (bytes were converted with str(), not decoded)"
    return f"counts cannot be decoded: character {character!r} is not part of the encoding"


def _check_ends(
    last_of_run: np.ndarray,
    *,
    sizes: Int[np.ndarray, " N"],
    first_character: Int[np.ndarray, " N+1"],
    strings: Sequence[str],
) -> None:
    filled = np.flatnonzero(sizes)
    cut = ~last_of_run[first_character[filled + 1] - 1]
    if cut.any():
        raise MaskError("counts cannot be decoded: it ends within a run", index=int(filled[np.argmax(cut)]))
    ends = np.flatnonzero(last_of_run)
    long = np.diff(ends, prepend=-1) > _MAX_CHARACTERS
    if long.any():
        place = int(ends[np.argmax(long)])
        index = int(np.searchsorted(first_character, place, side="right")) - 1
        raise MaskError(f"counts cannot be decoded: a run of {len(strings[index])} characters", index=index)


def _values(characters: Int[np.ndarray, " S"], *, last_of_run: np.ndarray) -> Int[np.ndarray, " R"]:
    """The number that each run writes: little-endian groups of five bits in two's complement."""
    ends = np.flatnonzero(last_of_run)
    if ends.size == 0:
        return np.zeros(0, dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    num_characters = ends - starts + 1
    shifts = _BITS * (np.arange(len(characters)) - np.repeat(starts, num_characters))
    values = np.add.reduceat((characters & _VALUE) << shifts, starts)
    negative = (characters[ends] & _NEGATIVE) != 0
    return np.asarray(values - np.where(negative, np.int64(1) << (_BITS * num_characters), 0))


def _undo_differences(
    values: Int[np.ndarray, " R"], *, offsets: Int[np.ndarray, " N+1"]
) -> Int[np.ndarray, " R"]:
    """Runs from what was written: from the fourth on, a run is added to the one two before it."""
    num_runs = np.diff(offsets)
    place = np.arange(len(values)) - np.repeat(offsets[:-1], num_runs)
    mask = np.repeat(np.arange(len(num_runs)), num_runs)
    lengths = values.copy()
    for chain in ((place % 2 == 1), (place % 2 == 0) & (place > 0)):  # 1, 3, 5 ... and 2, 4, 6 ...
        lengths[chain] = _segmented_sums(values[chain], segment=mask[chain])
    return lengths


def _segmented_sums(
    values: Int[np.ndarray, " R"], *, segment: Int[np.ndarray, " R"]
) -> Int[np.ndarray, " R"]:
    """Running sums that begin anew with each segment; segments are ascending."""
    if values.size == 0:
        return values
    sums = np.cumsum(values)
    first = np.flatnonzero(np.diff(segment, prepend=segment[0] - 1))
    before = np.concatenate([[0], sums[first[1:] - 1]])
    return np.asarray(sums - np.repeat(before, np.diff(np.append(first, len(values)))))
