"""Results on stdout, everything else on stderr, one line each."""

import json
import logging

import pytest

from ovvis_cli import console as console_module
from ovvis_cli.console import Console, configure_logging
from ovvis_cli.errors import VideoError


def test_an_error_is_one_line_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    Console(quiet=True).error(VideoError("a" * 200 + ": no\nsuch file", hint="check the path"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: " + "a" * 200 + ": no such file (check the path)\n")


def test_names_with_markup_and_escapes_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Console().warning("[bold]x[/bold] \x1b[2J \udce4.mp4")
    assert capsys.readouterr().err == "warning: [bold]x[/bold] \\x1b[2J \\udce4.mp4\n"


def test_quiet_keeps_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.note("note")
    console.write("result")
    console.table(("a",), [("b",)])
    console.emit({"a": 1})
    with console.progress("x", total=2) as progress:
        progress.advance(2)
    console.warning("careful")
    assert capsys.readouterr() == ("", "warning: careful\n")


def test_json_prints_one_object_and_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True)
    console.write("result")
    console.table(("a",), [("b",)])
    console.emit({"größe": [1, None]})
    assert json.loads(capsys.readouterr().out) == {"größe": [1, None]}


def test_table_shows_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table(("track", "label"), [("3", "[red]dog")], title="street", colors=[(255, 0, 0)])
    out = capsys.readouterr().out
    assert [word for word in ("street", "track", "label", "3", "[red]dog") if word not in out] == []


def test_progress_without_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now_s)
    with Console().progress("street", total=100) as progress:
        progress.resume_at(10)
        for _ in range(60):
            now_s += 0.125  # exact in binary
            progress.advance()
    assert capsys.readouterr().err == "street: 50/100 frames, 8.0 frames/s, 0:06 left\n"


def test_progress_on_a_terminal_tells_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    now_s = 100.0
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now_s)
    with Console().progress("street", total=100) as progress:
        now_s += 2.0
        progress.update(50)
    err = capsys.readouterr().err
    assert "50/100" in err
    assert "25.0 frames/s, 0:02 left" in err


def test_log_warnings_are_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logging(debug=False)
        logging.getLogger("ovvis_cli.record.writer").warning("starting again: %s", "why")
        logging.getLogger("ovvis_cli.record.writer").info("detail")
        logging.getLogger("torch").info("noise")
    finally:
        root.handlers[:], root.level = before
    assert capsys.readouterr().err == "warning: starting again: why\n"
