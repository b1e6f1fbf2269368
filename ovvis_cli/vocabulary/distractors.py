"""What else a proposal may be: the names that the asked ones have to win against.

With only "dog" and "skateboard" asked, a softmax over the two would call a cat a dog. So each proposal is
scored against the asked names and distractors together. A distractor must never mean what was asked (a puppy
is a dog, and a dog is an animal), or it would take the asked name's share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ovvis_cli.vocabulary.categories import load_table
from ovvis_cli.vocabulary.taxonomy import Taxonomy, general_taxonomy
from ovvis_cli.vocabulary.words import readings, spellings

MAX_COSINE = 0.85
"""Distractors more similar than this to an asked name (centred cosine of the embeddings) are left out."""

_MIN_ROWS_TO_CENTRE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedName:
    """A name of a closed world, in which every object has exactly one name; synonyms mean the same."""

    name: str
    synonyms: tuple[str, ...] = ()


def diorama_world() -> tuple[ClosedName, ...]:
    """Return the closed world of the embedded models: the names of all kinds of the diorama."""
    kinds = load_table("diorama").categories
    return tuple(ClosedName(name=kind.name, synonyms=kind.synonyms) for kind in kinds)


def general_names() -> tuple[str, ...]:
    """The built-in general vocabulary, some 350 everyday things and surroundings, in a fixed order."""
    return tuple(concept.names[0] for concept in general_taxonomy().concepts if not concept.is_group)


def general_distractors(asked: Sequence[str]) -> tuple[str, ...]:
    """General names that are not, do not contain and are not part of anything asked.

    An asked name is understood by its own listing ("hot dog"), its singular or its head noun ("police car" as
    car); of a name that is not understood only the equal one is left out.
    """
    taxonomy = general_taxonomy()
    excluded = taxonomy.overlapping(frozenset().union(*(taxonomy.meanings(name) for name in asked)))
    return tuple(
        concept.names[0]
        for index, concept in enumerate(taxonomy.concepts)
        if not concept.is_group and index not in excluded
    )


def closed_distractors(asked: Sequence[str], *, world: Sequence[ClosedName]) -> tuple[str, ...]:
    """Names of a closed world that none of the asked names stands for.

    An asked name that the world knows stands for that one alone, as names there exclude each other. Any other
    ("pet", "brown dog") stands for whatever it overlaps with in the general vocabulary.
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


def distant_from(
    asked_embeds: Float[Tensor, "A D"],
    distractor_embeds: Float[Tensor, "K D"],
    *,
    max_cosine: float = MAX_COSINE,
) -> Bool[Tensor, " K"]:
    """Which distractors are unlike all asked names; catches synonyms that no table lists.

    Text embeddings of one CLIP model share a large common part (any two names are alike by 0.7 and more), so
    their mean is taken out first, where there are enough rows to tell it.
    """
    everything = torch.cat([asked_embeds, distractor_embeds]).float()
    if len(everything) >= _MIN_ROWS_TO_CENTRE:
        everything = everything - everything.mean(dim=0)
    unit = torch.nn.functional.normalize(everything, dim=-1)
    cosine = unit[len(asked_embeds) :] @ unit[: len(asked_embeds)].T  # (K, A)
    return (cosine <= max_cosine).all(dim=1)


def _overlapping_names(
    name: str, *, world: Sequence[ClosedName], taxonomy: Taxonomy, listed: dict[str, str]
) -> set[str]:
    meanings = taxonomy.meanings(name)
    if not meanings:  # unknown to the table: at least its head noun may be a name of the world
        return {listed[reading] for reading in readings(name) if reading in listed}
    overlapping = taxonomy.overlapping(meanings)
    return {entry.name for entry in world if taxonomy.meanings(entry.name) & overlapping}
