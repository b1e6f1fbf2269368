"""How a model classifies: with any class names (open), or only with its training classes (closed)."""

from dataclasses import dataclass
from typing import Literal

from ovvis_models.text.encoder import TextEncoder

TextDomain = Literal["web", "diorama"]
"""Training captions of a text encoder: captions from the web, or only those of the diorama data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVocabulary:
    """Any class names; a text encoder embeds them."""

    text_encoder: TextEncoder
    domain: TextDomain
    class_exponent: float = 1.0  # exponent of the class probability in the score of a track
    splits_synonyms: bool = False
    """Under the published rules, split a name at its commas and use the best synonym (CLIP-VIS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedVocabulary:
    """The classes of one category table. The instance tokens are class logits, with "no object" last."""

    table: str
    num_classes: int  # without the "no object" class


Naming = OpenVocabulary | ClosedVocabulary
