"""`ovvis export` and `ovvis relabel` as functions."""

import json
from dataclasses import replace

import pytest

from ovvis_cli.commands.export import export
from ovvis_cli.errors import RecordError, UsageError
from ovvis_cli.record.reader import Record
from tests.records import write_record


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not really")
    return write_record(tmp_path / "out", source=path)


def test_beside_the_record(record, capsys):
    export(record.folder, formats="coco,csv", json=True)
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == {"coco": str(record.folder / "coco.json"), "csv": str(record.folder / "instances.csv")}
    assert Record.open(record.folder).header.saved == ("coco", "csv")


def test_made_anew_when_asked_again(record):
    (record.folder / "coco.json").write_text("old")
    export(record.folder, formats="coco")
    assert json.loads((record.folder / "coco.json").read_text())["annotations"]


def test_words_that_the_model_never_read_are_warned_of(record, capsys):
    export(record.folder, formats="csv")
    assert "never read" not in capsys.readouterr().err
    vocabulary = replace(record.header.vocabulary, names=("dogs", "zeppelin"), category_ids=(1, 2))
    record = record.with_header(replace(record.header, vocabulary=vocabulary, tracks=()))
    export(record.folder, formats="csv")
    assert (
        "instformer-tiny never read these words in training, their labels are unreliable: zeppelin"
        in " ".join(capsys.readouterr().err.split())
    )


def test_one_file(record, tmp_path, capsys):
    export(record.folder, formats="ytvis", output=tmp_path / "results.json")
    assert len(json.loads((tmp_path / "results.json").read_text())) == 2
    assert str(tmp_path / "results.json") in capsys.readouterr().out
    assert Record.open(record.folder).header.saved == ()
    with pytest.raises(UsageError, match="already exists.*--overwrite"):
        export(record.folder, formats="coco", output=tmp_path / "results.json")
    export(record.folder, formats="coco", output=tmp_path / "results.json", overwrite=True)


def test_several_into_a_folder(record, tmp_path):
    export(record.folder, formats="rle,mots,davis", output=tmp_path / "all")
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["davis", "masks.jsonl", "mots.txt"]
    assert '"label":"dog"' in (tmp_path / "all" / "masks.jsonl").read_text()


def test_the_video_itself_is_never_replaced(record, tmp_path):
    with pytest.raises(UsageError, match="the video itself"):
        export(record.folder, formats="csv", output=tmp_path / "clip.mp4", overwrite=True)


def test_unknown_format_and_no_record(record, tmp_path):
    with pytest.raises(UsageError, match="did you mean coco"):
        export(record.folder, formats="cocoo")
    with pytest.raises(RecordError):
        export(tmp_path, formats="coco")
