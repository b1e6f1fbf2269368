"""Comparing one array of a fixture with ours: numbers, whole numbers, or bits of masks."""

from dataclasses import dataclass

import numpy as np

NEAR_THRESHOLD = {"float64": 1e-5, "float32": 1e-4}
"""A bit may differ where our logit is no further from 0; single precision moves logits by up to 1e-4, as the
fixtures say of the official code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Our side of an array, thinned like the fixture's."""

    values: np.ndarray
    margin: np.ndarray | None = None  # of bits: the |logit| behind each
    slack: np.ndarray | None = None  # of numbers: what undecided bits may add to each difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one array compares."""

    name: str
    max_abs: float
    max_rel: float  # largest absolute difference over the largest absolute value of the reference
    passed: bool
    remark: str = ""


def compare(name: str, reference: np.ndarray, found: Found, *, tolerance: float) -> Verdict:
    """Return the verdict on one array; `tolerance` bounds the relative difference of numbers."""
    if found.margin is not None:
        return _compare_bits(name, reference, found.values, found.margin)
    if reference.shape != found.values.shape:
        return _failed(name, f"shape {found.values.shape} instead of {reference.shape}")
    if reference.dtype.kind in "iub":
        return _compare_exactly(name, reference, found.values)
    return _compare_numbers(name, reference, found, tolerance=tolerance)


def _compare_numbers(name: str, reference: np.ndarray, found: Found, *, tolerance: float) -> Verdict:
    # What storing the reference in half or single precision may have cost is no difference of ours.
    rounding = np.spacing(np.abs(reference)).astype(np.float64) / 2
    slack = 0.0 if found.slack is None else found.slack
    difference = np.abs(reference.astype(np.float64) - found.values.astype(np.float64))
    excess = np.maximum(difference - rounding - slack, 0.0)
    scale = float(np.abs(reference).max(initial=0.0)) or 1.0
    worst = float(excess.max(initial=0.0))
    return Verdict(
        name=name,
        max_abs=float(difference.max(initial=0.0)),
        max_rel=worst / scale,
        passed=bool(worst <= tolerance * scale),  # False for NaN
    )


def _compare_exactly(name: str, reference: np.ndarray, ours: np.ndarray) -> Verdict:
    difference = np.abs(reference.astype(np.int64) - ours.astype(np.int64))
    count = int((difference > 0).sum())
    return Verdict(
        name=name,
        max_abs=float(difference.max(initial=0)),
        max_rel=count / max(difference.size, 1),
        passed=count == 0,
        remark=f"{count} differ" if count else "",
    )


def _compare_bits(name: str, reference: np.ndarray, ours: np.ndarray, margin: np.ndarray) -> Verdict:
    """Compare boolean `ours` (rows, places) with rows of packed bits."""
    num_places = ours.shape[-1]
    if reference.shape != (*ours.shape[:-1], -(-num_places // 8)):
        return _failed(name, f"bits of {ours.shape} do not pack to {reference.shape}")
    wanted = np.unpackbits(reference, axis=-1, count=num_places).astype(bool)
    differing = wanted != ours
    near = NEAR_THRESHOLD[margin.dtype.name]
    beyond = differing & ~(margin <= near)
    count = int(differing.sum())
    return Verdict(
        name=name,
        max_abs=float(margin[differing].max(initial=0.0)),
        max_rel=count / max(differing.size, 1),
        passed=not beyond.any(),
        remark=f"{count} bits differ, {int(beyond.sum())} beyond {near:g}" if count else "",
    )


def _failed(name: str, remark: str) -> Verdict:
    return Verdict(name=name, max_abs=float("nan"), max_rel=float("nan"), passed=False, remark=remark)
