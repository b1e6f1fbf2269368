"""HOTA: detection accuracy (DetA), association accuracy (AssA), and the square root of their product.

Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021. All figures are
arrays over the 19 similarity thresholds alpha = 0.05 ... 0.95.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from ovvis_cli.evaluation.burst.frames import ClassFrames

ALPHAS: Final = tuple(float(alpha) for alpha in np.arange(0.05, 0.99, 0.05))

_EPSILON: Final = float(np.finfo("float").eps)
_NOTHING: Final = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Hota:
    """Counts and figures of one class, in one or several sequences; the axis is alpha."""

    true_positives: Float[np.ndarray, " A"]
    false_negatives: Float[np.ndarray, " A"]
    false_positives: Float[np.ndarray, " A"]
    association: Float[np.ndarray, " A"]  # AssA
    association_recall: Float[np.ndarray, " A"]
    association_precision: Float[np.ndarray, " A"]
    localisation: Float[np.ndarray, " A"]  # LocA: mean similarity of matches

    @property
    def detection(self) -> Float[np.ndarray, " A"]:
        """Detection accuracy, DetA."""
        return self.true_positives / np.maximum(
            1.0, self.true_positives + self.false_negatives + self.false_positives
        )

    @property
    def detection_recall(self) -> Float[np.ndarray, " A"]:
        """Detection recall, DetRe."""
        return self.true_positives / np.maximum(1.0, self.true_positives + self.false_negatives)

    @property
    def detection_precision(self) -> Float[np.ndarray, " A"]:
        """Detection precision, DetPr."""
        return self.true_positives / np.maximum(1.0, self.true_positives + self.false_positives)

    @property
    def hota(self) -> Float[np.ndarray, " A"]:
        """The square root of DetA times AssA."""
        return np.sqrt(self.detection * self.association)

    @property
    def open_world(self) -> Float[np.ndarray, " A"]:
        """OWTA: as HOTA with recall instead of DetA, because false positives are unknown in an open world."""
        return np.sqrt(self.detection_recall * self.association)


def sequence_hota(detections: ClassFrames) -> Hota:
    """Compute HOTA of one class in one sequence."""
    alignment = _alignment(detections)
    shape = (len(ALPHAS), detections.num_annotated_ids, detections.num_predicted_ids)
    matches = np.zeros(shape)
    true_positives, similarity = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS))
    num_annotated = sum(frame.annotated_ids.size for frame in detections.frames)
    num_predicted = sum(frame.predicted_ids.size for frame in detections.frames)
    for frame in detections.frames:
        own = alignment[np.ix_(frame.annotated_ids, frame.predicted_ids)]
        rows, columns = linear_sum_assignment(-(own * frame.similarity))
        similarities = frame.similarity[rows, columns]
        good = similarities >= np.asarray(ALPHAS)[:, None] - _EPSILON
        true_positives += good.sum(axis=1)
        similarity += (good * similarities).sum(axis=1)
        matches[:, frame.annotated_ids[rows], frame.predicted_ids[columns]] += good
    annotated_counts, predicted_counts = _counts(detections)
    weights = np.maximum(1.0, true_positives)
    unions = annotated_counts[:, None] + predicted_counts[None] - matches
    return Hota(
        true_positives=true_positives,
        false_negatives=num_annotated - true_positives,
        false_positives=num_predicted - true_positives,
        association=_mean_over_matches(matches, of=unions) / weights,
        association_recall=_mean_over_matches(matches, of=annotated_counts[:, None]) / weights,
        association_precision=_mean_over_matches(matches, of=predicted_counts[None]) / weights,
        localisation=_localisation(similarity, true_positives),
    )


def combine(parts: Sequence[Hota]) -> Hota:
    """Combine several sequences or classes: counts are summed, figures are weighted by true positives."""
    weights = np.stack([part.true_positives for part in parts])
    total = weights.sum(axis=0)

    def weighted(figures: Sequence[Float[np.ndarray, " A"]]) -> Float[np.ndarray, " A"]:
        return np.asarray((np.stack(figures) * weights).sum(axis=0) / np.maximum(1.0, total))

    similarity = (np.stack([part.localisation for part in parts]) * weights).sum(axis=0)
    return Hota(
        true_positives=total,
        false_negatives=np.sum([part.false_negatives for part in parts], axis=0),
        false_positives=np.sum([part.false_positives for part in parts], axis=0),
        association=weighted([part.association for part in parts]),
        association_recall=weighted([part.association_recall for part in parts]),
        association_precision=weighted([part.association_precision for part in parts]),
        localisation=_localisation(similarity, total),
    )


def _alignment(detections: ClassFrames) -> Float[np.ndarray, "G D"]:
    """Return the Jaccard index of each pair of tracks over the whole sequence, in soft counts."""
    overlaps = np.zeros((detections.num_annotated_ids, detections.num_predicted_ids))
    for frame in detections.frames:
        similarity = frame.similarity
        totals = similarity.sum(axis=0)[None] + similarity.sum(axis=1)[:, None] - similarity
        share = np.divide(similarity, totals, out=np.zeros(similarity.shape), where=totals > _EPSILON)
        overlaps[np.ix_(frame.annotated_ids, frame.predicted_ids)] += share
    annotated_counts, predicted_counts = _counts(detections)
    return np.asarray(overlaps / (annotated_counts[:, None] + predicted_counts[None] - overlaps))


def _counts(detections: ClassFrames) -> tuple[Int[np.ndarray, " G"], Int[np.ndarray, " D"]]:
    """Return the number of frames of each track."""
    annotated = np.concatenate([np.zeros(0, int), *(frame.annotated_ids for frame in detections.frames)])
    predicted = np.concatenate([np.zeros(0, int), *(frame.predicted_ids for frame in detections.frames)])
    return (
        np.bincount(annotated, minlength=detections.num_annotated_ids),
        np.bincount(predicted, minlength=detections.num_predicted_ids),
    )


def _mean_over_matches(
    matches: Float[np.ndarray, "A G D"], *, of: Float[np.ndarray, "..."]
) -> Float[np.ndarray, " A"]:
    return np.asarray((matches * matches / np.maximum(1, of)).sum(axis=(1, 2)))


def _localisation(
    similarity: Float[np.ndarray, " A"], true_positives: Float[np.ndarray, " A"]
) -> Float[np.ndarray, " A"]:
    return np.asarray(np.maximum(_NOTHING, similarity) / np.maximum(_NOTHING, true_positives))
