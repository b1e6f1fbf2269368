"""Taxonomy of everyday nouns (synonyms, kinds, parts), from which distractors are chosen."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ovvis_cli.vocabulary.words import readings


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One meaning: its names (near-synonyms, the most common one first) and its ancestors."""

    names: tuple[str, ...]
    ancestors: frozenset[int]  # indices of wider concepts, up to the root
    is_group: bool  # a collective such as "vehicle", never used as a distractor


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """A tree of concepts, with groups across the tree ("pet") and parts ("face" of a person)."""

    concepts: tuple[Concept, ...]
    by_name: Mapping[str, frozenset[int]]  # a name may have several meanings
    parts: Mapping[int, frozenset[int]]

    def meanings(self, name: str) -> frozenset[int]:
        """Return the concepts of a name, of its singular or of its head noun; empty if unknown."""
        for reading in readings(name):
            if reading in self.by_name:
                return self.by_name[reading]
        return frozenset()

    def overlapping(self, meanings: Iterable[int]) -> frozenset[int]:
        """Return the concepts that overlap with `meanings`: the same, wider, narrower, parts and wholes."""
        given = frozenset(meanings)
        wider = frozenset(index for meaning in given for index in self.concepts[meaning].ancestors)
        narrower = frozenset(i for i, concept in enumerate(self.concepts) if concept.ancestors & given)
        parts = frozenset(part for meaning in given for part in self.parts.get(meaning, frozenset()))
        wholes = frozenset(whole for whole, its_parts in self.parts.items() if its_parts & given)
        return given | wider | narrower | parts | wholes


@cache
def general_taxonomy() -> Taxonomy:
    """Return the built-in taxonomy of everyday nouns (`tables/general.json`)."""
    text = (resources.files("ovvis_cli.vocabulary") / "tables" / "general.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return build_taxonomy(content["tree"], over=content["over"], parts=content["parts"])


def build_taxonomy(
    tree: Sequence[object], *, over: Mapping[str, list[str]], parts: Mapping[str, list[str]]
) -> Taxonomy:
    """Build a taxonomy from its JSON form.

    A node of `tree` is a string `name|synonym|...`, or a dict from such a string to the list of its child
    nodes; a leading `*` marks a group. `over` adds groups across the tree (name -> members); `parts` lists
    the parts of wholes.

    Raises:
        TypeError: a node is neither a string nor a dict.
    """
    concepts: list[Concept] = []

    def add(nodes: Iterable[object], ancestors: frozenset[int]) -> None:
        for node in nodes:
            if not isinstance(node, str | dict):
                raise TypeError(f"a node of the taxonomy must be a string or a dict, not {node!r}")
            for written, children in ({node: []} if isinstance(node, str) else node).items():
                names = tuple(written.removeprefix("*").split("|"))
                is_group = written.startswith("*")
                concepts.append(Concept(names=names, ancestors=ancestors, is_group=is_group))
                add(children, ancestors | {len(concepts) - 1})

    add(tree, frozenset())
    by_name = _index(concepts)
    for group, members in over.items():
        inside = frozenset().union(*(by_name[member] for member in members))
        wider = frozenset({len(concepts)})
        for index, concept in enumerate(concepts):
            if index in inside or concept.ancestors & inside:
                concepts[index] = Concept(
                    names=concept.names, ancestors=concept.ancestors | wider, is_group=concept.is_group
                )
        concepts.append(Concept(names=(group,), ancestors=frozenset(), is_group=True))
    by_name = _index(concepts)
    return Taxonomy(
        concepts=tuple(concepts),
        by_name=by_name,
        parts={
            whole: frozenset().union(*(by_name[part] for part in of))
            for name, of in parts.items()
            for whole in by_name[name]
        },
    )


def _index(concepts: Iterable[Concept]) -> dict[str, frozenset[int]]:
    index: dict[str, frozenset[int]] = {}
    for number, concept in enumerate(concepts):
        for name in concept.names:
            index[name] = index.get(name, frozenset()) | {number}
    return index
