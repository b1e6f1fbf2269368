"""Values that need more than Typer to be read."""

import pytest

from ovvis_cli.commands.options import parse_formats
from ovvis_cli.errors import UsageError, exit_code_of


def test_formats_are_read_in_order_and_once() -> None:
    assert parse_formats(" ytvis,OVERLAY, ytvis,", option="--save") == ("ytvis", "overlay")


def test_an_unknown_format_is_told_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"--save: 'overlai' is not a known format \(did you mean overlay\? choose from"
    ) as raised:
        parse_formats("ytvis,overlai", option="--save")
    assert exit_code_of(raised.value) == 2


@pytest.mark.parametrize("text", ["", " , "])
def test_no_format_at_all(text: str) -> None:
    with pytest.raises(UsageError, match="--save names no format"):
        parse_formats(text, option="--save")
