"""The Label Studio task, checked by the SDK against the labelling configuration of docs/formats.md."""

import json

import pytest

from ovvis_cli.exporters.export import EXPORTERS

pytest.importorskip("label_studio_sdk", reason="the Label Studio SDK is not installed: make test-tools")
from label_studio_sdk.label_interface import LabelInterface

pytestmark = pytest.mark.filterwarnings("ignore")


def interface(names):
    labels = "".join(f'<Label value="{name}"/>' for name in names)
    return LabelInterface(
        f'<View><Labels name="labels" toName="video">{labels}</Labels>'
        '<Video name="video" value="$video" frameRate="30"/>'
        '<VideoRectangle name="box" toName="video"/></View>'
    )


def test_the_task_is_valid(case, tmp_path):
    (task,) = json.loads(EXPORTERS["label-studio"](case.record, tmp_path / "ls.json").read_text())
    label_interface = interface(case.record.header.vocabulary.names)
    assert label_interface.validate_task({"data": task["data"]})
    for prediction in task["predictions"]:
        assert label_interface.validate_prediction(prediction, return_errors=True) == []


def test_the_check_sees_mistakes(tmp_path, case):
    (task,) = json.loads(EXPORTERS["label-studio"](case.record, tmp_path / "ls.json").read_text())
    (prediction,) = task["predictions"]
    for region in prediction["result"]:
        del region["value"]["duration"]
    errors = interface(case.record.header.vocabulary.names).validate_prediction(
        prediction, return_errors=True
    )
    assert bool(errors) == bool(case.labels)
