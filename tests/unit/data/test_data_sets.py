"""Data sets as users have them on disk: where their files are found, what is missing, what they list."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ovvis_cli.choices import DATA_SET_NAMES, DataSetName, SplitName
from ovvis_cli.data.catalog import DATA_SETS, find_files
from ovvis_cli.data.check import Finding, check_data_set
from ovvis_cli.data.entries import Entry
from ovvis_cli.data.frames import frame_paths, read_frames
from ovvis_cli.data.ground_truth import NoGroundTruthError, first_videos, read_ground_truth, read_index
from ovvis_cli.data.image_header import image_size
from ovvis_cli.data.index import load_index
from ovvis_cli.data.splits import category_splits
from ovvis_cli.data.tracks import AnnotatedCategory, AnnotatedVideo
from ovvis_cli.errors import AnnotationError, VideoError
from ovvis_cli.vocabulary.categories import load_table
from tests.evaluation.building import annotation, box_masks, document, video_entry, write_data_set

_BOX = [(2, 2, 8, 8)] * 2


def _touch(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


@pytest.mark.parametrize(
    ("name", "split", "annotations", "frames"),
    [
        ("ytvis2019", "val", "valid.json", "valid/JPEGImages"),
        ("ytvis2019", "train", "ytvis_2019/train.json", "ytvis_2019/train/JPEGImages"),
        ("ytvis2021", "val", "ytvis2021/valid/instances.json", "ytvis2021/valid/JPEGImages"),
        ("ytvis2021", "val", "ytvis_2021/valid.json", "ytvis_2021/valid/JPEGImages"),
        ("ytvis2022", "val", "ytvis_2022/valid/instances.json", "ytvis_2022/valid/JPEGImages"),
        ("ovis", "val", "annotations/annotations_valid.json", "valid"),
        ("ovis", "val", "OVIS/annotation_valid.json", "OVIS/Images/valid"),
        ("ovis", "test", "ovis/annotations_test.json", "ovis/Images/test"),
        ("lvvis", "val", "lvvis/val_instances.json", "lvvis/val/JPEGImages"),
        ("lvvis", "val", "LVVIS/val/val_instances.json", "LVVIS/val/JPEGImages"),
        ("lvvis", "train", "lvvis/train/train_ytvis_style.json", "lvvis/train/JPEGImages"),
        ("burst", "val", "annotations/val/all_classes.json", "frames/val"),
        ("burst", "train", "burst/annotations/train/train.json", "burst/frames/train"),
        ("burst", "val", "burst/val/all_classes.json", "burst/val"),
        ("uvo", "val", "UVOv1.0/VideoDenseSet/UVO_video_val_dense.json", "UVOv1.0/uvo_videos_dense_frames"),
        ("diorama", "val", "val/instances.json", "val/JPEGImages"),
    ],
)
def test_every_layout_in_use_is_found(
    tmp_path: Path, name: DataSetName, split: SplitName, annotations: str, frames: str
) -> None:
    _touch(tmp_path, annotations)
    (tmp_path / frames).mkdir(parents=True, exist_ok=True)
    files = find_files(DATA_SETS[name], tmp_path, split=split)
    assert files.annotations == tmp_path / annotations
    assert files.frames == tmp_path / frames


def test_what_is_not_found_is_told_with_all_places(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no annotation file of LV-VIS, split val .*val_inst"):
        find_files(DATA_SETS["lvvis"], tmp_path, split="val")
    _touch(tmp_path, "val_instances.json")
    with pytest.raises(AnnotationError, match=r"no folder with frames of LV-VIS.*val/JPEGImages"):
        find_files(DATA_SETS["lvvis"], tmp_path, split="val")
    with pytest.raises(AnnotationError, match="is not a folder"):
        find_files(DATA_SETS["lvvis"], tmp_path / "elsewhere", split="val")


def test_lvvis_test_is_listed_from_its_folders(tmp_path: Path) -> None:
    for video in ("00001", "00000"):
        for frame in ("00001.png", "00000.png"):
            path = tmp_path / "test" / "JPEGImages" / video / frame
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.zeros((6, 9, 3), np.uint8))
    files = find_files(DATA_SETS["lvvis"], tmp_path, split="test")
    index = load_index(files)
    assert files.annotations is None
    assert not index.has_ground_truth
    assert list(index.videos) == [0, 1]
    assert index.videos[0].file_names == ("00000/00000.png", "00000/00001.png")
    assert index.videos[0].frame_hw == (6, 9)
    assert len(index.categories) == 1196


def test_base_and_novel_counts_are_those_of_the_papers() -> None:
    sizes = {}
    for name in ("ytvis2019", "ytvis2021", "lvvis"):
        table = load_table(name).categories
        listed = [
            AnnotatedCategory(category_id=entry.category_id, name=entry.name, partition=entry.partition)
            for entry in table
        ]
        sizes[name] = {split: len(ids) for split, ids in category_splits(name, listed).items()}
    assert sizes["ytvis2019"] == {"base": 33, "novel": 7}
    assert sizes["ytvis2021"] == {"base": 34, "novel": 6}
    assert sizes["lvvis"] == {"base": 641, "novel": 555}
    assert category_splits("ovis", listed) == category_splits(None, listed) == {}


@pytest.mark.parametrize("name", DATA_SET_NAMES)
def test_every_data_set_is_described(name: DataSetName) -> None:
    spec = DATA_SETS[name]
    assert spec.name == name
    assert len(load_table(spec.table).categories) >= 1
    assert set(spec.split_names) == {"train", "val", "test"}


def test_backslashes_and_longer_paths_are_understood(tmp_path: Path) -> None:
    video = AnnotatedVideo(
        video_id=1, frame_hw=(2, 2), num_frames=2, file_names=("val\\JPEGImages\\00000\\1.jpg", "00000/2.jpg")
    )
    assert frame_paths(video, folder=tmp_path) == [tmp_path / "00000/1.jpg", tmp_path / "00000/2.jpg"]


def test_frames_are_rgb_in_order_and_of_the_listed_size(tmp_path: Path) -> None:
    paths = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((4 + 4 * (number == 3), 6, 3), (1, 2, 10 * number), np.uint8))
        paths.append(path)
    frames = list(read_frames(paths, frame_hw=(4, 6), num_workers=2))
    assert [frame.shape for frame in frames] == [(4, 6, 3)] * 7
    assert [frame[0, 0].tolist() for frame in frames] == [[10 * number, 2, 1] for number in range(7)]
    paths[4].write_bytes(b"")
    with pytest.raises(VideoError, match="4.png is not a readable image"):
        list(read_frames(paths, frame_hw=(4, 6), num_workers=2))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_size_is_read_from_the_head(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    cv2.imwrite(str(path), np.zeros((37, 53, 3), np.uint8))
    assert image_size(path) == (37, 53)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(VideoError):
        image_size(path)


def test_a_progressive_jpeg_and_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    cv2.imwrite(str(path), np.zeros((5, 8, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert image_size(path) == (5, 8)
    path.write_bytes(b"GIF89a" + bytes(40))
    with pytest.raises(VideoError, match="not a JPEG or PNG"):
        image_size(path)
    with pytest.raises(VideoError, match="cannot read"):
        image_size(tmp_path / "none.jpg")


def _data_set(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    content = document(
        [video_entry(1, num_frames=2), video_entry(2, num_frames=2)],
        [annotation(1, video_id=1, category_id=1, masks=box_masks(_BOX))],
    )
    table = load_table("diorama").categories
    content["categories"] = [{"id": entry.category_id, "name": entry.name} for entry in table]
    return write_data_set(tmp_path, content), content


def _check(folder: Path) -> list[Finding]:
    return list(check_data_set(find_files(DATA_SETS["diorama"], folder, split="val")))


def test_a_whole_data_set_has_no_findings(tmp_path: Path) -> None:
    assert _check(_data_set(tmp_path)[0]) == []


def test_missing_cut_and_resized_frames_are_found(tmp_path: Path) -> None:
    folder, _ = _data_set(tmp_path)
    frames = folder / "val" / "JPEGImages"
    (frames / "v1" / "00000.jpg").unlink()
    (frames / "v1" / "00001.jpg").write_bytes(b"\xff\xd8\xff")
    cv2.imwrite(str(frames / "v2" / "00001.jpg"), np.zeros((12, 16, 3), np.uint8))
    findings = _check(folder)
    assert [(Path(finding.where).parent.name, finding.is_serious) for finding in findings] == [
        ("v1", True),
        ("v1", True),
        ("v2", False),
    ]
    assert "is cut off" in findings[0].what
    assert "1 of 2 frames are missing" in findings[1].what
    assert "16x12, video 2 32x24" in findings[2].what


def test_malformed_annotations_and_other_categories_are_found(tmp_path: Path) -> None:
    folder, content = _data_set(tmp_path)
    content["categories"][0]["name"] = "dragon"
    path = folder / "val" / "instances.json"
    path.write_text(json.dumps(content))
    (finding,) = _check(folder)
    assert "category 1 is 'dragon'" in finding.what and not finding.is_serious
    content["annotations"][0]["segmentations"].pop()
    path.write_text(json.dumps(content))
    (finding,) = _check(folder)
    assert "annotation 1: 1 segmentations, video 1 has 2 frames" in finding.what and finding.is_serious


def test_private_ground_truth_is_a_note(tmp_path: Path) -> None:
    folder, content = _data_set(tmp_path)
    del content["annotations"]
    (folder / "val" / "instances.json").write_text(json.dumps(content))
    (finding,) = _check(folder)
    assert "no public ground truth" in finding.what and not finding.is_serious


def test_an_index_needs_no_ground_truth_and_limits_keep_the_order(tmp_path: Path) -> None:
    videos = [video_entry(number, num_frames=2) for number in (9, 4, 6)]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**document(videos, None), "annotations": None}))
    assert list(read_index(path).first(2).videos) == [9, 4]
    with pytest.raises(NoGroundTruthError):
        read_ground_truth(path)
    annotations = [
        annotation(number, video_id=number, category_id=1, masks=box_masks(_BOX)) for number in (9, 4, 6)
    ]
    path.write_text(json.dumps(document(videos, annotations)))
    limited = first_videos(read_ground_truth(path), limit=2)
    assert list(limited.videos) == [9, 4]
    assert [track.video_id for track in limited.tracks] == [9, 4]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.0, "must be an integer, not the number 1.0"),
        (True, "must be an integer, not true"),
        ("1", "must be an integer, not the text '1'"),
        (None, "must be an integer, not null"),
        ([1], "must be an integer, not a list"),
    ],
)
def test_a_value_of_a_wrong_kind_is_shown(value: object, told: str) -> None:
    entry = Entry(path=Path("results.json"), where="entry 0", content={"category_id": value})
    with pytest.raises(AnnotationError, match=rf"entry 0: category_id {told}$"):
        entry.integer("category_id")
