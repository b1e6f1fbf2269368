"""Base class of all expected errors, and the errors of the core.

    OvvisError
    └── ModelError                    a model cannot be used
        ├── UnknownModelError         ValueError: no model has that name
        ├── MissingPackageError       ImportError: an optional package is not installed
        └── WeightsError              RuntimeError: a weights file cannot be used
            ├── MissingWeightsError       FileNotFoundError: the file does not exist
            ├── CorruptWeightsError       unreadable, or its checksum differs
            └── MismatchedWeightsError    the weights belong to another network

The command line adds its own errors and the exit codes (`ovvis_cli/errors.py`). Wrong arguments of functions
raise plain `ValueError`s.
"""

from typing import Final

_JOINERS: Final = frozenset({"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))})
"""Zero-width joiners, used in some scripts and in emoji, and the tags of flags."""


def printable(text: str) -> str:
    """Return a text on one line, with non-printable characters escaped.

    Names in files may contain any characters, such as terminal escape codes or marks that change the writing
    direction.
    """
    one_line = " ".join(text.split("\n"))
    return "".join(char if char.isprintable() or char in _JOINERS else ascii(char)[1:-1] for char in one_line)


class OvvisError(Exception):
    """Base of all expected errors: what happened and where (`message`), and how to fix it (`hint`).

    Both are made printable, because a message may contain a name from a file.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ModelError(OvvisError):
    """A model cannot be used."""


class UnknownModelError(ModelError, ValueError):
    """No model has that name."""


class MissingPackageError(ModelError, ImportError):
    """A model needs an optional package that is not installed, or too old."""

    __str__ = OvvisError.__str__


class WeightsError(ModelError, RuntimeError):
    """A weights file is missing, corrupt, or belongs to another network.

    `published_model` is the model whose published files would help, if there is one.
    """

    def __init__(self, message: str, *, hint: str = "", published_model: str = "") -> None:
        super().__init__(message, hint=hint)
        self.published_model = published_model


class MissingWeightsError(WeightsError, FileNotFoundError):
    """A weights file does not exist."""

    __str__ = OvvisError.__str__


class CorruptWeightsError(WeightsError):
    """A weights file cannot be read, or its checksum differs from the expected one."""


class MismatchedWeightsError(WeightsError):
    """A weights file belongs to another network: names or shapes differ."""
