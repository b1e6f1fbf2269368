"""What the core raises on purpose; the command line translates it into its own tree with exit codes.

    CoreError
    ├── UnknownModelError       ValueError: the catalog has no model of that name
    └── WeightsError            RuntimeError: a weights file cannot be used
        ├── MissingWeightsError     FileNotFoundError: there is no such file
        ├── CorruptWeightsError     unreadable, or not the file that its checksum promises
        └── MismatchedWeightsError  the weights of another network

Wrong arguments of functions are plain `ValueError`s.
"""

from typing import Final

_JOINERS: Final = frozenset("\u200c\u200d")  # join letters of some scripts, and the parts of an emoji


def printable(text: str) -> str:
    """Return a text on one line, without what could steer a terminal.

    Names in files may hold anything: escape codes, marks that turn the direction of writing.
    """
    one_line = " ".join(text.split("\n"))
    return "".join(sign if sign.isprintable() or sign in _JOINERS else ascii(sign)[1:-1] for sign in one_line)


class CoreError(Exception):
    """Base of the core's errors; `hint` says how to mend it, and may be empty. Both are printable."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UnknownModelError(CoreError, ValueError):
    """The catalog has no model of that name."""


class WeightsError(CoreError, RuntimeError):
    """A weights file cannot be used."""


class MissingWeightsError(WeightsError, FileNotFoundError):
    """There is no weights file at that place."""

    __str__ = CoreError.__str__


class CorruptWeightsError(WeightsError):
    """A weights file cannot be read, or is not the one that its checksum promises."""


class MismatchedWeightsError(WeightsError):
    """A weights file belongs to another network: names or shapes differ."""
