"""How a model classifies: with any class names, with the words of a list, or with the classes of a table."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.vocabulary_scores import ClassLink, one_of_all

TextDomain = Literal["web", "photographs", "diorama"]
"""Training data of the class embeddings: captions from the web, labelled photographs, or diorama captions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVocabulary:
    """Any class names; a text encoder embeds them, or a file holds their embeddings."""

    text_encoder: TextEncoder | None
    embed_dim: int  # of class embeddings
    domain: TextDomain
    link: ClassLink = one_of_all  # from class logits to probabilities
    logit_scale: float | None = None  # of cosine similarities; None: the text encoder's own
    learned_prompts: bool = False  # the authors embed class names with learned prompts, not templates
    class_exponent: float = 1.0  # exponent of the class probability in the score of a track
    splits_synonyms: bool = False
    """Under the published rules, split a name at its commas and use the best synonym (CLIP-VIS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedVocabulary:
    """The classes of one category table. The instance tokens are class logits, with "no object" last."""

    table: str
    num_classes: int  # without the "no object" class


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVocabulary:
    """The words of a list. A word has one or more rows, whose probabilities are added."""

    table: str
    rows: Float[Tensor, "R D"]  # unit norm
    logit_scale: float  # multiplies cosine similarities
    class_exponent: float = 1.0  # exponent of the class probability in the score of a track


Naming = OpenVocabulary | ClosedVocabulary | ListedVocabulary
