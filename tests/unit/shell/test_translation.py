"""Foreign errors get the exit code of what they mean."""

import errno

import pytest

from ovvis_cli.errors import ModelError, OvvisError, ResourceError, UsageError, WeightsError
from ovvis_cli.translation import as_ovvis_error
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError, UnknownModelError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnknownModelError("no model 'x'", hint="models: y"), ModelError("no model 'x'", hint="models: y")),
        (MissingWeightsError("no file", hint="h"), WeightsError("no file", hint="h")),
        (MismatchedWeightsError("other network"), WeightsError("other network")),
    ],
)
def test_core_errors_keep_message_and_hint(error: Exception, expected: OvvisError) -> None:
    told = as_ovvis_error(error)
    assert (type(told), str(told)) == (type(expected), str(expected))
    assert told is not None
    assert told.exit_code == 4


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        OSError(errno.ENOSPC, "No space left on device", "/out/x"),
        PermissionError(errno.EACCES, "Permission denied", "/out"),
    ],
)
def test_want_of_resources(error: Exception) -> None:
    assert isinstance(as_ovvis_error(error), ResourceError)


def test_own_errors_stay() -> None:
    error = UsageError("x")
    assert as_ovvis_error(error) is error


@pytest.mark.parametrize(
    "error", [ValueError("x"), RuntimeError("shape mismatch"), FileNotFoundError(2, "gone")]
)
def test_defects_are_not_explained_away(error: Exception) -> None:
    assert as_ovvis_error(error) is None
