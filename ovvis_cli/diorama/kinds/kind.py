"""An object kind of the diorama: its name and how to draw it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.look import Look

Draw: TypeAlias = Callable[[Canvas, Look, np.random.Generator], None]
"""Function that draws an object of random proportions, upright, facing right, almost filling the canvas."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object; `novel` kinds are held out when proposals and trackers are trained."""

    name: str
    synonyms: tuple[str, ...]
    draw: Draw
    novel: bool = False
