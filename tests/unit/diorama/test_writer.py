"""Data sets on disk: layout, annotations that fit the pictures, seeds, splits."""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovvis_cli.choices import DioramaFormat
from ovvis_cli.diorama.annotations import Annotations
from ovvis_cli.diorama.kinds import ALL_KINDS, BASE_KINDS, NOVEL_KINDS
from ovvis_cli.diorama.splits import plan_casts, split_kinds, video_rng
from ovvis_cli.diorama.textures import TEXTURES
from ovvis_cli.diorama.writer import ClipShape, DataSetPlan, write_data_set, write_video
from ovvis_cli.errors import UsageError
from ovvis_cli.video.reader import read_frames

SHAPE = ClipShape(frame_hw=(64, 96), num_frames=3)


def _plan(*, seed: int = 7, num_videos: int = 2, video_format: DioramaFormat = "frames") -> DataSetPlan:
    return DataSetPlan(split="val", num_videos=num_videos, seed=seed, shape=SHAPE, video_format=video_format)


def _load(path: Path) -> Annotations:
    annotations: Annotations = json.loads(path.read_text(encoding="utf-8"))
    return annotations


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_data_set_has_the_youtube_vis_layout(tmp_path: Path) -> None:
    done: list[int] = []
    path = write_data_set(tmp_path, plan=_plan(), on_video=done.append)
    assert path == tmp_path / "val" / "instances.json"
    assert done == [1, 2]
    annotations = _load(path)
    assert [entry["name"] for entry in annotations["categories"]] == [kind.name for kind in ALL_KINDS]
    assert [entry["id"] for entry in annotations["categories"]] == list(range(1, len(ALL_KINDS) + 1))
    for video in annotations["videos"]:
        assert (video["height"], video["width"], video["length"]) == (64, 96, 3)
        for name in video["file_names"]:
            picture = cv2.imread(str(tmp_path / "val" / "JPEGImages" / name))
            assert picture is not None and picture.shape == (64, 96, 3)
    assert [path.name for path in (tmp_path).iterdir()] == ["val"]


def test_annotations_agree_with_their_masks(tmp_path: Path) -> None:
    annotations = _load(write_data_set(tmp_path, plan=_plan(num_videos=4)))
    assert [entry["id"] for entry in annotations["annotations"]] == list(
        range(1, len(annotations["annotations"]) + 1)
    )
    absent = 0
    for entry in annotations["annotations"]:
        assert (
            len(entry["segmentations"]) == len(entry["bboxes"]) == len(entry["areas"]) == entry["length"] == 3
        )
        for run, box, area in zip(entry["segmentations"], entry["bboxes"], entry["areas"], strict=True):
            if run is None:
                absent += 1
                assert box is None and area is None
                continue
            rows, columns = np.nonzero(coco_mask.decode(run))
            assert area == len(rows) >= 12
            assert box == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert any(entry["segmentations"])
        assert entry["caption"]


def test_same_seed_same_files_other_seed_others(tmp_path: Path) -> None:
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        write_data_set(tmp_path / name, plan=_plan(seed=seed))
    first, again, other = (_files(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert first.keys() == other.keys() and first != other


def test_mp4_shows_the_same_pictures(tmp_path: Path) -> None:
    write_data_set(tmp_path / "frames", plan=_plan(num_videos=1))
    write_data_set(tmp_path / "mp4", plan=_plan(num_videos=1, video_format="mp4"))
    assert _load(tmp_path / "frames/val/instances.json") == _load(tmp_path / "mp4/val/instances.json")
    decoded = [frame.image for frame in read_frames(tmp_path / "mp4/val/00000.mp4")]
    assert len(decoded) == 3
    for frame_index, image in enumerate(decoded):
        jpeg = cv2.imread(str(tmp_path / f"frames/val/JPEGImages/00000/{frame_index:05d}.jpg"))
        assert jpeg is not None
        assert np.abs(image.astype(int) - jpeg[:, :, ::-1]).mean() < 8


def test_existing_output_is_kept_unless_told(tmp_path: Path) -> None:
    path = write_data_set(tmp_path, plan=_plan(num_videos=1))
    before = path.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        write_data_set(tmp_path, plan=_plan(num_videos=1, seed=9))
    assert path.read_bytes() == before
    write_data_set(tmp_path, plan=_plan(num_videos=1, seed=9), overwrite=True)
    assert path.read_bytes() != before


def test_a_foreign_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not a diorama data set"):
        write_data_set(tmp_path, plan=_plan(), overwrite=True)
    assert (tmp_path / "val" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(num_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_data_set(tmp_path, plan=_plan(), on_video=fail)
    assert list(tmp_path.iterdir()) == []


def test_video_with_a_cast(tmp_path: Path) -> None:
    cast = (BASE_KINDS[0], BASE_KINDS[0], NOVEL_KINDS[0])
    path = write_video(tmp_path / "park.mp4", cast=cast, seed=1, shape=SHAPE, texture=TEXTURES["grass"])
    assert len(list(read_frames(path))) == 3
    names = {entry["id"]: entry["name"] for entry in _load(tmp_path / "park.json")["categories"]}
    seen = Counter(names[entry["category_id"]] for entry in _load(tmp_path / "park.json")["annotations"])
    assert seen.keys() <= {kind.name for kind in cast} and seen
    with pytest.raises(UsageError, match="already exists"):
        write_video(path, cast=cast, seed=1, shape=SHAPE)


def test_plans_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 video"):
        _plan(num_videos=0)
    with pytest.raises(UsageError, match="cannot draw"):
        ClipShape(frame_hw=(8, 8), num_frames=3)
    with pytest.raises(UsageError, match="held out"):
        DataSetPlan(split="train", num_videos=1, seed=0, shape=SHAPE, kinds=(NOVEL_KINDS[0],))


def test_training_shows_base_kinds_only() -> None:
    assert split_kinds(ALL_KINDS, "train") == BASE_KINDS
    assert split_kinds(ALL_KINDS, "val") == ALL_KINDS
    assert not set(BASE_KINDS) & set(NOVEL_KINDS)


def test_casts_cover_all_kinds_evenly() -> None:
    casts = plan_casts(ALL_KINDS, split="val", seed=7, num_videos=50)
    counts = Counter(kind.name for cast in casts for kind in set(cast))
    assert all(1 <= len(cast) <= 6 for cast in casts)
    assert len(counts) == len(ALL_KINDS)
    assert max(counts.values()) - min(counts.values()) <= 2
    assert any(len(set(cast)) < len(cast) for cast in casts)
    assert plan_casts(ALL_KINDS, split="val", seed=7, num_videos=10) == casts[:10]


def test_splits_and_videos_never_share_random_numbers() -> None:
    first_numbers = {
        int(video_rng(split=split, seed=seed, video_index=index).integers(2**62))
        for split in ("train", "val")
        for seed in range(5)
        for index in range(20)
    }
    assert len(first_numbers) == 2 * 5 * 20
