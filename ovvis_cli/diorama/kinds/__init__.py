"""All object kinds of the diorama and their split into base (seen in training) and novel (held out)."""

from ovvis_cli.diorama.kinds import animals, food, household, leisure, plants, tools, vehicles
from ovvis_cli.diorama.kinds.kind import Kind

ALL_KINDS: tuple[Kind, ...] = tuple(
    sorted(
        (
            *animals.KINDS,
            *plants.KINDS,
            *food.KINDS,
            *vehicles.KINDS,
            *household.KINDS,
            *tools.KINDS,
            *leisure.KINDS,
        ),
        key=lambda kind: kind.name,
    )
)
BASE_KINDS: tuple[Kind, ...] = tuple(kind for kind in ALL_KINDS if not kind.novel)
NOVEL_KINDS: tuple[Kind, ...] = tuple(kind for kind in ALL_KINDS if kind.novel)


def kind_by_name(name: str) -> Kind:
    """Return the kind of that exact name; synonyms do not count.

    Raises:
        KeyError: if there is no such kind.
    """
    for kind in ALL_KINDS:
        if kind.name == name:
            return kind
    raise KeyError(f"no object kind is named {name!r}")
