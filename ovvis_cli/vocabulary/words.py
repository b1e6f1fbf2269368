"""Comparing class names as words: case, spacing, plural, head noun."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plurals:
    irregular: Mapping[str, str]
    unchanged: frozenset[str]  # end in s without being a plural, or have no singular
    amounts: frozenset[str]  # "a slice of": what follows is the thing


def fold(name: str) -> str:
    """The form in which two spellings of one name are equal: lower case, single spaces for `_` and `-`."""
    return " ".join(re.sub(r"[_\-\s]+", " ", name).casefold().split())


def without_qualifier(name: str) -> str:
    """A name without its parentheses, as `bat_` of `bat_(animal)`; the whole name if nothing remains."""
    bare = re.sub(r"\([^)]*\)", " ", name)
    return bare if bare.strip(" _-") else name


def prompt_text(name: str) -> str:
    """How a name is written in a prompt: `bow_(weapon)` is "bow weapon"; case and hyphens are kept."""
    return " ".join(re.sub(r"[_()\s]+", " ", name).split())


def singular(phrase: str) -> str:
    """A folded phrase with its last word in the singular; words that only look plural are left alone."""
    *front, word = phrase.split(" ")
    return " ".join([*front, _singular_word(word)])


def readings(name: str) -> Iterable[str]:
    """What a name may be listed under, best first: itself, its singular, then ever shorter ends of it.

    The head of an English compound is its end: "police car" is a car; but a compound that is listed itself
    ("hot dog") is found before its end is tried. Of "slice of pizza" the pizza is the head, of "bird of prey"
    the bird.
    """
    phrase = fold(without_qualifier(name))
    yield phrase
    yield singular(phrase)
    front, _, back = phrase.partition(" of ")
    if back:
        phrase = back if singular(front).split(" ")[-1] in _plurals().amounts else front
    words = phrase.split(" ")
    for start in range(len(words)):
        ending = " ".join(words[start:])
        yield ending
        yield singular(ending)


def unknown_words(names: Sequence[str], known_words: Collection[str]) -> list[str]:
    """Words of the names, in order and once each, that a text tower trained on `known_words` never saw.

    `known_words` are lower-case single words; a plural counts as known where its singular is.
    """
    unknown: dict[str, None] = {}
    for name in names:
        for word in fold(prompt_text(name)).split(" "):
            if word not in known_words and _singular_word(word) not in known_words:
                unknown.setdefault(word)
    return list(unknown)


def _singular_word(word: str) -> str:
    plurals = _plurals()
    if word in plurals.irregular:
        return plurals.irregular[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss") or word in plurals.unchanged:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zzes", "toes")):
        return word[:-2]
    return word[:-1]


@cache
def _plurals() -> _Plurals:
    text = (resources.files("ovvis_cli.vocabulary") / "tables" / "plurals.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return _Plurals(
        irregular=content["irregular"],
        unchanged=frozenset(content["unchanged"]),
        amounts=frozenset(content["amounts"]),
    )
