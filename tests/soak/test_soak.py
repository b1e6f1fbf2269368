"""Damaged files are read or refused: those that once broke ovvis always, many new ones in slow runs."""

import random
from pathlib import Path

import pytest

from tests.soak.mutation import mutated_bytes, mutated_json
from tests.soak.run import problem_of, soak
from tests.soak.targets import TARGETS, Target

BROKEN = Path(__file__).parent / "broken"
KEPT = sorted(path.relative_to(BROKEN) for path in BROKEN.rglob("*") if path.is_file())


@pytest.mark.parametrize("kept", KEPT, ids=str)
def test_what_once_broke_ovvis_is_handled(kept: Path, tmp_path: Path) -> None:
    kind, _, *inside = kept.parts
    TARGETS[kind].make(tmp_path)
    path = tmp_path.joinpath(*inside)
    path.write_bytes((BROKEN / kept).read_bytes())
    assert problem_of(kind, path) is None


@pytest.mark.parametrize("kind", TARGETS)
def test_sound_files_are_read(kind: str, tmp_path: Path) -> None:
    for number, path in enumerate(TARGETS[kind].make(tmp_path)):
        if number < 2:
            TARGETS[kind].check(path)


def test_the_same_seed_is_the_same_damage(tmp_path: Path) -> None:
    data = b'{"a": [1, 2, {"b": "c"}]}\n'
    for mutated in (mutated_bytes, mutated_json):
        assert mutated(data, random.Random(5)) == mutated(data, random.Random(5))
        assert len({mutated(data, random.Random(seed)) for seed in range(20)}) > 10


def test_a_traceback_is_a_problem_and_an_expected_error_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    for error, is_problem in ((ZeroDivisionError("x"), True), (MemoryError(), False)):

        def check(damaged: Path, error: Exception = error) -> None:
            raise error

        monkeypatch.setitem(TARGETS, "broken", Target(make=lambda folder: [], check=check))
        assert (problem_of("broken", path) is not None) == is_problem


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", TARGETS)
def test_many_damaged_files(kind: str) -> None:
    problems, peak_mib = soak(kind, count=100)
    assert problems == []
    assert peak_mib < 2000
