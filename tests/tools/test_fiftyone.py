"""`record.to_fiftyone()`. FiftyOne is large: it is not part of `make test-tools`; `pip install fiftyone`."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from ovvis_cli.errors import UsageError


class _Values(SimpleNamespace):
    """Stands for a class of FiftyOne: holds what it is given."""


class _Sample(_Values):
    def __init__(self, **values):
        super().__init__(frames={}, **values)


@pytest.fixture
def stand_in(monkeypatch):
    module = ModuleType("fiftyone")
    module.Sample = _Sample
    module.Frame = module.Detections = module.Detection = _Values
    module.Instance = object
    monkeypatch.setitem(sys.modules, "fiftyone", module)


@pytest.fixture
def installed():
    return pytest.importorskip("fiftyone", reason="FiftyOne is not installed: pip install fiftyone")


def check_video(case):
    (sample,) = case.record.to_fiftyone()
    assert sample.filepath == case.record.header.source.path
    links = {}
    hw = (case.record.header.source.height, case.record.header.source.width)
    assert {int(number) for number in sample.frames} == {index + 1 for index in case.truth}
    for index, wanted in case.truth.items():
        detections = sample.frames[index + 1].ovvis.detections
        assert [detection.index for detection in detections] == list(wanted)
        for detection in detections:
            assert detection.label == case.labels[detection.index]
            assert detection.confidence == case.scores[detection.index]
            x, y, width, height = detection.bounding_box
            assert 0 <= x <= x + width <= 1 + 1e-9 and 0 <= y <= y + height <= 1 + 1e-9
            left, top = round(x * hw[1]), round(y * hw[0])
            mask = np.zeros(hw, dtype=bool)
            mask[top : top + detection.mask.shape[0], left : left + detection.mask.shape[1]] = detection.mask
            np.testing.assert_array_equal(mask, wanted[detection.index])
            assert links.setdefault(detection.index, detection.instance) is detection.instance or (
                links[detection.index] == detection.instance
            )
    assert len({id(link) for link in links.values()}) == len(links)


def test_every_instance_by_the_fields_that_fiftyone_documents(case, stand_in):
    check_video(case)


@pytest.mark.filterwarnings("ignore")
def test_every_instance(case, installed):
    check_video(case)


def test_missing_package(case, monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(UsageError, match="pip install fiftyone"):
        case.record.to_fiftyone()


def test_missing_supervision(case, monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UsageError, match="pip install supervision"):
        case.record.to_supervision(next(iter(case.record.frames())))
