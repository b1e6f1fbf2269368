"""How a model names what it finds: with any words, or with the classes it was trained on."""

from dataclasses import dataclass
from typing import Literal

from ovvis_models.text.encoder import TextEncoder

TextDomain = Literal["web", "diorama"]
"""What a text encoder was trained on: captions of the web, or only those of the diorama."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVocabulary:
    """Any words: class embeddings come from a text encoder."""

    text_encoder: TextEncoder
    domain: TextDomain
    class_exponent: float = 1.0  # of the class probability in a track's score
    splits_synonyms: bool = (
        False  # published: a name is split at its commas, the best synonym counts (CLIP-VIS)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedVocabulary:
    """The classes of one category table; instance tokens are their logits, with "no object" last."""

    table: str
    num_classes: int  # without "no object"


Naming = OpenVocabulary | ClosedVocabulary
