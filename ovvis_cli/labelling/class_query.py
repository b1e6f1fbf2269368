"""Which of the asked names a track is: the one place where labels are decided, for segment and relabel."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_cli.record.schema import LabelScore, TrackLabel
from ovvis_cli.vocabulary.closed_set import class_columns
from ovvis_cli.vocabulary.distractors import diorama_world
from ovvis_cli.vocabulary.embedding import VocabularyEmbedder
from ovvis_cli.vocabulary.known_words import vocabulary_warnings
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_models.catalog import LoadedModel
from ovvis_models.heads.vocabulary_scores import class_probabilities
from ovvis_models.networks.minvis import MinVIS
from ovvis_models.text.vocabulary import Progress

_NUM_RUNNER_UP = 3
MAX_LOGIT_SCALE = 100.0  # CLIP never multiplies with more

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEmbeds:
    """A vocabulary as the model sees it: embeddings of its text encoder, or columns of its class head."""

    class_embeds: Float[Tensor, "K D"]  # unit norm; the asked names first, then the distractors
    num_asked: int
    logit_scale: float  # multiplies cosine similarities
    class_exponent: float = 1.0  # of the class probability in a track's score


def embed_classes(
    model: LoadedModel, *, vocabulary: Vocabulary, distractors: bool, progress: Progress | None = None
) -> ClassEmbeds:
    """The embeddings of the names, and of what they have to win against if `distractors`; cached on disk.

    Words that the model never read are warned of, whichever command asks. `progress` is told of the prompts
    as they are encoded, not when all is in the cache. Of a closed set, the embedding of a name is the unit
    vector of its column, so that its product with class logits is its logit.

    Raises:
        VocabularyError: the model knows a closed set of classes, and a name is not among them.
    """
    if isinstance(model.network, MinVIS):
        return _embed_closed_set(model, vocabulary=vocabulary, distractors=distractors)
    world = diorama_world() if model.spec.text_domain == "diorama" else None
    for warning in vocabulary_warnings(vocabulary.names, model_name=model.spec.name):
        logger.warning("%s", warning)
    text_encoder = model.network.text_encoder
    embedder = VocabularyEmbedder(text_encoder, world=world, progress=progress)
    embedded = embedder.embed(vocabulary, distractors=distractors)
    logit_scale = text_encoder.logit_scale.detach().exp().clamp(max=MAX_LOGIT_SCALE).item()
    return ClassEmbeds(
        class_embeds=embedded.class_embeds,
        num_asked=embedded.num_asked,
        logit_scale=logit_scale,
        class_exponent=model.spec.class_exponent,
    )


def _embed_closed_set(model: LoadedModel, *, vocabulary: Vocabulary, distractors: bool) -> ClassEmbeds:
    asked = class_columns(vocabulary, model_name=model.spec.name, closed_set=model.spec.closed_set)
    no_object = model.spec.token_dim - 1  # no distractor: it is what the head says of how sure it is
    others = [column for column in range(no_object) if column not in asked] if distractors else []
    return ClassEmbeds(
        class_embeds=torch.eye(model.spec.token_dim)[[*asked, *others, no_object]],
        num_asked=len(asked),
        logit_scale=1.0,
    )


def label_tracks(  # noqa: PLR0913  each rule is a parameter
    tokens: Float[Tensor, "N D"],
    *,
    object_scores: Float[Tensor, " N"],
    class_embeds: Float[Tensor, "K D"],
    num_asked: int,
    logit_scale: float,
    names: Sequence[str],
    class_exponent: float = 1.0,
    score_threshold: float = 0.0,
    max_tracks: int | None = None,
) -> list[TrackLabel]:
    """One answer a track, in order.

    A track gets the most probable asked name, unless a distractor is more probable, its score is below
    `score_threshold`, or `max_tracks` other tracks have a better score.

    Args:
        tokens: mean instance token of each track, unit norm.
        object_scores: mean object score of each track, [0, 1].
        class_embeds: unit norm; the asked names first, then the distractors.
        num_asked: how many rows of `class_embeds` were asked for.
        logit_scale: multiplies the cosine similarities before the softmax.
        names: the asked names, `num_asked` of them.
        class_exponent: of the probability in a score.
        score_threshold: least score of a label, [0, 1].
        max_tracks: most tracks that may get a label.
    """
    if len(names) != num_asked:
        raise ValueError(f"{num_asked} asked classes, {len(names)} names")
    if tokens.shape[0] == 0:
        return []
    probabilities = class_probabilities(
        tokens.float(), class_embeds.float(), logit_scale=logit_scale, num_asked=class_embeds.shape[0]
    )  # (N, K): asked and distractors, because a distractor may win
    scores = probabilities[:, :num_asked] ** class_exponent * object_scores.float()[:, None]
    best_asked = probabilities[:, :num_asked].amax(dim=1)
    top_scores, top_names = scores.topk(min(num_asked, 1 + _NUM_RUNNER_UP), dim=1)
    won = (best_asked >= probabilities.amax(dim=1)) & (top_scores[:, 0] >= score_threshold)
    if max_tracks is not None:
        rank = torch.where(won, top_scores[:, 0], -1.0).argsort(descending=True, stable=True).argsort()
        won &= rank < max_tracks
    ranked = [
        [LabelScore(label=names[i], score=score) for i, score in zip(row_names, row_scores, strict=True)]
        for row_names, row_scores in zip(top_names.tolist(), top_scores.tolist(), strict=True)
    ]
    return [_track_label(row, won=row_won) for row, row_won in zip(ranked, won.tolist(), strict=True)]


def _track_label(ranked: list[LabelScore], *, won: bool) -> TrackLabel:
    if won:
        return TrackLabel(label=ranked[0].label, score=ranked[0].score, runner_up=tuple(ranked[1:]))
    return TrackLabel(label=None, score=None, runner_up=tuple(ranked[:_NUM_RUNNER_UP]))
