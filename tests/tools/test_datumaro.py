"""COCO, CVAT and MOTS PNG files, read by Datumaro."""

import warnings
import zipfile

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovvis_cli.exporters.export import EXPORTERS
from tests.export_cases import without_overlaps

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datumaro = pytest.importorskip("datumaro", reason="Datumaro is not installed: make test-tools")

pytestmark = pytest.mark.filterwarnings("ignore")


def read(path, *, import_format):
    """The dataset, and its label names by number."""
    dataset = datumaro.Dataset.import_from(str(path), import_format)
    return dataset, [item.name for item in dataset.categories()[datumaro.AnnotationType.label].items]


def frame_index(item):
    return int(item.id.rpartition("_")[2])


def pixels(annotation, hw):
    if annotation.type == datumaro.AnnotationType.polygon:
        (rle,) = coco_mask.frPyObjects([list(annotation.points)], *hw)
        return coco_mask.decode(rle).astype(bool)
    return np.asarray(annotation.image, dtype=bool)


def shapes(dataset, names, case, *, kind):
    """Frame index and track id to mask, and track id to label."""
    hw = (case.record.header.source.height, case.record.header.source.width)
    masks, labels = {index: {} for index in case.truth}, {}
    for item in dataset:
        for annotation in item.annotations:
            if annotation.type == kind and not annotation.attributes.get("outside"):
                track_id = annotation.attributes["track_id"]
                assert track_id not in masks[frame_index(item)]
                masks[frame_index(item)][track_id] = pixels(annotation, hw)
                labels[track_id] = names[annotation.label]
    return masks, labels


def assert_same(found, wanted):
    assert {index: set(masks) for index, masks in found.items()} == {
        index: set(masks) for index, masks in wanted.items()
    }
    for index, masks in wanted.items():
        for track_id, mask in masks.items():
            np.testing.assert_array_equal(found[index][track_id], mask)


def test_coco(case, tmp_path):
    path = EXPORTERS["coco"](case.record, tmp_path / "coco" / "annotations" / "instances_default.json")
    (tmp_path / "coco" / "images").mkdir()  # Datumaro wants it, empty or not
    dataset, names = read(path, import_format="coco_instances")
    assert len(dataset) == len(case.truth)  # frames without instances too
    masks, labels = shapes(dataset, names, case, kind=datumaro.AnnotationType.polygon)
    assert labels == case.labels
    assert_same(masks, case.truth)
    for item in dataset:
        assert all(annotation.attributes["keyframe"] is True for annotation in item.annotations)


def test_cvat(case, tmp_path):
    with zipfile.ZipFile(EXPORTERS["cvat"](case.record, tmp_path / "cvat.zip")) as archive:
        archive.extractall(tmp_path / "cvat")
    dataset, names = read(tmp_path / "cvat" / "annotations.xml", import_format="cvat")
    masks, labels = shapes(dataset, names, case, kind=datumaro.AnnotationType.polygon)
    assert labels == case.labels
    assert_same(masks, case.truth)


def test_mots_png(case, tmp_path):
    with zipfile.ZipFile(EXPORTERS["mots-png"](case.record, tmp_path / "mots.zip")) as archive:
        archive.extractall(tmp_path / "mots")
    dataset, names = read(tmp_path / "mots", import_format="mots")
    numbers = dict(enumerate(case.labels, start=1))
    masks, labels = shapes(dataset, names, case, kind=datumaro.AnnotationType.mask)
    kept = without_overlaps(case)
    assert_same(
        {index: {numbers[number]: mask for number, mask in own.items()} for index, own in masks.items()}, kept
    )
    visible = {track_id for own in kept.values() for track_id in own}
    assert {numbers[number]: label for number, label in labels.items()} == {
        track_id: label for track_id, label in case.labels.items() if track_id in visible
    }
