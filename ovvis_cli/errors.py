"""All expected errors, their exit codes, and the errors of other libraries that have one.

    OvvisError
    ├── UsageError (2)            an option or argument makes no sense
    │   └── RecipeError           ValueError: unknown, missing or impossible key of a training recipe
    ├── InputError (3)            an input cannot be used
    │   ├── VideoError            OSError: cannot be opened, decoded or encoded
    │   ├── VocabularyError       ValueError: class names
    │   ├── AnnotationError       ValueError: a data set or results file
    │   └── RecordError           ValueError: a record folder
    ├── ModelError (4)            a model cannot be used; this branch is in `ovvis_models/errors.py`
    │   └── WeightsError          missing, corrupt or mismatched weights
    │       └── DownloadError     OSError: the server cannot be reached, or refuses
    ├── ResourceError (5)         device, memory or disk
    └── SomeInputsFailed (1)      some inputs of a batch failed, the others are done

Messages are one line: what happened, where, and how to fix it (`hint`).
"""

import errno
from typing import Final

from ovvis_models.errors import MismatchedWeightsError, ModelError, OvvisError, WeightsError

__all__ = [
    "AnnotationError",
    "DownloadError",
    "InputError",
    "ModelError",
    "OvvisError",
    "RecipeError",
    "RecordError",
    "ResourceError",
    "SomeInputsFailed",
    "UsageError",
    "VideoError",
    "VocabularyError",
    "WeightsError",
    "as_ovvis_error",
    "exit_code_of",
]

_DISK_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
_DENIED_ERRNOS: Final = frozenset({errno.EACCES, errno.EPERM})
_OUT_OF_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory")  # torch's messages
_MEMORY_HINT: Final = "try a smaller --batch-size, --precision bf16, or --device cpu"


class SomeInputsFailed(OvvisError):  # noqa: N818 - an outcome rather than an error
    """Some inputs of a batch failed; the others are done."""


class UsageError(OvvisError):
    """An option or argument makes no sense."""


class RecipeError(UsageError, ValueError):
    """A training recipe has an unknown, missing or impossible key."""


class InputError(OvvisError):
    """An input cannot be used."""


class VideoError(InputError, OSError):
    """A video cannot be opened, decoded or encoded."""

    __str__ = OvvisError.__str__


class VocabularyError(InputError, ValueError):
    """The class names are not a valid vocabulary."""


class AnnotationError(InputError, ValueError):
    """A data set or results file is malformed; the message names file and entry."""


class RecordError(InputError, ValueError):
    """A folder is not a record, or not one that this version reads."""


class DownloadError(WeightsError, OSError):
    """A server of published weights cannot be reached, or refuses."""

    __str__ = OvvisError.__str__


class ResourceError(OvvisError):
    """The device, the memory or the disk does not suffice."""


_EXIT_CODES: Final[tuple[tuple[type[OvvisError], int], ...]] = (
    (UsageError, 2),
    (InputError, 3),
    (ModelError, 4),
    (ResourceError, 5),
)


def exit_code_of(error: OvvisError) -> int:
    """Return the exit code of the command that ends with this error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)


def as_ovvis_error(error: BaseException) -> OvvisError | None:
    """Return the error to show to the user, or None if the error is a defect of ovvis.

    Running out of memory, a full disk and missing permissions become `ResourceError`s.
    """
    if isinstance(error, WeightsError) and error.published_model:
        return _with_command_hint(error)
    if isinstance(error, OvvisError):
        return error
    if isinstance(error, MemoryError) or _is_device_memory(error):
        return ResourceError("out of memory", hint=_MEMORY_HINT)
    if isinstance(error, OSError) and error.errno in _DISK_ERRNOS | _DENIED_ERRNOS:
        where = f"{error.filename}: " if error.filename else ""
        return ResourceError(f"{where}{error.strerror}", hint="check free space and permissions")
    return None


def _with_command_hint(error: WeightsError) -> WeightsError:
    """Return the error with the command that downloads the published weights as its hint."""
    command = f"ovvis models pull {error.published_model}"
    is_mismatch = isinstance(error, MismatchedWeightsError)
    hint = f"if it fitted before an update: {command} --again" if is_mismatch else command
    return type(error)(error.message, hint=hint)


def _is_device_memory(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)
