"""Formats of annotation and training tools: written, read back by the rules of each tool, compared.

tests/tools does the same with the tools' own readers, where they are installed.
"""

import csv
import json
import logging
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovvis_cli.data.burst import read_burst
from ovvis_cli.errors import RecordError, UsageError
from ovvis_cli.exporters.export import EXPORTERS
from tests.export_cases import CASE_NAMES, ExportCase, build_case, without_overlaps
from tests.records import record_of_masks, source_info


@pytest.fixture(params=CASE_NAMES)
def case(request, tmp_path):
    return build_case(request.param, tmp_path)


def assert_same(found, wanted):
    assert {index: set(masks) for index, masks in found.items()} == {
        index: set(masks) for index, masks in wanted.items()
    }
    for index, masks in wanted.items():
        for track_id, mask in masks.items():
            np.testing.assert_array_equal(found[index][track_id], mask)


def filled(points: list[float], hw: tuple[int, int]) -> np.ndarray:
    return coco_mask.decode(coco_mask.frPyObjects([points], *hw)[0]).astype(bool)


def frame_hw(case: ExportCase) -> tuple[int, int]:
    return case.record.header.source.height, case.record.header.source.width


class TestCvat:
    def tracks(self, case, path):
        """Track id to (label, [(frame, is outside, mask)]), as CVAT's importer collects them."""
        with zipfile.ZipFile(path) as archive:
            root = ElementTree.fromstring(archive.read("annotations.xml"))
        found = {}
        for track in root.iter("track"):
            shapes = []
            for shape in track:
                assert (shape.tag, shape.attrib["keyframe"]) == ("polygon", "1")  # others are dropped
                points = [float(value) for value in re.split("[,;]", shape.attrib["points"])]
                outside = shape.attrib["outside"] == "1"
                shapes.append((int(shape.attrib["frame"]), outside, filled(points, frame_hw(case))))
            found[int(track.attrib["id"])] = (track.attrib["label"], shapes)
        return found

    def test_every_track_and_mask(self, case, tmp_path):
        tracks = self.tracks(case, EXPORTERS["cvat"](case.record, tmp_path / "cvat.zip"))
        assert {track_id: label for track_id, (label, _) in tracks.items()} == case.labels
        found = {index: {} for index in case.truth}
        for track_id, (_, shapes) in tracks.items():
            assert shapes, "CVAT fails at a track without shapes"
            for index in case.truth:
                earlier = [shape for shape in shapes if shape[0] <= index]
                if earlier and not earlier[-1][1]:
                    found[index][track_id] = earlier[-1][2]
        assert_same(found, case.truth)

    def test_shapes_are_in_order_and_in_the_video(self, case, tmp_path):
        for _, shapes in self.tracks(case, EXPORTERS["cvat"](case.record, tmp_path / "a.zip")).values():
            frames = [frame for frame, _, _ in shapes]
            assert frames == sorted(set(frames))
            assert frames[-1] < case.record.header.source.num_frames

    def test_a_track_ends_with_the_analysis(self, tmp_path):
        case = build_case("not to the end", tmp_path)
        tracks = self.tracks(case, EXPORTERS["cvat"](case.record, tmp_path / "a.zip"))
        assert tracks[1][1][-1][:2] == (5, True)

    @pytest.mark.parametrize(("end_s", "ends"), [(0.1, True), (0.2, False)])
    def test_a_track_ends_where_the_length_is_unknown(self, tmp_path, end_s, ends):
        case = build_case("odd size", tmp_path)
        header = case.record.header
        header = replace(
            header,
            source=replace(header.source, num_frames=None, duration_s=0.2),
            analysed=replace(header.analysed, end_s=end_s),
        )
        tracks = self.tracks(case, EXPORTERS["cvat"](case.record.with_header(header), tmp_path / "a.zip"))
        assert tracks[1][1][-1][1] == ends

    def test_labels_of_the_task(self, case, tmp_path):
        with zipfile.ZipFile(EXPORTERS["cvat"](case.record, tmp_path / "cvat.zip")) as archive:
            labels = json.loads(archive.read("labels.json"))
        assert {label["name"] for label in labels} == set(case.labels.values())
        assert all(re.fullmatch("#[0-9a-f]{6}", label["color"]) for label in labels)

    def test_names_with_markup(self, tmp_path):
        record = build_case("one frame", tmp_path).record
        tracks = tuple(replace(track, label='<b> & "c"') for track in record.header.tracks)
        vocabulary = replace(record.header.vocabulary, names=('<b> & "c"',), category_ids=(1,))
        record = record.with_header(replace(record.header, tracks=tracks, vocabulary=vocabulary))
        with zipfile.ZipFile(EXPORTERS["cvat"](record, tmp_path / "cvat.zip")) as archive:
            root = ElementTree.fromstring(archive.read("annotations.xml"))
        assert {track.attrib["label"] for track in root.iter("track")} == {'<b> & "c"'}


