"""Results of a folder of images: every format has the images' own names and sizes."""

import csv
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovvis_cli.errors import RecordError, UsageError
from ovvis_cli.exporters.export import EXPORTERS
from ovvis_cli.exporters.letterbox import letterbox_image, letterbox_mask
from ovvis_cli.exporters.report.video_report import export_report
from ovvis_cli.record.encoding import encode_frame
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import ImageEntry
from ovvis_cli.record.writer import RecordWriter
from ovvis_cli.video.reader import read_frames
from ovvis_models.structures import FrameResult
from tests import media
from tests.pages import drawn, frames_of
from tests.records import BOARD, DOG, FRAME_HW, UNKNOWN, finalise, source_info

SIZES = {"a 1.jpg": (32, 48), "a 2.jpg": (20, 20), "a 2.png": (48, 32), "größe.PNG": (64, 96)}


def mask_of(track_id, hw):
    """The dog is the upper left quarter, the skateboard the row below it, the unknown thing a corner."""
    mask = np.zeros(hw, dtype=bool)
    rows, columns = {
        DOG: (slice(0, hw[0] // 2), slice(0, hw[1] // 2)),
        BOARD: (slice(hw[0] // 2, hw[0] // 2 + 2), slice(0, hw[1])),
        UNKNOWN: (slice(hw[0] - 3, hw[0]), slice(hw[1] - 3, hw[1])),
    }[track_id]
    mask[rows, columns] = True
    return mask


@pytest.fixture
def folder(tmp_path):
    images = [np.full((*hw, 3), 90, np.uint8) for hw in SIZES.values()]
    return media.write_images(tmp_path / "shots", images, names=list(SIZES))


@pytest.fixture
def record(tmp_path, folder):
    info = replace(source_info(folder, num_frames=4), kind="images", image_names="digest")
    with RecordWriter(tmp_path / "out", fingerprint="f", source=info) as writer:
        writer.resume()
        for index, (name, hw) in enumerate(SIZES.items()):
            result = FrameResult(
                frame_index=index,
                track_ids=np.array([DOG, BOARD, UNKNOWN]),
                scores=np.array([0.9, 0.8, 0.7], np.float32),
                masks=np.stack([mask_of(track_id, hw) for track_id in (DOG, BOARD, UNKNOWN)]),
            )
            writer.append(encode_frame(result, time_s=index / 25, image=ImageEntry(name=name, size_hw=hw)))
        return finalise(writer, info=info, num_frames=4)


def test_the_record_reads_back(record):
    frames = list(Record.open(record.folder).frames())

    assert {frame.image.name: frame.image.size_hw for frame in frames} == SIZES


def test_coco(record, tmp_path):
    content = json.loads(EXPORTERS["coco"](record, tmp_path / "coco.json").read_text())

    assert {i["file_name"]: (i["height"], i["width"]) for i in content["images"]} == SIZES
    hw_of = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    for annotation in content["annotations"]:
        expected = mask_of(annotation["track_id"], hw_of[annotation["image_id"]])
        (rle,) = coco_mask.frPyObjects(annotation["segmentation"], *expected.shape)
        np.testing.assert_array_equal(coco_mask.decode(rle), expected)
        assert annotation["bbox"] == coco_mask.toBbox(rle).tolist()
        assert annotation["area"] == expected.sum()


def test_ytvis(record, tmp_path):
    dog, _ = json.loads(EXPORTERS["ytvis"](record, tmp_path / "ytvis.json").read_text())

    assert [tuple(rle["size"]) for rle in dog["segmentations"]] == list(SIZES.values())


def test_csv(record, tmp_path):
    with EXPORTERS["csv"](record, tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    dogs = [row for row in rows if row["label"] == "dog"]
    assert [row["image"] for row in dogs] == list(SIZES)
    assert [(int(row["height_px"]), int(row["width_px"])) for row in dogs] == [
        (height // 2, width // 2) for height, width in SIZES.values()
    ]


def test_mots(record, tmp_path):
    lines = EXPORTERS["mots"](record, tmp_path / "mots.txt").read_text().splitlines()

    for line in lines:
        frame, _, _, height, width, counts = line.split(" ")
        hw = list(SIZES.values())[int(frame)]
        assert (int(height), int(width)) == hw
        assert coco_mask.decode({"size": hw, "counts": counts}).shape == hw


def test_davis(record, tmp_path):
    output = EXPORTERS["davis"](record, tmp_path / "davis")

    names = ["a 1.png", "a 2.png", "a 2.png.png", "größe.png"]  # a 2.png and a 2.jpg are two images
    found = {
        path.name: cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) for path in output.iterdir()
    }
    assert {name: found[name].shape[:2] for name in names} == dict(zip(names, SIZES.values(), strict=True))
    assert EXPORTERS["davis"](record, output) == output  # its own output may be replaced


def test_mots_png(record, tmp_path):
    with zipfile.ZipFile(EXPORTERS["mots-png"](record, tmp_path / "mots.zip")) as archive:
        found = {
            Path(name).name: cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
            for name in archive.namelist()
            if name.endswith(".png")
        }
    names = ["a 1.png", "a 2.png", "a 2.png.png", "größe.png"]  # a 2.png and a 2.jpg are two images
    assert {name: found[name].shape for name in names} == dict(zip(names, SIZES.values(), strict=True))


def test_yolo_seg(record, tmp_path):
    with pytest.raises(RecordError, match="two images are named a 2"):
        EXPORTERS["yolo-seg"](record, tmp_path / "yolo")
    masks = record.folder / "masks.jsonl"
    masks.write_text(masks.read_text(encoding="utf-8").replace("a 2.png", "a 3.png"), encoding="utf-8")
    folder = EXPORTERS["yolo-seg"](record, tmp_path / "yolo")
    assert sorted(path.name for path in (folder / "labels").iterdir()) == [
        f"{Path(name).stem}.txt" for name in sorted(["a 1.png", "a 2.jpg", "a 3.png", "größe.png"])
    ]


def test_cvat_counts_images(record, tmp_path):
    with zipfile.ZipFile(EXPORTERS["cvat"](record, tmp_path / "cvat.zip")) as archive:
        root = ElementTree.fromstring(archive.read("annotations.xml"))
    for track in root.iter("track"):
        assert [shape.attrib["frame"] for shape in track] == ["0", "1", "2", "3"]


def test_burst_has_one_size(record, tmp_path):
    with pytest.raises(RecordError, match="has one size.*coco"):
        EXPORTERS["burst"](record, tmp_path / "burst.json")


def test_fiftyone_has_a_sample_per_image(record, folder, monkeypatch):
    module = ModuleType("fiftyone")
    module.Sample = module.Detections = module.Detection = SimpleNamespace
    module.Instance = object
    monkeypatch.setitem(sys.modules, "fiftyone", module)
    samples = record.to_fiftyone()
    assert [sample.filepath for sample in samples] == [str(folder / name) for name in SIZES]
    for sample, (height, width) in zip(samples, SIZES.values(), strict=True):
        dog = sample.ovvis.detections[0]
        assert dog.mask.shape == (height // 2, width // 2)
        assert dog.bounding_box == pytest.approx([0, 0, 0.5, 0.5], abs=0.03)


def test_davis_spares_the_images_themselves(record, folder):
    with pytest.raises(UsageError, match="holds other files"):
        EXPORTERS["davis"](record, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(SIZES)


def test_rle(record, tmp_path):
    lines = [json.loads(line) for line in EXPORTERS["rle"](record, tmp_path / "m").read_text().splitlines()]

    assert {line["image"]["name"]: tuple(line["image"]["size"]) for line in lines} == SIZES
    assert all(entry["rle"]["size"] == line["image"]["size"] for line in lines for entry in line["instances"])


def test_overlay_fits_every_image_into_the_first(record, tmp_path):
    unlabelled = tuple(replace(track, label=None, score=None) for track in record.header.tracks)
    record = record.with_header(replace(record.header, tracks=unlabelled))  # nothing is drawn
    frames = list(read_frames(EXPORTERS["overlay"](record, tmp_path / "o.mp4")))

    assert [frame.image.shape[:2] for frame in frames] == [(32, 48)] * 4
    upright = frames[2].image.astype(int)  # 48 x 32 in a frame of 32 x 48: 21 columns in the middle
    assert upright[:, :10].max() < 25 and upright[:, -10:].max() < 25
    assert np.abs(upright[4:28, 18:30] - 90).max() < 40
    assert np.abs(frames[3].image.astype(int) - 90).max() < 40


def test_masks_are_drawn_on_images_of_another_size(record, tmp_path):
    frames = list(read_frames(EXPORTERS["overlay"](record, tmp_path / "o.mp4")))

    assert np.abs(frames[3].image[4:12, 4:20].astype(int) - 90).mean() > 20  # half the size of its image


def test_a_mask_of_another_size_than_its_image_is_damage(record, tmp_path):
    masks = record.folder / "masks.jsonl"
    masks.write_text(masks.read_text(encoding="utf-8").replace('"size":[20,20]}', '"size":[20,18]}', 1))
    with pytest.raises(RecordError, match="masks.jsonl:2: track . does not fit a frame"):
        EXPORTERS["coco"](record, tmp_path / "coco.json")


def test_records_without_names_of_images_are_read(record, tmp_path):
    """As version 0.1.0 wrote them: all masks at the size of the first image."""
    header = json.loads((record.folder / "record.json").read_text())
    del header["source"]["image_names"], header["source"]["damaged_images"]
    (record.folder / "record.json").write_text(json.dumps(header))
    lines = [
        json.loads(line) for line in (record.folder / "masks.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for line in lines:
        del line["image"]
        line["instances"] = lines[0]["instances"]
    (record.folder / "masks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    old = Record.open(record.folder)

    content = json.loads(EXPORTERS["coco"](old, tmp_path / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == [f"frame_{i:06d}.jpg" for i in range(4)]
    assert {(image["height"], image["width"]) for image in content["images"]} == {(32, 48)}
    assert len(list(read_frames(EXPORTERS["overlay"](old, tmp_path / "o.mp4")))) == 4
    assert old.with_header(old.header).header.source.damaged_images == ()


@pytest.mark.parametrize("hw", [(48, 32), (32, 48), (1, 1), (7, 300), (300, 7), (64, 96)])
def test_letterbox_keeps_proportions_and_puts_masks_on_pictures(hw):
    image, mask = np.full((*hw, 3), 200, np.uint8), np.ones(hw, dtype=bool)

    placed, where = letterbox_image(image, frame_hw=(32, 48)), letterbox_mask(mask, frame_hw=(32, 48))

    assert placed.shape == (32, 48, 3) and where.shape == (32, 48)
    np.testing.assert_array_equal(placed[..., 0] > 100, where)
    height, width = (np.ptp(np.nonzero(where)[axis]) + 1 for axis in (0, 1))
    scale = min(32 / hw[0], 48 / hw[1])
    assert (height, width) == pytest.approx((max(1, hw[0] * scale), max(1, hw[1] * scale)), abs=0.51)


def test_report_places_outlines_as_the_pictures(record, tmp_path):
    frames = frames_of(export_report(record, tmp_path / "report.html"))
    for (_, instances), hw in zip(frames, SIZES.values(), strict=True):
        found = {track_id: drawn(path) for track_id, _, _, _, path in instances}
        mask = letterbox_mask(mask_of(DOG, hw), frame_hw=FRAME_HW)
        assert (mask & found[DOG]).sum() / (mask | found[DOG]).sum() > 0.8
