"""Every error that ovvis raises on purpose, with the exit code that the command line gives it.

    OvvisError
    ├── UsageError (2)            an option or argument makes no sense
    │   └── RecipeError           a training recipe has an unknown, missing or impossible key
    ├── InputError (3)            something the user gave cannot be used
    │   ├── VideoError            OSError: cannot be opened, decoded or encoded
    │   ├── VocabularyError       ValueError: class names
    │   ├── AnnotationError       ValueError: a data set or results file
    │   └── RecordError           ValueError: a record folder
    ├── ModelError (4)            unknown model
    │   └── WeightsError          missing, corrupt or ill-fitting weights
    │       └── DownloadError     OSError: their server cannot be reached, or refuses
    ├── ResourceError (5)         device, memory or disk
    └── SomeInputsFailed (1)      a batch went on, but some inputs of it failed

Messages are one line: what happened, where, and how to mend it (`hint`).
"""

from ovvis_models.errors import printable


class OvvisError(Exception):
    """Base of all expected errors; shown to the user as one printable line, without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = printable(message)
        self.hint = printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class SomeInputsFailed(OvvisError):  # noqa: N818 - an outcome, in the words of the exit code table
    """Some inputs of a batch failed; the others are done."""

    exit_code = 1


class UsageError(OvvisError):
    """An option or argument makes no sense."""

    exit_code = 2


class RecipeError(UsageError, ValueError):
    """A training recipe has an unknown, missing or impossible key."""


class InputError(OvvisError):
    """Something the user gave cannot be used."""

    exit_code = 3


class VideoError(InputError, OSError):
    """A video cannot be opened, decoded or encoded."""

    __str__ = OvvisError.__str__


class VocabularyError(InputError, ValueError):
    """The class names asked for make no vocabulary."""


class AnnotationError(InputError, ValueError):
    """A data set or results file is malformed; the message names file and entry."""


class RecordError(InputError, ValueError):
    """A folder is not a record, or not one that this version reads."""


class ModelError(OvvisError):
    """No model of that name."""

    exit_code = 4


class WeightsError(ModelError):
    """A weights file is missing, corrupt, or belongs to another network."""


class DownloadError(WeightsError, OSError):
    """A server of published weights cannot be reached, or refuses."""

    __str__ = OvvisError.__str__


class ResourceError(OvvisError):
    """The device, the memory or the disk does not suffice."""

    exit_code = 5
