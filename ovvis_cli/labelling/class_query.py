"""ClassQuery: embeddings of the requested names, and the rules that label tracks with them.

It is created once, by `make_query`, and shared by `segment`, `relabel` and `evaluate`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_cli.labelling.class_rows import ClassRows, class_rows
from ovvis_cli.record.schema import LabelScore, TrackLabel, VocabularyInfo
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_models.loading import LoadedModel
from ovvis_models.text.vocabulary import Progress
from ovvis_models.text.vocabulary_scores import class_logits

_NUM_RUNNER_UP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassQuery:
    """K names to find, with the embeddings that score instance tokens."""

    vocabulary: VocabularyInfo  # names, category ids and rules, as records keep them
    rows: ClassRows

    def probabilities(self, tokens: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
        """Return the probability of each requested class, in [0, 1]; the rest goes to distractors."""
        return self._all_probabilities(tokens)[:, : len(self.vocabulary.names)]

    def scores(
        self, tokens: Float[Tensor, "N D"], object_scores: Float[Tensor, " N"]
    ) -> Float[Tensor, "N K"]:
        """Return the score of each track and requested class under product rules, in [0, 1]."""
        return self.probabilities(tokens) ** self.rows.class_exponent * object_scores.float()[:, None]

    def label(self, tokens: Float[Tensor, "N D"], object_scores: Float[Tensor, " N"]) -> list[TrackLabel]:
        """Return one label per track, in order.

        A track gets the most probable requested name, unless a distractor is more probable, its score is
        below the score threshold, or `max_tracks` other tracks have a higher score.

        Args:
            tokens: mean instance token of each track, unit norm (class logits for a closed set).
            object_scores: mean object score of each track, in [0, 1].
        """
        if tokens.shape[0] == 0:
            return []
        rules = self.vocabulary
        num_asked = len(rules.names)
        probabilities = self._all_probabilities(tokens)  # including distractors
        scores = probabilities[:, :num_asked] ** self.rows.class_exponent * object_scores.float()[:, None]
        best_asked = probabilities[:, :num_asked].amax(dim=1)
        top_scores, top_names = scores.topk(min(num_asked, 1 + _NUM_RUNNER_UP), dim=1)
        won = (best_asked >= probabilities.amax(dim=1)) & (top_scores[:, 0] >= rules.score_threshold)
        if rules.max_tracks is not None:
            rank = torch.where(won, top_scores[:, 0], -1.0).argsort(descending=True, stable=True).argsort()
            won &= rank < rules.max_tracks
        ranked = [
            [
                LabelScore(label=rules.names[index], score=score)
                for index, score in zip(row_names, row_scores, strict=True)
            ]
            for row_names, row_scores in zip(top_names.tolist(), top_scores.tolist(), strict=True)
        ]
        return [_track_label(row, won=row_won) for row, row_won in zip(ranked, won.tolist(), strict=True)]

    def _all_probabilities(self, tokens: Float[Tensor, "N D"]) -> Float[Tensor, "N K_all"]:
        """Return the probabilities of all classes: requested ones first, then distractors."""
        rows = self.rows
        logits = class_logits(tokens.float(), rows.embeds.float(), logit_scale=rows.logit_scale)
        return rows.link(rows.per_name(logits))


def make_query(
    model: LoadedModel,
    vocabulary: Vocabulary,
    *,
    distractors: bool = True,
    score_threshold: float = 0.0,
    max_tracks: int | None = None,
    text_embeddings: Float[Tensor, "K D"] | None = None,
    published_names: bool = False,
    progress: Progress | None = None,
) -> ClassQuery:
    """Embed the vocabulary with the model's text encoder (cached on disk), or find columns of a class head.

    Args:
        model: the model whose tokens will be scored.
        vocabulary: the names.
        distractors: whether the names also compete with a general vocabulary.
        score_threshold: minimum score of a label, in [0, 1].
        max_tracks: maximum number of tracks that get a label.
        text_embeddings: one row per name, used instead of the text encoder's; scaled to unit norm.
        published_names: put names into prompts as the code of the model's paper does.
        progress: progress callback for encoding prompts; not called if all of them are cached.

    Raises:
        VocabularyError: the model has a closed set of classes and a name is not among them, or the text
            embeddings do not fit.
    """
    rows = class_rows(
        model,
        vocabulary,
        distractors=distractors,
        text_embeddings=text_embeddings,
        published_names=published_names,
        progress=progress,
    )
    info = VocabularyInfo(
        names=vocabulary.names,
        category_ids=vocabulary.category_ids,
        distractors=distractors,
        score_threshold=score_threshold,
        max_tracks=max_tracks,
        text_embeddings_sha256=None if text_embeddings is None else _sha256(text_embeddings),
    )
    return ClassQuery(vocabulary=info, rows=rows)


def _sha256(embeds: Float[Tensor, "K D"]) -> str:
    return hashlib.sha256(embeds.contiguous().numpy().tobytes()).hexdigest()


def _track_label(ranked: Sequence[LabelScore], *, won: bool) -> TrackLabel:
    if won:
        return TrackLabel(label=ranked[0].label, score=ranked[0].score, runner_up=tuple(ranked[1:]))
    return TrackLabel(label=None, score=None, runner_up=tuple(ranked[:_NUM_RUNNER_UP]))
