"""The driver of a Ray batch against a small stand-in for Ray, whose workers die on command."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ovvis_cli.app import _with_ray_address
from ovvis_cli.batch import ray_cluster
from ovvis_cli.batch.many_inputs import Done, Failed
from ovvis_cli.batch.ray_cluster import Progress, RayOptions, process_with_ray
from ovvis_cli.errors import ModelError, OvvisError, ResourceError, UsageError, VideoError
from ovvis_cli.video.inputs import Source
from ovvis_cli.video.location import Location
from tests.unit.batch.test_status import REQUEST

SOURCES = [Source(location=Location(f"{name}.mp4", "file"), name=name) for name in "abcdef"]

OPTIONS: dict[str, Any] = {"address": "local", "num_workers": 2, "gpus_per_worker": None, "worker": None}


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Reference:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call


class FakeRay:
    """Answers every call at once, in the order of the calls. `work` is what a worker does with a video."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, work: Callable[[Source], object], *, starts: list[object] | None = None) -> None:
        self.work = work
        self.starts = deque(starts or [])  # what start() gives; None afterwards
        self.num_actors = self.num_killed = 0
        self.asked: dict[str, Any] = {}  # of the actor class
        self.resources = {"CPU": 8.0}

    def remote(self, worker: type) -> Any:
        def options(**given: Any) -> Any:
            self.asked = given
            return SimpleNamespace(remote=self.actor)

        return SimpleNamespace(options=options)

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def actor(self, *arguments: object, **named: object) -> Any:
        self.num_actors += 1
        answer = self._answer
        return SimpleNamespace(
            start=SimpleNamespace(
                remote=lambda: answer(lambda: self.starts.popleft() if self.starts else None)
            ),
            segment=SimpleNamespace(remote=lambda source: answer(lambda: self.work(source))),
            num_frames=SimpleNamespace(remote=lambda: answer(lambda: 7)),
        )

    @staticmethod
    def _answer(call: Callable[[], object]) -> Any:
        return _Reference(call)

    def wait(
        self, references: list[Any], *, timeout: float, num_returns: int = 1
    ) -> tuple[list[Any], list[Any]]:
        return references[:1], references[1:]

    def get(self, reference: Any) -> object:
        answer = reference.call()
        if isinstance(answer, RayError):
            raise answer
        return answer

    def kill(self, actor: object) -> None:
        self.num_killed += 1


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Done | Failed]]:
    def process(fake: FakeRay, **options: Any) -> list[Done | Failed]:
        from contextlib import nullcontext

        monkeypatch.setattr(ray_cluster, "_connected", lambda address: nullcontext(fake))
        started: list[Source] = []
        progress: list[Progress] = []
        outcomes = process_with_ray(
            SOURCES,
            REQUEST,
            options=RayOptions(**(OPTIONS | options)),
            on_start=started.append,
            on_progress=progress.append,
        )
        found = list(outcomes)
        assert set(started) == set(SOURCES)
        assert progress[-1].num_videos == len(SOURCES)
        assert fake.num_killed >= 1
        return found

    return process


def _done(source: Source) -> Done:
    return Done(source=source, result=None, elapsed_s=1.0)


def _names(outcomes: list[Done | Failed], kind: type) -> list[str]:
    return sorted(outcome.source.name for outcome in outcomes if isinstance(outcome, kind))


def test_every_video_is_done_once_and_keeps_its_path(run) -> None:
    given: list[str] = []

    def work(source: Source) -> Done:
        given.append(source.location.text)
        return _done(source)

    outcomes = run(FakeRay(work))
    assert [outcome.source for outcome in sorted(outcomes, key=lambda each: each.source.name)] == SOURCES
    assert all(Path(text).is_absolute() for text in given)


def test_a_bad_video_does_not_stop_the_others(run) -> None:
    def work(source: Source) -> Done | Failed:
        return Failed(source=source, error=VideoError("bad")) if source.name == "c" else _done(source)

    outcomes = run(FakeRay(work))
    assert _names(outcomes, Failed) == ["c"]
    assert len(outcomes) == 6


