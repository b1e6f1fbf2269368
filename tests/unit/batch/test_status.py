"""The journal of a batch, and the status that it gives."""

import dataclasses
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ovvis_cli.batch import journal as journals
from ovvis_cli.batch.journal import FOLDER, Journal, Run, read_journal
from ovvis_cli.batch.request import SegmentRequest
from ovvis_cli.batch.status import BatchStatus, batch_status
from ovvis_cli.batch.store import LocalStore
from ovvis_cli.errors import RecordError, VideoError
from ovvis_cli.video.inputs import Source
from ovvis_cli.video.location import Location
from ovvis_cli.vocabulary.names import parse_classes

SOURCES = [Source(location=Location(f"{name}.mp4", "file"), name=name) for name in "abcd"]
REQUEST = SegmentRequest(
    vocabulary=parse_classes("dog,cat"),
    text_embeddings=None,
    distractors=True,
    score_threshold=0.0,
    max_tracks=None,
    formats=("overlay", "ytvis"),
    start_s=0.0,
    end_s=None,
    fps="30000/1001",
    stride=1,
    live=False,
    model="instformer-tiny",
    adapter=None,
    tracker=None,
    momentum=None,
    top_k_frames=None,
    top_k_chosen=None,
    memory_windows=None,
    classifier=None,
    rules="product",
    short_side=None,
    device="auto",
    precision="auto",
    batch_size=4,
    overwrite=False,
)


def _status(folder: Path) -> BatchStatus:
    store = LocalStore(folder)
    return batch_status(read_journal(store), finished=store.finished_results())


def _states(folder: Path) -> dict[str, str]:
    return {video.name: video.state for video in _status(folder).videos}


def _finish(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "record.json").write_text("{}")


def test_every_video_is_done_running_failed_or_left(tmp_path: Path) -> None:
    with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
        journal.plan(SOURCES)
        for source in SOURCES[:3]:
            journal.running(source)
        _finish(tmp_path, "a")
        journal.done(SOURCES[0], num_analysed=10, elapsed_s=2.0)
        journal.failed(SOURCES[1], VideoError("b.mp4: not a video", hint="copy it again"))
        assert _states(tmp_path) == {"a": "done", "b": "failed", "c": "running", "d": "left"}
        status = _status(tmp_path)
        assert status.counts == {"done": 1, "running": 1, "failed": 1, "left": 1}
        assert len(status.runs) == 1
    failed = status.of_state("failed")[0].attempt
    assert failed is not None
    assert (failed.message, failed.hint, failed.exit_code) == ("b.mp4: not a video", "copy it again", 3)


def test_a_video_is_left_when_its_run_has_ended(tmp_path: Path) -> None:
    with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
        journal.plan(SOURCES)
        journal.running(SOURCES[0])
    assert _states(tmp_path)["a"] == "left"
    assert _status(tmp_path).runs == ()


def test_a_video_whose_result_was_removed_is_left(tmp_path: Path) -> None:
    with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
        journal.plan(SOURCES)
        journal.done(SOURCES[0], num_analysed=10, elapsed_s=2.0)
    assert _states(tmp_path)["a"] == "left"


def test_results_of_an_earlier_command_with_other_options_do_not_count(tmp_path: Path) -> None:
    _finish(tmp_path, "a")
    with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
        journal.plan(SOURCES)
        journal.done(SOURCES[0], num_analysed=10, elapsed_s=2.0)
    assert _states(tmp_path)["a"] == "done"
    other = dataclasses.replace(REQUEST, stride=2)
    with Journal(LocalStore(tmp_path), request=other) as journal:
        journal.plan(SOURCES)
    assert _states(tmp_path)["a"] == "left"
    assert _status(tmp_path).videos[0].plan.request == other


def test_shards_share_one_plan(tmp_path: Path) -> None:
    for _ in range(3):
        with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
            journal.plan(SOURCES)
    assert len(list((tmp_path / FOLDER / "plans").iterdir())) == 1
    assert read_journal(LocalStore(tmp_path)).plans[0].request == REQUEST


def test_time_left_is_that_of_the_rest_at_the_mean_speed(tmp_path: Path) -> None:
    with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
        journal.plan(SOURCES)
        assert _status(tmp_path).seconds_left is None
        for source, elapsed_s in zip(SOURCES[:2], (2.0, 4.0), strict=True):
            _finish(tmp_path, source.name)
            journal.done(source, num_analysed=10, elapsed_s=elapsed_s)
    assert _status(tmp_path).seconds_left == pytest.approx(2 * 3.0)


def test_time_left_counts_all_runs_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(LocalStore(tmp_path), request=REQUEST) as journal:
        journal.plan(SOURCES)
        _finish(tmp_path, "a")
        journal.done(SOURCES[0], num_analysed=10, elapsed_s=2.0)
        entries = read_journal(LocalStore(tmp_path))
        run = next(iter(entries.runs.values()))
        monkeypatch.setattr("time.time", lambda: run.started_s + 10)
        assert batch_status(entries, finished={"a"}).seconds_left == pytest.approx(30)


def test_a_run_is_alive_as_long_as_its_process_or_its_recent_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = time.time()
    here = Run(
        name="x", host=journals.socket.gethostname(), pid=1, shard=None, started_s=now_s, renewed_s=now_s
    )
    assert here.is_alive()
    assert not dataclasses.replace(here, pid=2**22 + 1).is_alive()
    elsewhere = dataclasses.replace(here, host="another-machine", pid=2**22 + 1)
    assert elsewhere.is_alive()
    assert not dataclasses.replace(elsewhere, renewed_s=now_s - 1000).is_alive()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("plans/x.json", "{"),
        ("plans/x.json", "[]"),
        ("plans/x.json", json.dumps({"request": {}, "inputs": {}, "created_s": 0})),
        ("videos/x.json", json.dumps({"name": "x"})),
        ("runs/x.json", "\x00"),
    ],
)
def test_a_damaged_journal_is_told_with_its_file(tmp_path: Path, part: str, text: str) -> None:
    path = tmp_path / FOLDER / part
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(RecordError, match="x.json is damaged"):
        read_journal(LocalStore(tmp_path))


def test_tasks_that_begin_together_write_the_same_plan(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for _ in range(50):
            LocalStore(tmp_path).write("plans/x.json", json.dumps({"number": number}))

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(write, range(8)))  # raises if a writer loses its temporary file to another one
    assert [path.name for path in (tmp_path / "plans").iterdir()] == ["x.json"]
    assert LocalStore(tmp_path).read_all("plans").keys() == {"plans/x.json"}
