"""YOLO label files, read by the label reader of ultralytics."""

import csv

import numpy as np
import pytest
import yaml
from PIL import Image

from ovvis_cli.exporters.export import EXPORTERS

pytest.importorskip("ultralytics", reason="ultralytics is not installed: make test-tools")
from ultralytics.data.utils import polygon2mask, verify_image_label

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_label_file(case, tmp_path, caplog):
    folder = EXPORTERS["yolo-seg"](case.record, tmp_path / "yolo")
    names = yaml.safe_load((folder / "data.yaml").read_text())["names"] or {}
    height, width = case.record.header.source.height, case.record.header.source.width
    with (folder / "tracks.csv").open(newline="") as file:
        track_of = {(row["file"], int(row["line"])): int(row["track"]) for row in csv.DictReader(file)}
    image = tmp_path / "image.jpg"
    Image.new("RGB", (max(width, 10), max(height, 10))).save(image)
    lost = total = 0
    for label_file in sorted((folder / "labels").iterdir()):
        index = int(label_file.stem.rpartition("_")[2]) - 1
        arguments = (str(image), str(label_file), "", False, len(names), 0, 0, False)
        _, labels, _, segments, _, _, _, _, corrupt, message = verify_image_label(arguments)
        assert (corrupt, message) == (0, "")
        assert len(segments) == len(case.truth[index]) == len(labels)
        for number, (label, segment) in enumerate(zip(labels, segments, strict=True), start=1):
            track_id = track_of[label_file.name, number]
            assert names[int(label[0])] == case.labels[track_id]
            points = (segment * (width, height)).ravel()
            mask = polygon2mask((height, width), [points]).astype(bool)
            lost += int((mask != case.truth[index][track_id]).sum())
            total += int(case.truth[index][track_id].sum())
    said = [int(line.split()[1]) for line in caplog.messages if line.startswith("yolo-seg")]
    assert said == ([lost] if lost else [])
    assert lost <= 0.1 * total


def test_no_masks_are_an_empty_file(case, tmp_path):
    folder = EXPORTERS["yolo-seg"](case.record, tmp_path / "yolo")
    sizes = {path.stem: path.stat().st_size for path in (folder / "labels").iterdir()}
    assert len(sizes) == len(case.truth)
    assert all(
        (sizes[f"{folder_stem(case)}_{index + 1}"] == 0) == (not masks) for index, masks in case.truth.items()
    )
    assert np.all([size >= 0 for size in sizes.values()])


def folder_stem(case):
    return case.record.header.source.path.rpartition("/")[2].rpartition(".")[0]
