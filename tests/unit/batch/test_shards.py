"""Shards: each video is in exactly one, whatever other videos there are."""

from pathlib import Path

import pytest

from ovvis_cli.batch.shards import Shard, parse_shard, shard_index, shard_of_slurm
from ovvis_cli.errors import UsageError
from ovvis_cli.video.location import Location


def _videos(count: int, folder: str = "/data/clips") -> list[Location]:
    return [Location(f"{folder}/{index:05}.mp4", "file") for index in range(count)]


def test_every_video_is_in_one_shard_and_the_shards_are_about_equal() -> None:
    videos = _videos(3000)
    sizes = [sum(Shard(index=index, count=3).holds(video) for video in videos) for index in range(3)]
    assert sum(sizes) == 3000
    assert max(sizes) - min(sizes) < 150


def test_the_split_is_the_same_in_every_version() -> None:
    assert [shard_index(video, count=4) for video in _videos(8)] == [3, 3, 2, 1, 2, 1, 1, 3]


def test_the_mount_point_and_the_current_folder_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    monkeypatch.chdir(tmp_path / "clips")
    for name in ("a.mp4", "b.mp4", "c.mp4", "é.mp4"):
        given = (name, f"/mnt/data/clips/{name}", str(tmp_path / "clips" / name))
        assert len({shard_index(Location(text, "file"), count=64) for text in given}) == 1


def test_files_of_one_name_in_many_folders_are_spread() -> None:
    videos = [Location(f"/data/{index:04}/video.mp4", "file") for index in range(100)]
    assert len({shard_index(video, count=4) for video in videos}) == 4


def test_accents_are_compared_in_one_form() -> None:
    composed, decomposed = Location("/v/caf\u00e9.mp4", "file"), Location("/v/cafe\u0301.mp4", "file")
    assert shard_index(composed, count=1000) == shard_index(decomposed, count=1000)


@pytest.mark.parametrize("text", ["3/3", "-1/3", "1", "1/0", "a/b", "1/2/3", ""])
def test_what_is_not_a_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)


def test_shards_are_parsed() -> None:
    assert parse_shard(" 2/16 ") == Shard(index=2, count=16)


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({}, None),
        ({"SLURM_ARRAY_TASK_ID": "3"}, None),
        ({"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "1"}, None),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4"}, Shard(index=3, count=4)),
        (
            {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "1"},
            Shard(index=3, count=4),
        ),
        (
            {
                "SLURM_ARRAY_TASK_ID": "6",
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            Shard(index=3, count=4),
        ),
    ],
)
def test_a_slurm_array_task_is_a_shard(environment: dict[str, str], shard: Shard | None) -> None:
    assert shard_of_slurm(environment) == shard


def test_a_slurm_array_with_gaps_is_refused() -> None:
    with pytest.raises(UsageError, match="no place"):
        shard_of_slurm(
            {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1"}
        )
