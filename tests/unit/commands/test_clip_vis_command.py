"""`ovvis models` for weights that only a person can fetch, or only a training can make."""

import json

import pytest

from ovvis_cli.app import run


@pytest.mark.parametrize(
    ("name", "told"), [("clipvis-r50", "drive.google.com"), ("clipvis-convnext-b", "drive.google.com")]
)
def test_pulling_tells_where_the_authors_publish(home, capsys, name, told):
    assert run(["models", "pull", name]) == 4
    message = capsys.readouterr().err
    assert told in message
    assert f"ovvis models import {name} FILE" in message


def test_info_tells_where_and_what(home, capsys):
    assert run(["models", "info", "clipvis-r50", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["published_at"].startswith("https://drive.google.com/")
    assert value["tracker"] == "top-k"
    assert value["backbone"] == "the vision tower of its CLIP"
    assert value["installed"] is False