def test_the_video_of_a_dead_worker_goes_to_another_one(run) -> None:
    deaths = ["b", "b", "e"]

    def work(source: Source) -> object:
        if source.name in deaths:
            deaths.remove(source.name)
            return RayError("the process was killed")
        return _done(source)

    fake = FakeRay(work)
    assert _names(run(fake), Done) == list("abcdef")
    assert fake.num_actors == 2 + 3


def test_a_video_that_kills_every_worker_fails_at_last(run) -> None:
    fake = FakeRay(lambda source: RayError("out of memory") if source.name == "d" else _done(source))
    outcomes = run(fake)
    assert (_names(outcomes, Failed), _names(outcomes, Done)) == (["d"], list("abcef"))
    failed = next(outcome for outcome in outcomes if isinstance(outcome, Failed))
    assert isinstance(failed.error, ResourceError)
    assert "4 workers died" in str(failed.error)


def test_a_defect_in_a_worker_is_reported_and_the_rest_is_done(run) -> None:
    fake = FakeRay(
        lambda source: RayTaskError(ZeroDivisionError("x")) if source.name == "a" else _done(source)
    )
    outcomes = run(fake)
    assert _names(outcomes, Failed) == ["a"]
    assert "ZeroDivisionError" in str(next(each.error for each in outcomes if isinstance(each, Failed)))
    assert fake.num_actors == 2


def test_a_worker_that_dies_while_it_starts_is_replaced(run) -> None:
    fake = FakeRay(_done, starts=[RayError("x"), RayError("x")])
    assert len(run(fake)) == 6


def test_workers_that_never_start_end_the_batch(run) -> None:
    with pytest.raises(ResourceError, match="no worker can be started"):
        run(FakeRay(_done, starts=[RayError("No module named 'ovvis_cli'")] * 6))


def test_a_model_that_cannot_be_loaded_ends_the_batch(run) -> None:
    with pytest.raises(OvvisError, match="no such model"):
        run(FakeRay(_done, starts=[ModelError("no such model")]))


@pytest.mark.parametrize(
    ("resources", "options", "expected"),
    [
        ({"CPU": 8.0}, {}, (2, 4, 0)),
        ({"CPU": 2.0}, {}, (1, 2, 0)),
        ({"CPU": 8.0, "GPU": 4.0}, {}, (4, 2, 1)),
        ({"CPU": 8.0, "GPU": 2.0}, {"gpus_per_worker": 0.5}, (4, 2, 0.5)),
        ({"CPU": 8.0, "GPU": 2.0}, {"gpus_per_worker": 0.0}, (2, 4, 0)),
        ({"CPU": 8.0}, {"num_workers": 3}, (3, 2, 0)),
    ],
)
def test_workers_share_the_cluster(run, resources, options, expected) -> None:
    fake = FakeRay(_done)
    fake.resources = resources
    run(fake, **({"num_workers": None} | options))
    asked = fake.asked
    assert (fake.num_actors, asked["num_cpus"], asked["num_gpus"]) == expected


def test_more_gpus_than_the_cluster_has_are_refused(run) -> None:
    with pytest.raises(ResourceError, match="the cluster has 0 GPUs"):
        run(FakeRay(_done), gpus_per_worker=1.0)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match="needs the package ray") as raised:
        ray_cluster._ray()
    assert "ovvis[ray]" in raised.value.hint


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ("clips --ray", "clips --ray auto"),
        ("--ray clips -o out", "--ray auto clips -o out"),
        ("clips --ray --workers 2", "clips --ray auto --workers 2"),
        ("clips --ray local -o out", "clips --ray local -o out"),
        ("clips --ray 10.0.0.1:6379", "clips --ray 10.0.0.1:6379"),
        ("clips --ray ray://head:10001", "clips --ray ray://head:10001"),
        ("clips -o out", "clips -o out"),
    ],
)
def test_the_address_may_be_left_out(given: str, completed: str) -> None:
    assert _with_ray_address(given.split()) == completed.split()
