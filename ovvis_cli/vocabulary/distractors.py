"""Distractors: class names that are scored together with the requested ones.

If only "dog" and "skateboard" are requested, a softmax over the two would label a cat as a dog. So each
proposal is scored against the requested names and distractors together. A distractor must not overlap in
meaning with a requested name (a puppy is a dog, and a dog is an animal), or it would take part of that name's
probability. Names are compared by their meanings here, and by their embeddings in similarity.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ovvis_cli.vocabulary.categories import load_table
from ovvis_cli.vocabulary.taxonomy import Taxonomy, general_taxonomy
from ovvis_cli.vocabulary.words import readings, spellings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedName:
    """A name in a closed world, in which every object has exactly one name, and the synonyms of the name."""

    name: str
    synonyms: tuple[str, ...] = ()


def diorama_world() -> tuple[ClosedName, ...]:
    """Return the closed world of the embedded models: the names of all kinds of the diorama."""
    kinds = load_table("diorama").categories
    return tuple(ClosedName(name=kind.name, synonyms=kind.synonyms) for kind in kinds)


def general_names() -> tuple[str, ...]:
    """Return the built-in general vocabulary, about 350 everyday nouns, in a fixed order."""
    return tuple(concept.names[0] for concept in general_taxonomy().concepts if not concept.is_group)


def general_distractors(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the general names that do not mean, contain or form part of a requested name.

    A requested name is looked up as it is ("hot dog"), in the singular, and by its head noun ("police car" as
    car). For a name that is not found, only the identical name is excluded.
    """
    taxonomy = general_taxonomy()
    excluded = taxonomy.overlapping(frozenset().union(*(taxonomy.meanings(name) for name in asked)))
    return tuple(
        concept.names[0]
        for index, concept in enumerate(taxonomy.concepts)
        if not concept.is_group and index not in excluded
    )


def closed_distractors(asked: Sequence[str], *, world: Sequence[ClosedName]) -> tuple[str, ...]:
    """Return the names of a closed world that do not match any requested name.

    A requested name that is in the world matches only itself, because names of the world exclude each other.
    Any other name ("pet", "brown dog") matches whatever it overlaps with in the general vocabulary.
    """
    listed = {
        reading: entry.name
        for entry in world
        for name in (entry.name, *entry.synonyms)
        for reading in spellings(name)
    }
    taxonomy = general_taxonomy()
    excluded: set[str] = set()
    for name in asked:
        known = next((listed[reading] for reading in spellings(name) if reading in listed), None)
        if known is not None:
            excluded.add(known)
        else:
            excluded |= _overlapping_names(name, world=world, taxonomy=taxonomy, listed=listed)
    return tuple(entry.name for entry in world if entry.name not in excluded)


def _overlapping_names(
    name: str, *, world: Sequence[ClosedName], taxonomy: Taxonomy, listed: dict[str, str]
) -> set[str]:
    meanings = taxonomy.meanings(name)
    if not meanings:  # not in the table, but its head noun may be a name of the world
        return {listed[reading] for reading in readings(name) if reading in listed}
    overlapping = taxonomy.overlapping(meanings)
    return {entry.name for entry in world if taxonomy.meanings(entry.name) & overlapping}
