"""Words that a text tower of a closed world was trained on.

A tower that was trained on a short list of names knows "dog", but its embedding of "dogs" is meaningless. So
a name is embedded in the spelling used in training, if there is one, and shown in the user's spelling.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ovvis_cli.vocabulary.distractors import ClosedName, diorama_world
from ovvis_cli.vocabulary.word_list import word_list
from ovvis_cli.vocabulary.words import (
    compact,
    fold,
    possible_singulars,
    prompt_text,
    spellings,
    without_accents,
)

DIORAMA_MODELS: Final = frozenset({"instformer-tiny", "clipvis-tiny", "ovformer-tiny", "genvis-tiny"})
"""Models whose text tower was trained only on the names of the diorama (listed to avoid loading them)."""

WORD_LISTS: Final[Mapping[str, str]] = MappingProxyType({"clipvis-camera": "photographs"})
"""The table of words of each model of the catalog that knows a list of words."""

_MAX_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWords:
    """Names of a closed world, by folded spelling and by spelling without spaces and accents; their words."""

    names: Mapping[str, str]
    words: frozenset[str]

    def spelled(self, name: str) -> str:
        """Return a name in the spelling used in training: "hot air balloon" for "Hot-Air Balloons".

        A name that is not listed keeps its words, each in its known spelling if there is one. A name without
        any known word is returned in prompt form.
        """
        text = prompt_text(name)
        keys = [key for spelling in spellings(text) for key in (spelling, compact(spelling))]
        listed = (self.names.get(key) for key in keys)
        found = next((known for known in listed if known is not None), None)
        if found is not None:
            return found
        words = fold(text).split(" ")
        known_words = [self._known_word(word) for word in words]
        if not any(known_words):
            return text
        return " ".join(known or word for known, word in zip(known_words, words, strict=True))

    def unknown(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the unknown words of the names, folded, in order and without duplicates."""
        words = (word for name in names for word in fold(self.spelled(name)).split(" "))
        return tuple(dict.fromkeys(word for word in words if word not in self.words))

    def _known_word(self, word: str) -> str | None:
        guesses = (word, *possible_singulars(word))
        plain = (without_accents(guess) for guess in guesses)
        return next((guess for guess in (*guesses, *plain) if guess in self.words), None)


def known_words(world: Sequence[ClosedName]) -> KnownWords:
    """Return the known words of a text tower that was trained on the names and synonyms of `world`."""
    names = [name for entry in world for name in (entry.name, *entry.synonyms)]
    return KnownWords(
        names={compact(name): name for name in names} | {fold(name): name for name in names},
        words=frozenset(word for name in names for word in fold(name).split(" ")),
    )


def vocabulary_warnings(names: Sequence[str], *, model_name: str) -> list[str]:
    """Return warnings about names that this model cannot interpret, one line each."""
    if model_name in WORD_LISTS:
        return word_list(WORD_LISTS[model_name]).warnings(names, model_name=model_name)
    if model_name not in DIORAMA_MODELS:
        return []
    known = known_words(diorama_world())
    warnings = []
    unknown = known.unknown(names)
    if unknown:
        warnings.append(
            f"{model_name} never read these words in training, their labels are unreliable: {_shown(unknown)}"
        )
    by_spelling: dict[str, list[str]] = {}
    for name in names:
        by_spelling.setdefault(known.spelled(name), []).append(name)
    same = [" = ".join(equal) for equal in by_spelling.values() if len(equal) > 1]
    if same:
        warnings.append(f"{model_name} cannot distinguish these names, they share a score: {_shown(same)}")
    return warnings


def _shown(entries: Sequence[str]) -> str:
    others = f" and {len(entries) - _MAX_SHOWN} more" if len(entries) > _MAX_SHOWN else ""
    return ", ".join(entries[:_MAX_SHOWN]) + others