class TestCoco:
    def test_cvat_makes_tracks_of_it(self, case, tmp_path):
        """CVAT takes a polygon with the attributes `track_id` and `keyframe` for a shape of a track."""
        content = json.loads(EXPORTERS["coco"](case.record, tmp_path / "coco.json").read_text())
        frames = {
            image["id"]: int(Path(image["file_name"]).stem[len("frame_") :]) for image in content["images"]
        }
        names = {category["id"]: category["name"] for category in content["categories"]}
        found = {index: {} for index in frames.values()}
        for annotation in content["annotations"]:
            attributes = annotation["attributes"]
            assert attributes["keyframe"] is True
            (polygon,) = annotation["segmentation"]  # several would be several shapes in one frame
            assert names[annotation["category_id"]] == case.labels[attributes["track_id"]]
            masks = found[frames[annotation["image_id"]]]
            masks[attributes["track_id"]] = filled(polygon, frame_hw(case))
            assert annotation["area"] == masks[attributes["track_id"]].sum()
        assert_same(found, case.truth)


class TestMotsPng:
    def test_every_track_where_it_is_on_top(self, case, tmp_path, caplog):
        with caplog.at_level(logging.WARNING):
            path = EXPORTERS["mots-png"](case.record, tmp_path / "mots.zip")
        found = {}
        numbers = {track_id: number for number, track_id in enumerate(case.labels, start=1)}
        with zipfile.ZipFile(path) as archive:
            names = archive.read("default/instances/labels.txt").decode().splitlines()
            for name in archive.namelist():
                if name.endswith(".png"):
                    values = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
                    assert values.dtype == np.uint16
                    index = int(re.fullmatch(r"default/instances/frame_(\d{6})\.png", name)[1])
                    found[index] = {
                        track_id: values % 1000 == number
                        for track_id, number in numbers.items()
                        if (values % 1000 == number).any()
                    }
                    for track_id, mask in found[index].items():
                        assert set(values[mask] // 1000) == {names.index(case.labels[track_id]) + 1}
        kept = without_overlaps(case)
        assert_same(found, kept)
        lost = sum(
            int(mask.sum()) - int(kept[index].get(track_id, np.zeros(1)).sum())
            for index, masks in case.truth.items()
            for track_id, mask in masks.items()
        )
        assert [f"mots-png: {lost} of" in line for line in caplog.messages] == ([True] if lost else [])

    def test_more_classes_than_the_format_holds(self, tmp_path):
        record = build_case("one frame", tmp_path).record
        names = tuple(f"thing {number}" for number in range(65))
        tracks = tuple(
            replace(record.header.tracks[0], track_id=number, label=name, score=0.5)
            for number, name in enumerate(names, start=1)
        )
        vocabulary = replace(record.header.vocabulary, names=names, category_ids=tuple(range(65)))
        record = record.with_header(replace(record.header, tracks=tracks, vocabulary=vocabulary))
        with pytest.raises(RecordError, match="65 classes.*--max-tracks"):
            EXPORTERS["mots-png"](record, tmp_path / "mots.zip")


class TestYoloSeg:
    def test_every_mask_by_the_rules_of_ultralytics(self, case, tmp_path, caplog):
        """Coordinates times the size of the image, cut to whole numbers, filled with their outline."""
        with caplog.at_level(logging.WARNING):
            folder = EXPORTERS["yolo-seg"](case.record, tmp_path / "yolo")
        height, width = frame_hw(case)
        with (folder / "tracks.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        track_of = {(row["file"], int(row["line"])): int(row["track"]) for row in rows}
        classes = case.record.header.vocabulary.names
        lost = 0
        found = {}
        for path in (folder / "labels").iterdir():
            index = int(path.stem.rpartition("_")[2]) - 1
            found[index] = set()
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                class_index, *values = line.split()
                track_id = track_of[path.name, number]
                found[index].add(track_id)
                assert classes[int(class_index)] == case.labels[track_id]
                points = np.array(values, dtype=np.float32).reshape(-1, 2)
                assert points.min() >= 0 and points.max() <= 1 and len(points) >= 3
                mask = np.zeros((height, width), dtype=np.uint8)
                cv2.fillPoly(mask, [np.asarray(points * (width, height), dtype=np.int32)], 1)
                lost += int((mask.astype(bool) != case.truth[index][track_id]).sum())
        assert found == {index: set(masks) for index, masks in case.truth.items()}
        total = sum(int(mask.sum()) for masks in case.truth.values() for mask in masks.values())
        said = [line.partition(" (")[0] for line in caplog.messages]
        assert said == ([f"yolo-seg: {lost} of {total} mask pixels"] if lost else [])
        assert lost <= 0.1 * total

    def test_one_part_without_holes_is_exact(self, tmp_path, caplog):
        y, x = np.ogrid[:41, :53]
        frames = {0: {1: (y - 20) ** 2 + (x - 25) ** 2 < 18**2, 2: np.asarray(x + 0 * y == 52)}}
        video = tmp_path / "clip.mp4"
        video.write_bytes(b"not really")
        source = replace(source_info(video, num_frames=1), width=53, height=41)
        record = record_of_masks(tmp_path / "r", source=source, frames=frames, labels={1: "a", 2: "b"})
        with caplog.at_level(logging.WARNING):
            EXPORTERS["yolo-seg"](record, tmp_path / "yolo")
        assert caplog.messages == []

    def test_it_may_replace_its_own_output_but_no_other_files(self, tmp_path):
        record = build_case("one frame", tmp_path).record
        folder = EXPORTERS["yolo-seg"](record, tmp_path / "yolo")
        assert EXPORTERS["yolo-seg"](record, folder) == folder
        (folder / "photo.jpg").write_bytes(b"1")
        with pytest.raises(UsageError, match="holds other files"):
            EXPORTERS["yolo-seg"](record, folder)


class TestLabelStudio:
    def test_every_box(self, case, tmp_path):
        (task,) = json.loads(EXPORTERS["label-studio"](case.record, tmp_path / "ls.json").read_text())
        header = case.record.header
        assert task["data"] == {"video": Path(header.source.path).name}
        (prediction,) = task["predictions"]
        found = {index: {} for index in case.truth}
        for region in prediction["result"]:
            track_id, value = int(region["id"].removeprefix("track-")), region["value"]
            assert value["labels"] == [case.labels[track_id]]
            assert (value["framesCount"], value["duration"]) == (
                header.source.num_frames,
                header.source.duration_s,
            )
            for box in value["sequence"]:
                index = box["frame"] - 1
                assert box["time"] == pytest.approx(index / 30, abs=1e-5)
                scale = np.array([header.source.width, header.source.height] * 2) / 100
                found[index][track_id] = np.array([box[k] for k in ("x", "y", "width", "height")]) * scale
                analysed = sorted(case.truth)
                following = analysed[analysed.index(index) + 1 :][:1]
                assert box["enabled"] == any(track_id in case.truth[other] for other in following)
        boxes = {
            index: {
                track_id: coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))))
                for track_id, mask in masks.items()
            }
            for index, masks in case.truth.items()
        }
        assert {index: set(own) for index, own in found.items()} == {
            index: set(own) for index, own in boxes.items()
        }
        for index, own in boxes.items():
            for track_id, box in own.items():
                np.testing.assert_allclose(found[index][track_id], box, atol=1e-6)

    def test_images_are_refused(self, tmp_path):
        record = build_case("one frame", tmp_path).record
        record = record.with_header(
            replace(record.header, source=replace(record.header.source, kind="images"))
        )
        with pytest.raises(RecordError, match="only in videos.*coco or yolo-seg"):
            EXPORTERS["label-studio"](record, tmp_path / "ls.json")

    def test_the_length_is_estimated_where_it_is_unknown(self, tmp_path):
        record = build_case("odd size", tmp_path).record
        source = replace(record.header.source, num_frames=None, duration_s=None)
        record = record.with_header(replace(record.header, source=source))
        (task,) = json.loads(EXPORTERS["label-studio"](record, tmp_path / "ls.json").read_text())
        value = task["predictions"][0]["result"][0]["value"]
        assert value["framesCount"] == 7
        assert value["duration"] == pytest.approx(7 / 30, abs=1e-5)


