"""Translation of state dicts between this project's names and those of published checkpoints.

A layout is a list of rules from our names to theirs. Where they pack query, key and value projections into
one tensor, three of our names map to its thirds. The same table serves both directions.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ovvis_models.errors import MismatchedWeightsError

NUM_THIRDS = 3
_NUM_SHOWN = 5  # names in a report


@dataclass(frozen=True, slots=True)
class Source:
    """Position of one of our tensors in their file: a name, and None or third 0, 1 or 2 of axis 0."""

    name: str
    third: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Rule: names that match `ours` completely become `theirs`, with the groups of `ours`."""

    ours: str
    theirs: str
    third: int | None = None


def key_table(names: Iterable[str], rules: Sequence[KeyRule]) -> dict[str, Source]:
    """Return the position of each of our `names` in their layout.

    Raises:
        MismatchedWeightsError: a name has no rule: the network does not have this layout.
    """
    table = {name: _source(name, rules) for name in names}
    unknown = [name for name, source in table.items() if source is None]
    if unknown:
        raise MismatchedWeightsError(
            f"the checkpoint layout has no place for {_shown(unknown)}",
            hint="this network differs from the published one",
        )
    return {name: source for name, source in table.items() if source is not None}


def to_ours(
    theirs: Mapping[str, Tensor], expected: Mapping[str, Tensor], rules: Sequence[KeyRule]
) -> dict[str, Tensor]:
    """Return a state dict with the names and shapes of `expected`; every tensor of `theirs` must be used.

    Scalars without a rule are left out: they are not part of the network but, for example, its best score.

    Raises:
        MismatchedWeightsError: a tensor is missing, left over, or of another shape.
    """
    table = key_table(expected, rules)
    sources = {source.name for source in table.values()}
    _require_none("missing", sorted(sources - theirs.keys()))
    left_over = theirs.keys() - sources
    _require_none("left over", sorted(name for name in left_over if theirs[name].ndim))
    ours = {name: _part(theirs[source.name], source.third) for name, source in table.items()}
    _require_none(
        "of another shape",
        [
            f"{table[name].name} {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
            for name, tensor in ours.items()
            if tensor.shape != expected[name].shape
        ],
    )
    return ours


def to_theirs(ours: Mapping[str, Tensor], rules: Sequence[KeyRule]) -> dict[str, Tensor]:
    """Return the state dict under their names, packed as in their file.

    Raises:
        MismatchedWeightsError: a name has no rule, or one of three thirds is missing.
    """
    theirs: dict[str, Tensor] = {}
    thirds: dict[str, dict[int, Tensor]] = {}
    for name, source in key_table(ours, rules).items():
        if source.third is None:
            theirs[source.name] = ours[name]
        else:
            thirds.setdefault(source.name, {})[source.third] = ours[name]
    _require_none("incomplete", [name for name, parts in thirds.items() if len(parts) < NUM_THIRDS])
    packed = {
        name: torch.cat([parts[index] for index in range(NUM_THIRDS)]) for name, parts in thirds.items()
    }
    return theirs | packed


def _source(name: str, rules: Sequence[KeyRule]) -> Source | None:
    for rule in rules:
        match = re.fullmatch(rule.ours, name)
        if match:
            return Source(match.expand(rule.theirs), rule.third)
    return None


def _part(tensor: Tensor, third: int | None) -> Tensor:
    if third is None:
        return tensor
    length, rest = divmod(tensor.shape[0], NUM_THIRDS)
    return tensor if rest else tensor[third * length : (third + 1) * length].clone()


def _require_none(what: str, names: Sequence[str]) -> None:
    if names:
        raise MismatchedWeightsError(
            f"{len(names)} tensors {what}: {_shown(names)}", hint="the checkpoint is of another network"
        )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:_NUM_SHOWN]) + (", ..." if len(names) > _NUM_SHOWN else "")
