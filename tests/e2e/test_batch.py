"""Many videos: shards, status, retries, several at a time, folders that fill, and estimates."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import media
from tests.e2e.conftest import Outcome, Ovvis, command_environment, command_line

pytestmark = pytest.mark.e2e

NUM_CLIPS = 7
Batch = Callable[..., Outcome]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven clips of two to five frames."""
    folder = tmp_path_factory.mktemp("videos") / "clips"
    folder.mkdir()
    for index in range(NUM_CLIPS):
        media.write_video(folder / f"clip{index}.mp4", media.numbered_images(2 + index % 4))
    return folder


@pytest.fixture
def segment(ovvis: Ovvis, weights: Path) -> Batch:
    def run(*arguments: str | Path, output: Path) -> Outcome:
        same = ("-c", "dog,cat", "--no-distractors", "--model", weights, "--batch-size", "2", "--quiet")
        return ovvis("segment", *arguments, *same, "-o", output)

    return run


@pytest.fixture(scope="module")
def plain(clips: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of a plain run over all clips, by its path."""
    from ovvis_cli.app import run

    output = tmp_path_factory.mktemp("plain")
    same = ["-c", "dog,cat", "--no-distractors", "--model", str(weights), "--batch-size", "2", "--quiet"]
    assert run(["segment", str(clips), *same, "-o", str(output)]) == 0
    return contents(output)


def contents(output: Path) -> dict[str, bytes]:
    """Every file of the results by its relative path, without the journal."""
    files = [path for path in output.rglob("*") if path.is_file() and ".ovvis-batch" not in path.parts]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in files}


def names_in(output: Path) -> set[str]:
    return {path.parent.name for path in output.glob("*/record.json")}


def test_three_shards_are_the_plain_run(
    segment: Batch, clips: Path, plain: dict[str, bytes], tmp_path: Path
) -> None:
    done: list[set[str]] = []
    for index in range(3):
        assert segment(clips, "--shard", f"{index}/3", output=tmp_path).code == 0
        done.append(names_in(tmp_path) - set().union(*done))
    assert sum(map(len, done)) == NUM_CLIPS
    assert max(map(len, done)) < NUM_CLIPS
    assert contents(tmp_path) == plain


def test_ten_more_videos_move_none_of_the_others(segment: Batch, clips: Path, tmp_path: Path) -> None:
    copy = tmp_path / "clips"
    shutil.copytree(clips, copy)
    before, after = tmp_path / "before", tmp_path / "after"
    assert segment(copy, "--shard", "1/3", output=before).code == 0
    for index in range(10):
        shutil.copyfile(clips / "clip0.mp4", copy / f"another{index}.mp4")
    assert segment(copy, "--shard", "1/3", output=after).code == 0
    assert {name for name in names_in(after) if name.startswith("clip")} == names_in(before)


def test_a_task_of_a_slurm_array_takes_its_shard(
    segment: Batch, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    outcome = segment(clips, output=tmp_path / "array")
    assert outcome.code == 0
    assert "takes shard 2/3" in outcome.warnings[0]
    monkeypatch.undo()
    assert segment(clips, "--shard", "2/3", output=tmp_path / "shard").code == 0
    assert names_in(tmp_path / "array") == names_in(tmp_path / "shard") != set()


def test_one_video_is_not_left_out_by_a_slurm_array(
    segment: Batch, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in ("0", "1"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
        assert segment(clips / f"clip{task}.mp4", output=tmp_path).code == 0
    assert names_in(tmp_path) == {"clip0", "clip1"}


def test_videos_side_by_side_are_the_plain_run(
    segment: Batch, clips: Path, plain: dict[str, bytes], tmp_path: Path
) -> None:
    outcome = segment(clips, "--jobs", "3", "--json", output=tmp_path)
    assert (outcome.code, len(outcome.json["inputs"])) == (0, NUM_CLIPS)
    assert contents(tmp_path) == plain


def test_status_and_retry_follow_a_batch(
    ovvis: Ovvis, segment: Batch, clips: Path, plain: dict[str, bytes], tmp_path: Path
) -> None:
    copy, output = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(clips, copy)
    whole = (copy / "clip3.mp4").read_bytes()
    (copy / "clip3.mp4").write_bytes(b"not a video" * 100)
    shard = next(index for index in range(2) if _is_in_shard(copy / "clip3.mp4", index))
    assert segment(copy, "--shard", f"{shard}/2", output=output).code == 1

    first = ovvis("batch", "status", output, "--json")
    counts = first.json["counts"]
    assert first.code == 11
    assert (counts["failed"], counts["running"]) == (1, 0)
    assert counts["done"] + counts["left"] == NUM_CLIPS - 1
    assert [video["error"]["exit_code"] for video in first.json["videos"] if "error" in video] == [3]

    assert segment(copy, "--shard", f"{1 - shard}/2", output=output).code == 0
    second = ovvis("batch", "status", output)
    assert (second.code, second.out.splitlines()[0]) == (1, "6 done, 0 running, 1 failed, 0 left")
    assert "not a video" in second.out

    assert ovvis("batch", "retry", output, "--quiet").code == 3
    (copy / "clip3.mp4").write_bytes(whole)
    assert ovvis("batch", "retry", output, "--quiet").code == 0
    assert ovvis("batch", "status", output).code == 0
    assert {name: data for name, data in contents(output).items() if "record.json" not in name} == {
        name: data for name, data in plain.items() if "record.json" not in name
    }


def _is_in_shard(path: Path, index: int) -> bool:
    from ovvis_cli.batch.shards import Shard
    from ovvis_cli.video.location import parse_location

    return Shard(index=index, count=2).holds(parse_location(path))


def test_retry_of_what_is_left(ovvis: Ovvis, segment: Batch, clips: Path, tmp_path: Path) -> None:
    assert segment(clips, "--shard", "0/2", output=tmp_path).code == 0
    outcome = ovvis("batch", "retry", tmp_path)
    assert (outcome.code, outcome.err) == (0, "nothing to retry\n")
    assert ovvis("batch", "retry", tmp_path, "--left", "--quiet").code == 0
    assert len(names_in(tmp_path)) == NUM_CLIPS
    assert ovvis("batch", "status", tmp_path).code == 0


def test_status_while_a_run_is_at_work(ovvis: Ovvis, segment: Batch, clips: Path, tmp_path: Path) -> None:
    from ovvis_cli.batch.journal import Journal, read_journal
    from ovvis_cli.batch.store import LocalStore

    assert segment(clips, "--shard", "0/2", output=tmp_path).code == 0
    store = LocalStore(tmp_path)
    with Journal(store, request=read_journal(store).plans[0].request):
        assert ovvis("batch", "status", tmp_path).code == 10


def test_status_of_a_folder_without_a_batch(ovvis: Ovvis, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        outcome = ovvis("batch", "status", folder)
        assert outcome.code == 3
        assert "holds no batch" in outcome.errors[0]


def test_an_estimate_leaves_nothing_behind(segment: Batch, clips: Path, tmp_path: Path) -> None:
    outcome = segment(clips, "--dry-run", "--json", output=tmp_path)
    assert outcome.code == 0
    found = outcome.json
    num_frames = sum(2 + index % 4 for index in range(NUM_CLIPS))
    assert (found["num_videos"], found["num_done"], found["num_frames_left"]) == (NUM_CLIPS, 0, num_frames)
    assert found["seconds"] > 0
    assert found["bytes"] > 1000
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_counts_what_is_done_and_lists_what_cannot_be_opened(
    segment: Batch, clips: Path, tmp_path: Path
) -> None:
    copy, output = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(clips, copy)
    assert segment(copy / "clip0.mp4", copy / "clip1.mp4", output=output).code == 0
    (copy / "clip6.mp4").write_bytes(b"not a video" * 100)
    outcome = segment(copy, "--dry-run", "--json", output=output)
    assert (outcome.code, outcome.json["num_done"]) == (1, 2)
    assert [failed["input"] for failed in outcome.json["failed"]] == [str(copy / "clip6.mp4")]


def test_a_folder_that_fills_is_watched_until_ctrl_c(
    clips: Path, plain: dict[str, bytes], weights: Path, tmp_path: Path
) -> None:
    folder, output = tmp_path / "clips", tmp_path / "out"
    folder.mkdir()
    names = ("-c", "dog,cat", "--no-distractors", "--model", weights, "--batch-size", "2", "--quiet")
    command = command_line("segment", folder, *names, "-o", output, "--watch")
    with subprocess.Popen(command, env=command_environment(), stderr=subprocess.PIPE) as process:
        for name in ("clip0", "clip1"):
            shutil.copy2(clips / f"{name}.mp4", folder)
            deadline = time.monotonic() + 200
            while not (output / name / "overlay.mp4").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert messages.decode().splitlines()[-1] == "stopped; run the same command to resume"
    found = contents(output)
    assert {name.split("/")[0] for name in found} == {"clip0", "clip1"}
    assert all(data == plain[name] for name, data in found.items() if "masks" in name)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--watch", "--ray", "local"], "--watch and --ray exclude each other"),
        (["--watch", "--json"], "--watch and --json exclude each other"),
        (["--ray", "local", "--jobs", "2"], "--ray and --jobs exclude each other"),
        (["--workers", "2"], "are options of --ray"),
        (["--shard", "3/3"], "is not a valid shard"),
    ],
)
def test_options_that_make_no_sense_together(
    segment: Batch, clips: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    outcome = segment(clips, *options, output=tmp_path)
    assert outcome.code == 2
    assert told in outcome.errors[0]