class TestBurst:
    def test_the_reader_of_the_evaluation_reads_it(self, case, tmp_path):
        burst = read_burst(EXPORTERS["burst"](case.record, tmp_path / "burst.json"))
        ((name, sequence),) = burst.sequences.items()
        path = Path(case.record.header.source.path)
        assert name == f"{path.parent.name}/{path.stem}"
        assert sequence.frames == tuple(f"frame_{index:06d}.jpg" for index in case.truth)
        names = {category.category_id: category.name for category in burst.categories}
        assert {track.track_id: names[track.category_id] for track in sequence.tracks} == case.labels
        for track in sequence.tracks:
            areas = [
                int(masks[track.track_id].sum()) if track.track_id in masks else 0
                for masks in case.truth.values()
            ]
            np.testing.assert_array_equal(track.masks.frame_areas, areas)
            assert set(track.scores[track.is_listed]) == {case.scores[track.track_id]}

    def test_every_mask(self, case, tmp_path):
        content = json.loads(EXPORTERS["burst"](case.record, tmp_path / "burst.json").read_text())
        (sequence,) = content["sequences"]
        found = {
            index: {
                int(track_id): coco_mask.decode({"size": frame_hw(case), "counts": entry["rle"]}).astype(bool)
                for track_id, entry in entries.items()
            }
            for index, entries in zip(case.truth, sequence["segmentations"], strict=True)
        }
        assert_same(found, case.truth)

    def test_images_of_several_sizes_are_refused(self, tmp_path):
        record = build_case("one frame", tmp_path).record
        record = record.with_header(replace(record.header, source=replace(record.header.source, height=1000)))
        with pytest.raises(RecordError):
            EXPORTERS["burst"](record, tmp_path / "burst.json")
