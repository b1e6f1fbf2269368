"""How a model names what it finds: with any words, the words of a list, or the classes of a table."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from ovvis_models.heads.vocabulary_scores import ClassLink, one_of_all
from ovvis_models.text.encoder import TextEncoder

TextDomain = Literal["web", "photographs", "diorama"]
"""What names were learnt from: captions of the web, labelled photographs, or captions of the diorama."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVocabulary:
    """Any words: class embeddings come from a text encoder, or from a file where there is none."""

    text_encoder: TextEncoder | None
    embed_dim: int  # of class embeddings
    domain: TextDomain
    link: ClassLink = one_of_all
    logit_scale: float | None = None  # of cosine similarities; None: the text encoder's own
    learned_prompts: bool = False  # published: class embeddings come from prompts that were learned
    class_exponent: float = 1.0  # of the class probability in a track's score
    splits_synonyms: bool = (
        False  # published: a name is split at its commas, the best synonym counts (CLIP-VIS)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedVocabulary:
    """The classes of one category table; instance tokens are their logits, with "no object" last."""

    table: str
    num_classes: int  # without "no object"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVocabulary:
    """The words of a list; each means one or more rows, whose probabilities add up."""

    table: str
    rows: Float[Tensor, "R D"]  # unit norm
    logit_scale: float  # multiplies cosine similarities
    class_exponent: float = 1.0  # of the class probability in a track's score


Naming = OpenVocabulary | ClosedVocabulary | ListedVocabulary
