"""Each format, read by the parser of its own field or checked against its description."""

import contextlib
import csv
import io
import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from ovvis_cli.errors import RecordError, UsageError, VideoError
from ovvis_cli.exporters import DEFAULT_NAMES, VIDEO_FORMATS
from ovvis_cli.exporters.colors import track_color
from ovvis_cli.exporters.davis import palette_png
from ovvis_cli.exporters.export import EXPORTERS, ensure_exports, output_path, saved_formats
from ovvis_cli.record.reader import Record
from ovvis_cli.record.serialise import header_to_text
from ovvis_cli.record.writer import RecordWriter
from tests.records import (
    BOARD,
    DOG,
    FRAME_HW,
    NUM_FRAMES,
    UNKNOWN,
    finalise,
    frame_line,
    masks_of,
    source_info,
    write_record,
)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not really")
    return path


@pytest.fixture
def record(tmp_path, video):
    return write_record(tmp_path / "out", source=video)


def with_tracks(record, change):
    """The record with other tracks in its header."""
    header = replace(record.header, tracks=tuple(change(track) for track in record.header.tracks))
    return record.with_header(header)


def test_ytvis_is_the_official_results_list(record, tmp_path):
    results = json.loads(EXPORTERS["ytvis"](record, tmp_path / "ytvis.json").read_text())
    assert [set(entry) for entry in results] == [{"video_id", "category_id", "score", "segmentations"}] * 2
    dog, board = results
    assert (dog["video_id"], dog["category_id"], dog["score"]) == (1, 2, 0.7654)
    assert (board["category_id"], board["score"]) == (3, 0.5)
    assert len(dog["segmentations"]) == len(board["segmentations"]) == NUM_FRAMES
    assert [entry is None for entry in board["segmentations"]] == [True, False] * 4
    for frame_index, rle in enumerate(dog["segmentations"]):
        np.testing.assert_array_equal(coco_mask.decode(rle), masks_of(frame_index)[DOG])


@pytest.mark.parametrize("frames", [range(2, 7), range(0, 8, 3), [5]])
def test_ytvis_counts_all_frames_of_the_video(video, tmp_path, frames):
    record = write_record(tmp_path / "part", source=video, frames=frames)
    results = json.loads(EXPORTERS["ytvis"](record, tmp_path / "ytvis.json").read_text())
    seen = [index for index, entry in enumerate(results[0]["segmentations"]) if entry is not None]
    assert seen == list(frames)
    assert len(results[0]["segmentations"]) == NUM_FRAMES


def test_ytvis_ends_with_the_analysis_where_the_length_is_unknown(video, tmp_path):
    record = write_record(tmp_path / "part", source=video, frames=range(3))
    source = replace(record.header.source, num_frames=None)
    record = record.with_header(replace(record.header, source=source))
    results = json.loads(EXPORTERS["ytvis"](record, tmp_path / "ytvis.json").read_text())
    assert len(results[0]["segmentations"]) == 3


