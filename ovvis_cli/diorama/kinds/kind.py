"""What an object kind of the diorama is: its name and how to draw one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.look import Look

Draw: TypeAlias = Callable[[Canvas, Look, np.random.Generator], None]
"""Draws one object with random proportions: upright, facing right, filling most of the unit square."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object; `novel` kinds are held out of the training of proposals and tracking."""

    name: str
    synonyms: tuple[str, ...]
    draw: Draw
    novel: bool = False
