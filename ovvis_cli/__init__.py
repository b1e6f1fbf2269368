"""Find, segment and track in video every object of the categories you name.

from ovvis_cli import segment
    for frame in segment("street.mp4", classes=["dog", "skateboard"]): ...
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ovvis_cli.api import segment

__all__ = ["__version__", "segment"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Loads the Python interface when it is first asked for: `ovvis --help` needs no torch."""
    if name == "segment":
        from ovvis_cli.api import segment

        return segment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