def load_coco(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def test_coco_loads_in_pycocotools(record, tmp_path):
    coco = load_coco(EXPORTERS["coco"](record, tmp_path / "coco.json"))
    assert [category["name"] for category in coco.loadCats([1, 2, 3])] == ["cat", "dog", "skateboard"]
    assert sorted(coco.imgs) == list(range(1, NUM_FRAMES + 1))
    assert coco.imgs[4]["frame_id"] == 3
    assert coco.imgs[4]["file_name"] == "frame_000003.jpg"  # as CVAT names the frames of a video task
    assert coco.imgs[4]["time"] == 0.1
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[4]))
    assert [annotation["track_id"] for annotation in annotations] == [DOG, BOARD]
    for annotation in annotations:
        mask = masks_of(3)[annotation["track_id"]]
        np.testing.assert_array_equal(coco.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
        assert annotation["iscrowd"] == 0
        assert annotation["bbox"] == coco_mask.toBbox(coco.annToRLE(annotation)).tolist()
    assert coco.getAnnIds(catIds=[1]) == []
    assert len(coco.anns) == NUM_FRAMES + NUM_FRAMES // 2
    assert coco.dataset["videos"] == [
        {"id": 1, "name": "clip.mp4", "width": FRAME_HW[1], "height": FRAME_HW[0], "length": NUM_FRAMES}
    ]


def test_nothing_found_is_valid_in_every_format(record, tmp_path):
    empty = with_tracks(record, lambda track: replace(track, label=None, score=None))
    assert json.loads(EXPORTERS["ytvis"](empty, tmp_path / "ytvis.json").read_text()) == []
    coco = load_coco(EXPORTERS["coco"](empty, tmp_path / "coco.json"))
    assert (len(coco.imgs), len(coco.anns)) == (NUM_FRAMES, 0)
    assert EXPORTERS["mots"](empty, tmp_path / "mots.txt").read_text() == ""
    assert len(EXPORTERS["csv"](empty, tmp_path / "a.csv").read_text().splitlines()) == 1
    assert len(list(EXPORTERS["davis"](empty, tmp_path / "davis").iterdir())) == NUM_FRAMES


def test_rle_is_the_masks_with_labels(record, tmp_path):
    own = [json.loads(line) for line in (record.folder / "masks.jsonl").read_text().splitlines()]
    labelled = [
        json.loads(line) for line in EXPORTERS["rle"](record, tmp_path / "m").read_text().splitlines()
    ]
    labels = {DOG: ("dog", 0.7654), BOARD: ("skateboard", 0.5), UNKNOWN: (None, None)}
    for line in labelled:
        for instance in line["instances"]:
            assert (instance.pop("label"), instance.pop("label_score")) == labels[instance["track"]]
    assert labelled == own


def test_rle_leaves_the_records_own_masks_alone(record):
    path = record.folder / "masks.jsonl"
    before = path.read_bytes()
    assert EXPORTERS["rle"](record, path) == path
    assert path.read_bytes() == before


def test_csv_rows(record, tmp_path):
    with EXPORTERS["csv"](record, tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == NUM_FRAMES + NUM_FRAMES // 2
    assert rows[2] == {
        "frame": "1",
        "time_s": "0.033333",
        "track": str(BOARD),
        "label": "skateboard",
        "label_score": "0.5",
        "score": "0.7",
        "x_px": "10",
        "y_px": "18",
        "width_px": "30",
        "height_px": "8",
        "area_px": "240",
    }


def test_mots_masks_do_not_overlap(record, tmp_path):
    lines = EXPORTERS["mots"](record, tmp_path / "mots.txt").read_text().splitlines()
    assert all(re.fullmatch(r"\d+ \d+ \d+ 32 48 \S+", line) for line in lines)
    first = [line.split(" ") for line in lines if line.startswith("1 ")]
    assert [fields[1:3] for fields in first] == [["2001", "2"], ["3002", "3"]]
    dog, board = (coco_mask.decode({"size": [32, 48], "counts": fields[5]}).astype(bool) for fields in first)
    assert not (dog & board).any()
    expected = masks_of(1)
    np.testing.assert_array_equal(dog, expected[DOG])  # the dog has the better score
    np.testing.assert_array_equal(board, expected[BOARD] & ~expected[DOG])


def test_davis_palette(record, tmp_path):
    folder = EXPORTERS["davis"](record, tmp_path / "davis")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{index:05d}.png" for index in range(NUM_FRAMES)]
    data = (folder / "00001.png").read_bytes()
    assert data[25] == 3  # colour type: palette
    rgb = cv2.imread(str(folder / "00001.png"))[..., ::-1]
    expected = masks_of(1)
    colors = np.zeros((*FRAME_HW, 3), np.uint8)
    colors[expected[BOARD]] = track_color(BOARD)
    colors[expected[DOG]] = track_color(DOG)
    np.testing.assert_array_equal(rgb, colors)
    assert EXPORTERS["davis"](record, folder) == folder  # its own output may be replaced


def test_davis_spares_a_folder_with_other_files(record, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mum.jpg").write_bytes(b"1")
    with pytest.raises(UsageError, match="holds other files"):
        EXPORTERS["davis"](record, tmp_path / "photos")
    assert (tmp_path / "photos" / "mum.jpg").exists()


def test_palette_png_of_odd_width():
    indices = np.arange(15).reshape(3, 5) % 2
    data = palette_png(indices, palette=[(0, 0, 0), (255, 128, 7)])
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(image[..., 2], indices * 255)


@pytest.mark.parametrize("name", ["mots", "davis"])
def test_more_tracks_than_the_format_holds(record, tmp_path, name):
    dog = record.header.tracks[0]
    many = tuple(replace(dog, track_id=track_id) for track_id in range(1, 1001))
    record = record.with_header(replace(record.header, tracks=many))
    with pytest.raises(RecordError, match="1000 labelled tracks.*--max-tracks"):
        EXPORTERS[name](record, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_every_format_has_a_name_and_an_exporter():
    assert list(EXPORTERS) == list(DEFAULT_NAMES)
    assert len(set(DEFAULT_NAMES.values())) == len(DEFAULT_NAMES)


def test_failed_export_leaves_nothing_behind(record, tmp_path):
    masks = record.folder / "masks.jsonl"
    masks.write_bytes(masks.read_bytes()[:-5])
    for name in set(EXPORTERS) - set(VIDEO_FORMATS):
        with pytest.raises(RecordError, match="cut off"):
            EXPORTERS[name](record, tmp_path / "results" / name)
    assert list((tmp_path / "results").iterdir()) == []


def test_damaged_run_lengths(record, tmp_path):
    masks = record.folder / "masks.jsonl"
    masks.write_text(re.sub(r'"counts":"[^"]*"', '"counts":"0ffffff7"', masks.read_text()))
    with pytest.raises(RecordError, match="a mask of track . is damaged"):
        EXPORTERS["davis"](record, tmp_path / "davis")


def test_mask_of_another_size(record, tmp_path):
    masks = record.folder / "masks.jsonl"
    masks.write_text(masks.read_text().replace("[32,48]", "[48,32]"))
    with pytest.raises(RecordError, match=r"masks.jsonl:1: track 1 does not fit a frame of 48x32"):
        EXPORTERS["coco"](record, tmp_path / "coco.json")


def test_export_of_an_overwritten_record_is_not_taken_for_done(record, video):
    ensure_exports(record, ["ytvis", "csv"])
    info = source_info(video)
    with RecordWriter(record.folder, fingerprint=record.header.fingerprint, overwrite=True) as writer:
        writer.resume()
        assert sorted(path.name for path in record.folder.iterdir()) == ["masks.jsonl", "tokens.safetensors"]
        (record.folder / "ytvis.json").write_text("of another record, whose note was lost")
        writer.append(frame_line(0))
        again = finalise(writer, info=info, num_frames=1)
    again, paths = ensure_exports(again, ["ytvis"])
    assert json.loads(paths["ytvis"].read_text())[0]["segmentations"][1:] == [None] * (NUM_FRAMES - 1)
    assert again.header.saved == ("ytvis",)


def test_export_that_fails_is_not_noted(record):
    with pytest.raises(VideoError):  # this clip is none
        ensure_exports(record, ["overlay", "csv"])
    assert Record.open(record.folder).header.saved == ("csv",)
    assert not (record.folder / "overlay.mp4").exists()


def test_ensure_exports_makes_what_is_missing_and_remembers_it(record):
    again, paths = ensure_exports(record, ["ytvis", "coco", "rle"])
    assert again.header.saved == ("ytvis", "coco", "rle")
    assert Record.open(record.folder).header == again.header
    assert saved_formats(again) == ("ytvis", "coco", "rle")
    assert all(path.exists() for path in paths.values())
    assert paths["coco"] == output_path(record, "coco")
    paths["ytvis"].unlink()
    paths["coco"].write_text("as it is")
    before = header_to_text(again.header)
    third, _ = ensure_exports(again, ["ytvis", "coco"])
    assert paths["ytvis"].exists()
    assert paths["coco"].read_text() == "as it is"
    assert header_to_text(third.header) == before
