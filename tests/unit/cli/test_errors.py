"""One tree of errors: exit codes, builtin parents, and errors of other libraries."""

import errno

import pytest

from ovvis_cli import errors
from ovvis_cli.errors import ModelError, OvvisError, ResourceError, as_ovvis_error, exit_code_of
from ovvis_models import errors as core_errors
from ovvis_models.errors import (
    CorruptWeightsError,
    MismatchedWeightsError,
    MissingPackageError,
    MissingWeightsError,
    UnknownModelError,
    WeightsError,
)


@pytest.mark.parametrize(
    ("kind", "code", "parents"),
    [
        (errors.SomeInputsFailed, 1, ()),
        (errors.UsageError, 2, ()),
        (errors.RecipeError, 2, (errors.UsageError, ValueError)),
        (errors.InputError, 3, ()),
        (errors.VideoError, 3, (errors.InputError, OSError)),
        (errors.VocabularyError, 3, (errors.InputError, ValueError)),
        (errors.AnnotationError, 3, (errors.InputError, ValueError)),
        (errors.RecordError, 3, (errors.InputError, ValueError)),
        (ModelError, 4, ()),
        (UnknownModelError, 4, (ModelError, ValueError)),
        (MissingPackageError, 4, (ModelError, ImportError)),
        (WeightsError, 4, (ModelError, RuntimeError)),
        (MissingWeightsError, 4, (WeightsError, FileNotFoundError)),
        (CorruptWeightsError, 4, (WeightsError,)),
        (MismatchedWeightsError, 4, (WeightsError,)),
        (errors.DownloadError, 4, (WeightsError, OSError)),
        (ResourceError, 5, ()),
    ],
)
def test_exit_code_parents_and_message_of_each_error(
    kind: type[OvvisError], code: int, parents: tuple[type[Exception], ...]
) -> None:
    error = kind("what happened", hint="how to fix it")
    assert exit_code_of(error) == code
    assert all(isinstance(error, parent) for parent in (OvvisError, *parents))
    assert str(error) == "what happened (how to fix it)"
    assert str(kind("what happened")) == "what happened"


def test_every_error_of_the_two_modules_is_listed_in_this_test() -> None:
    (marker,) = test_exit_code_parents_and_message_of_each_error.pytestmark
    listed = {kind for kind, _, _ in marker.args[1]}
    defined = {
        kind
        for module in (errors, core_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, OvvisError)
    }
    assert defined - {OvvisError} == listed


def test_the_shell_adds_the_command_that_downloads_weights() -> None:
    missing = as_ovvis_error(MissingWeightsError("x is not installed", published_model="x"))
    assert isinstance(missing, MissingWeightsError)
    assert missing.hint == "ovvis models pull x"
    other = as_ovvis_error(MismatchedWeightsError("2 tensors missing", published_model="x"))
    assert isinstance(other, MismatchedWeightsError)
    assert other.hint == "if it fitted before an update: ovvis models pull x --again"


def test_the_shell_and_the_core_share_their_classes() -> None:
    assert errors.WeightsError is WeightsError
    assert errors.OvvisError is OvvisError


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
def test_lack_of_memory_disk_or_permission_is_a_resource_error(error: Exception) -> None:
    assert isinstance(as_ovvis_error(error), ResourceError)


def test_expected_errors_are_returned_unchanged() -> None:
    for error in (errors.UsageError("x"), MissingWeightsError("no file", hint="h")):
        assert as_ovvis_error(error) is error


@pytest.mark.parametrize(
    "error", [ValueError("x"), RuntimeError("shape mismatch"), FileNotFoundError(2, "gone")]
)
def test_defects_are_not_translated(error: Exception) -> None:
    assert as_ovvis_error(error) is None
