"""From what goes wrong below to what the user is told: here foreign errors get their exit codes."""

import errno
from collections.abc import Callable
from typing import Final

from ovvis_cli.errors import InputError, ModelError, OvvisError, ResourceError, WeightsError
from ovvis_models.errors import CoreError, UnknownModelError
from ovvis_models.errors import WeightsError as CoreWeightsError

_DISK_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
_DENIED_ERRNOS: Final = frozenset({errno.EACCES, errno.EPERM})
_OUT_OF_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory")  # as torch says it
_MEMORY_HINT: Final = "try a smaller --batch-size, --precision bf16, or --device cpu"


def as_ovvis_error(error: BaseException) -> OvvisError | None:
    """The error as the user is to see it; None for what should never happen, a defect of this program."""
    if isinstance(error, OvvisError):
        return error
    return _translated(error)


def _translated(error: BaseException) -> OvvisError | None:
    if isinstance(error, CoreError):
        return _core_error_class(error)(error.message, hint=error.hint)
    if isinstance(error, MemoryError) or _is_device_memory(error):
        return ResourceError("out of memory", hint=_MEMORY_HINT)
    if isinstance(error, OSError) and error.errno in _DISK_ERRNOS | _DENIED_ERRNOS:
        where = f"{error.filename}: " if error.filename else ""
        return ResourceError(f"{where}{error.strerror}", hint="check free space and permissions")
    return None


def _core_error_class(error: CoreError) -> Callable[..., OvvisError]:
    if isinstance(error, CoreWeightsError):
        return WeightsError
    return ModelError if isinstance(error, UnknownModelError) else InputError


def _is_device_memory(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)
