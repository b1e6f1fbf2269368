"""Class embeddings of a vocabulary: of a text encoder, a table of words, a file, or a class head."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ovvis_cli.errors import VocabularyError
from ovvis_cli.vocabulary.closed_set import class_columns
from ovvis_cli.vocabulary.distractors import diorama_world
from ovvis_cli.vocabulary.embedding import VocabularyEmbedder
from ovvis_cli.vocabulary.known_words import vocabulary_warnings
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_cli.vocabulary.word_list import word_list
from ovvis_cli.vocabulary.words import fold
from ovvis_models.loading import LoadedModel
from ovvis_models.systems.spec import ModelSpec
from ovvis_models.text.class_embeddings import ClassEmbeddings
from ovvis_models.text.naming import ClosedVocabulary, ListedVocabulary, OpenVocabulary
from ovvis_models.text.vocabulary import Progress
from ovvis_models.text.vocabulary_scores import ClassLink, one_of_all

MAX_LOGIT_SCALE = 100.0  # CLIP's maximum

TEMPLATES_USED = (
    "{}: class names are put into prompt templates; its authors learned their prompts, whose embeddings"
    " --text-embeddings takes"
)
NOT_STORED = "{}: no class embedding is stored for {}; all names are put into prompt templates"
_NUM_SHOWN = 3  # names in a message

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRows:
    """Rows that instance tokens are multiplied with: first the requested names, then the distractors."""

    embeds: Float[Tensor, "R D"]  # unit norm
    logit_scale: float  # multiplies cosine similarities
    class_exponent: float = 1.0  # exponent of the class probability in a track's score
    link: ClassLink = one_of_all  # from logits to probabilities
    synonyms: tuple[int, ...] = ()  # number of rows of each requested name; empty: one row each
    adds_up: bool = False  # sum the probabilities of a name's rows, else use its best row

    def per_name(self, logits: Float[Tensor, "N R"]) -> Float[Tensor, "N K_all"]:
        """Return the logit of each class from those of its rows; minus infinity if it has none."""
        if not self.synonyms:
            return logits
        *asked, rest = torch.split(logits, [*self.synonyms, logits.shape[1] - sum(self.synonyms)], dim=1)
        join = torch.logsumexp if self.adds_up else torch.amax
        return torch.cat([*(join(rows, dim=1, keepdim=True) for rows in asked), rest], dim=1)


def class_rows(
    model: LoadedModel,
    vocabulary: Vocabulary,
    *,
    distractors: bool,
    text_embeddings: Float[Tensor, "K D"] | None = None,
    published_names: bool = False,
    progress: Progress | None = None,
) -> ClassRows:
    """Return the class rows of a vocabulary. For arguments and errors see `make_query`."""
    naming = model.naming
    match naming:
        case ClosedVocabulary():
            if text_embeddings is not None:
                raise VocabularyError(
                    f"{model.spec.name} has a closed set of classes and takes no text embeddings"
                )
            return _closed_rows(naming, vocabulary, model_name=model.spec.name, distractors=distractors)
        case OpenVocabulary():
            if text_embeddings is None and model.class_embeddings is not None:
                text_embeddings = _stored_rows(model.class_embeddings, vocabulary, model=model)
            if text_embeddings is None:  # else the words are not read
                _warn(vocabulary, model_name=model.spec.name)
                if naming.learned_prompts and model.class_embeddings is None:
                    logger.warning("%s", TEMPLATES_USED.format(model.spec.name))
            synonyms = _synonyms(vocabulary) if published_names and naming.splits_synonyms else None
            return _open_rows(
                naming,
                vocabulary if synonyms is None else synonyms.vocabulary,
                synonyms=() if synonyms is None else synonyms.counts,
                distractors=distractors,
                text_embeddings=text_embeddings,
                progress=progress,
            )
        case ListedVocabulary():
            if text_embeddings is not None:
                raise VocabularyError(f"{model.spec.name} has a list of words and takes no text embeddings")
            return _listed_rows(naming, vocabulary, model_name=model.spec.name, distractors=distractors)
        case _:
            assert_never(naming)


def read_text_embeddings(path: Path) -> Float[Tensor, "K D"]:
    """Read a .npy file with one row per class name.

    Raises:
        VocabularyError: the file cannot be read, is not a matrix of finite floats, or a row is zero.
    """
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise VocabularyError(
            f"cannot read text embeddings from {path}", hint="give a .npy file with one row per class name"
        ) from error
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind != "f":
        raise VocabularyError(f"{path} is not a matrix of floats", hint="give one row per class name")
    embeds = torch.from_numpy(rows.astype(np.float32))
    if not bool(torch.isfinite(embeds).all()) or bool((embeds.norm(dim=1) == 0).any()):
        raise VocabularyError(f"{path} holds a row that is zero or not finite")
    return embeds


def class_embeddings_of(
    text_embeddings: Float[Tensor, "K D"], vocabulary: Vocabulary, *, spec: ModelSpec
) -> ClassEmbeddings:
    """Return embeddings with their names, to be stored with the weights of a model.

    Raises:
        VocabularyError: the model reads no words, or there is not one row of its width for each name.
    """
    if not spec.reads_words:
        raise VocabularyError(f"{spec.name} has a closed set of classes and takes no text embeddings")
    _check_fit(text_embeddings, vocabulary, width=spec.token_dim)
    return ClassEmbeddings(names=vocabulary.names, rows=text_embeddings)


def _stored_rows(
    stored: ClassEmbeddings, vocabulary: Vocabulary, *, model: LoadedModel
) -> Float[Tensor, "K D"] | None:
    """Return the stored embeddings of all names, or None with a warning if some are not stored.

    Raises:
        VocabularyError: some are not stored, and there is no text encoder.
    """
    positions = {fold(name): position for position, name in enumerate(stored.names)}
    missing = [name for name in vocabulary.names if fold(name) not in positions]
    if not missing:
        return stored.rows[[positions[fold(name)] for name in vocabulary.names]]
    shown = ", ".join(f"'{name}'" for name in missing[:_NUM_SHOWN])
    if len(missing) > _NUM_SHOWN:
        shown += f" and {len(missing) - _NUM_SHOWN} more"
    if isinstance(model.naming, OpenVocabulary) and model.naming.text_encoder is None:
        raise VocabularyError(
            f"{model.spec.name}: no class embedding is stored for {shown}, and there is no text encoder",
            hint="add --text-embeddings FILE.npy, or import it again together with a CLIP checkpoint",
        )
    logger.warning("%s", NOT_STORED.format(model.spec.name, shown))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Synonyms:
    vocabulary: Vocabulary  # a name per row
    counts: tuple[int, ...]  # rows per class


def _synonyms(vocabulary: Vocabulary) -> _Synonyms:
    """Split names at their commas and put them into prompts as they are (CLIP-VIS's published code)."""
    parts = [[part.strip() for part in name.split(",")] for name in vocabulary.names]
    names = tuple(part for row in parts for part in row)
    ids = tuple(
        category_id for category_id, row in zip(vocabulary.category_ids, parts, strict=True) for _ in row
    )
    rows = Vocabulary(names=names, prompts=names, category_ids=ids, table=vocabulary.table)
    return _Synonyms(vocabulary=rows, counts=tuple(len(row) for row in parts))


def _open_rows(
    naming: OpenVocabulary,
    vocabulary: Vocabulary,
    *,
    synonyms: tuple[int, ...],
    distractors: bool,
    text_embeddings: Float[Tensor, "K D"] | None,
    progress: Progress | None,
) -> ClassRows:
    if text_embeddings is not None:
        _check_fit(text_embeddings, vocabulary, width=naming.embed_dim)
        text_embeddings, synonyms = F.normalize(text_embeddings, dim=-1), ()
    return ClassRows(
        embeds=_embeds(
            naming, vocabulary, distractors=distractors, text_embeddings=text_embeddings, progress=progress
        ),
        logit_scale=_logit_scale(naming),
        class_exponent=naming.class_exponent,
        link=naming.link,
        synonyms=synonyms,
    )


def _embeds(
    naming: OpenVocabulary,
    vocabulary: Vocabulary,
    *,
    distractors: bool,
    text_embeddings: Float[Tensor, "K D"] | None,
    progress: Progress | None,
) -> Float[Tensor, "R D"]:
    """Return the rows of the asked names, given or encoded, then those of the distractors."""
    if naming.text_encoder is None:
        if text_embeddings is None:
            raise VocabularyError(
                "this model was installed without a text encoder",
                hint="add --text-embeddings FILE.npy, or import it again together with a CLIP checkpoint",
            )
        if distractors:
            logger.warning("without a text encoder there are no distractors: every track gets an asked name")
        return text_embeddings
    world = diorama_world() if naming.domain == "diorama" else None
    embedder = VocabularyEmbedder(naming.text_encoder, world=world, progress=progress)
    embedded = embedder.embed(vocabulary, distractors=distractors, asked_embeds=text_embeddings)
    return embedded.class_embeds


def _logit_scale(naming: OpenVocabulary) -> float:
    if naming.logit_scale is not None:
        return naming.logit_scale
    assert naming.text_encoder is not None, "models without a fixed scale have a text encoder"
    scale = naming.text_encoder.logit_scale.detach().exp().clamp(max=MAX_LOGIT_SCALE)
    return float(scale.item())


def _check_fit(text_embeddings: Float[Tensor, "K D"], vocabulary: Vocabulary, *, width: int) -> None:
    found, wanted = tuple(text_embeddings.shape), (len(vocabulary), width)
    if found != wanted:
        raise VocabularyError(
            f"text embeddings have shape {found[0]} x {found[1]}, expected {wanted[0]} x {wanted[1]}",
            hint="give one row per class name, in order, with the embedding width of the model's CLIP",
        )


def _warn(vocabulary: Vocabulary, *, model_name: str) -> None:
    for warning in vocabulary_warnings(vocabulary.names, model_name=model_name):
        logger.warning("%s", warning)


def _listed_rows(
    naming: ListedVocabulary, vocabulary: Vocabulary, *, model_name: str, distractors: bool
) -> ClassRows:
    """Return the rows of each name, then all other rows as distractors."""
    _warn(vocabulary, model_name=model_name)
    rows = word_list(naming.table).rows(vocabulary.names)
    asked = [row for of_name in rows for row in of_name]
    others = [row for row in range(len(naming.rows)) if row not in set(asked)] if distractors else []
    return ClassRows(
        embeds=naming.rows.detach().cpu()[[*asked, *others]],
        logit_scale=naming.logit_scale,
        class_exponent=naming.class_exponent,
        synonyms=tuple(len(of_name) for of_name in rows),
        adds_up=True,
    )


def _closed_rows(
    naming: ClosedVocabulary, vocabulary: Vocabulary, *, model_name: str, distractors: bool
) -> ClassRows:
    """Return unit vectors of columns: their product with class logits is the logit of that class."""
    asked = class_columns(vocabulary, model_name=model_name, closed_set=naming.table)
    no_object = naming.num_classes  # always included, because it expresses the confidence of the head
    others = [column for column in range(no_object) if column not in asked] if distractors else []
    return ClassRows(embeds=torch.eye(naming.num_classes + 1)[[*asked, *others, no_object]], logit_scale=1.0)
