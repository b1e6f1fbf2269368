"""Comparison of class names as words: case, spacing, plural, head noun."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plurals:
    irregular: Mapping[str, str]
    unchanged: frozenset[str]  # end in s without being a plural, or have no singular
    amounts: frozenset[str]  # "a slice of": the noun that follows is the head


_DASHES = "\\-\u2010\u2011\u2012\u2013"
_PLURAL_ENDINGS = (  # and the endings of the singular, most likely first
    ("ies", ("y", "ie")),
    ("oes", ("o", "oe")),
    ("ouses", ("ouse",)),
    ("uses", ("us", "use")),
    ("ches", ("ch", "che")),
    ("shes", ("sh",)),
    ("xes", ("x", "xe")),
    ("sses", ("ss",)),
    ("zzes", ("zz", "z")),
    ("ses", ("se", "s", "sis")),
    ("ves", ("ve", "f", "fe")),
    ("s", ("",)),
)
_OTHER_ENDINGS = (  # of words that are more often singular
    ("men", "man"),
    ("people", "person"),
    ("children", "child"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("mice", "mouse"),
    ("geese", "goose"),
    ("eaux", "eau"),
    ("i", "us"),
    ("a", "um"),
)


def fold(name: str) -> str:
    """Return the form in which two spellings of one name are equal.

    The result is in lower case, with single spaces in place of `_`, dashes and white space, and in one
    Unicode normal form (NFKC).
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(re.sub(rf"[_{_DASHES}\s]+", " ", text).split())


def compact(name: str) -> str:
    """Return a folded name without spaces and accents, so that "ice cream" equals "icecream"."""
    return without_accents(fold(name)).replace(" ", "")


def without_accents(word: str) -> str:
    """Return a word without the accents of Latin letters; marks of other scripts are kept."""
    if not any("LATIN" in unicodedata.name(letter, "") for letter in word):
        return word
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


def without_qualifier(name: str) -> str:
    """Return a name without its parentheses: `bat_` for `bat_(animal)`; the whole name if nothing remains."""
    bare = re.sub(r"\([^)]*\)", " ", name)
    return bare if bare.strip(" _-") else name


def prompt_text(name: str) -> str:
    """Return a name as written in a prompt: "bow weapon" for `bow_(weapon)`; case and hyphens are kept."""
    return " ".join(re.sub(r"[_()\s]+", " ", name).split())


def singular(phrase: str) -> str:
    """Return a folded phrase with its last word in the singular; words that only look plural are kept."""
    *front, word = phrase.split(" ")
    return " ".join([*front, possible_singulars(word)[0]])


def spellings(name: str) -> tuple[str, ...]:
    """Return the folded name and its possible singulars, best first."""
    phrase = fold(without_qualifier(name))
    *front, word = phrase.split(" ")
    singulars = (" ".join([*front, guess]) for guess in possible_singulars(word))
    return tuple(dict.fromkeys([phrase, *singulars]))


def possible_singulars(word: str) -> tuple[str, ...]:
    """Return the possible singulars of a folded word, most likely first; never empty.

    Spelling alone cannot decide this (gloves -> glove, but wolves -> wolf), so compare the guesses with known
    words.
    """
    plurals = _plurals()
    if word in plurals.irregular:
        return (plurals.irregular[word],)
    if len(word) < 4 or word.endswith("ss") or word in plurals.unchanged:
        return (word,)
    for ending, replacements in _PLURAL_ENDINGS:
        if word.endswith(ending) and not (ending == "ies" and len(word) <= 4):
            guesses = [word.removesuffix(ending) + replacement for replacement in replacements]
            return tuple(dict.fromkeys([*guesses, word.removesuffix("s")]))
    others = (word.removesuffix(ending) + one for ending, one in _OTHER_ENDINGS if word.endswith(ending))
    return (word, *others)


def readings(name: str) -> Iterable[str]:
    """Yield the forms to look a name up by, best first: itself, its singular, then shorter ends of it.

    The head of an English compound is its last noun: "police car" is a car. A compound that is listed itself
    ("hot dog") is found first. The head of "slice of pizza" is the pizza, that of "bird of prey" the bird.
    """
    yield from spellings(name)
    phrase = fold(without_qualifier(name))
    front, _, back = phrase.partition(" of ")
    if back:
        phrase = back if singular(front).split(" ")[-1] in _plurals().amounts else front
    words = phrase.split(" ")
    for start in range(len(words)):
        yield from spellings(" ".join(words[start:]))


@cache
def _plurals() -> _Plurals:
    text = (resources.files("ovvis_cli.vocabulary") / "tables" / "plurals.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return _Plurals(
        irregular=content["irregular"],
        unchanged=frozenset(content["unchanged"]),
        amounts=frozenset(content["amounts"]),
    )
