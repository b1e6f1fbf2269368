"""Comparing class names as words: case, spacing, plural, head noun."""

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
    amounts: frozenset[str]  # "a slice of": what follows is the thing


_DASHES = "\\-\u2010\u2011\u2012\u2013"
_PLURAL_ENDINGS = (  # and what the singular may end with, the likeliest first
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
_OTHER_ENDINGS = (  # of words that are more often a singular
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
    """The form in which two spellings of one name are equal.

    Lower case, single spaces for `_` and dashes, and one code for characters that Unicode encodes twice, such
    as a letter with its accent.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(re.sub(rf"[_{_DASHES}\s]+", " ", text).split())


def compact(name: str) -> str:
    """A folded name without spaces and accents: the form in which "ice cream" and "icecream" are equal."""
    return without_accents(fold(name)).replace(" ", "")


def without_accents(word: str) -> str:
    """A word without the accents of Latin letters; marks of other scripts are letters of their own."""
    if not any("LATIN" in unicodedata.name(letter, "") for letter in word):
        return word
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


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
    return " ".join([*front, possible_singulars(word)[0]])


def spellings(name: str) -> tuple[str, ...]:
    """What a name may be listed under as a whole, best first: itself and its possible singulars, folded."""
    phrase = fold(without_qualifier(name))
    *front, word = phrase.split(" ")
    singulars = (" ".join([*front, guess]) for guess in possible_singulars(word))
    return tuple(dict.fromkeys([phrase, *singulars]))


def possible_singulars(word: str) -> tuple[str, ...]:
    """Words that a folded word may be the plural of, the likeliest first; never empty.

    Spelling alone does not tell "gloves" from "wolves": compare the guesses with words that are known.
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
    """What a name may be listed under, best first: itself, its singular, then ever shorter ends of it.

    The head of an English compound is its end: "police car" is a car; but a compound that is listed itself
    ("hot dog") is found before its end is tried. Of "slice of pizza" the pizza is the head, of "bird of prey"
    the bird.
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
