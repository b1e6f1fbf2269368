"""`ovvis doctor`: checks of the installation."""

from typing import TYPE_CHECKING

from ovvis_cli.commands.options import JsonOption, QuietOption
from ovvis_cli.console import Console, JsonValue

if TYPE_CHECKING:
    from ovvis_cli.commands.doctor_checks import Check


def doctor(*, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Check the installation: packages, devices, video codec, cache, weights, a run of the model.

    Exit code 0: no problem; 4: a model or its weights; 5: device, codec, cache or packages.
    """
    from ovvis_cli.commands.doctor_checks import run_checks, versions

    console = Console(quiet=quiet, json=json)
    checks = []
    for check in run_checks():
        checks.append(check)
        console.write(f"{'FAILED' if check.error else 'ok':6}  {check.name:8}  {check.error or check.detail}")
    failed = [check.error for check in checks if check.error is not None]
    console.emit({"ok": not failed, "versions": versions(), "checks": [_as_json(check) for check in checks]})
    if failed:
        raise failed[0]


def _as_json(check: "Check") -> dict[str, JsonValue]:
    error = check.error
    return {
        "name": check.name,
        "ok": error is None,
        "detail": check.detail if error is None else error.message,
        "hint": "" if error is None else error.hint,
    }
