"""`ovvis export` and `ovvis relabel` as functions."""

import json
from dataclasses import replace

import pytest

from ovvis_cli.commands.export import export
from ovvis_cli.errors import RecordError, UsageError
from ovvis_cli.exporters.export import ensure_exports, saved_formats
from ovvis_cli.exporters.report.index_page import update_index
from ovvis_cli.labelling.relabel import relabel
from ovvis_cli.record.reader import Record
from tests.media import numbered_images, write_video
from tests.records import write_record
from tests.unit.labelling.test_relabel import PUPPY, query


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


def test_all_records_of_a_folder(tmp_path, capsys):
    results = tmp_path / "results"
    for name in ("a", "b"):
        video = write_video(tmp_path / f"{name}.mp4", numbered_images(8))
        write_record(results / name, source=video)
    export(results, formats="csv,report", json=True)
    told = json.loads(capsys.readouterr().out)
    assert [set(each["files"]) for each in told["records"]] == [{"csv", "report"}] * 2
    assert told["index"] == str(results / "index.html")
    assert all((results / name / "report.html").is_file() for name in ("a", "b"))
    (results / "index.html").unlink()
    export(results, formats="csv")
    assert not (results / "index.html").exists()
    with pytest.raises(UsageError, match="--output is for one record"):
        export(results, formats="csv", output=tmp_path / "x")
    with pytest.raises(RecordError, match="holds no record"):
        export(tmp_path, formats="csv")


def test_size_of_a_report_is_told(tmp_path, capsys):
    record = write_record(tmp_path / "out", source=write_video(tmp_path / "a.mp4", numbered_images(8)))
    export(record.folder, formats="report")
    shown = capsys.readouterr()
    assert str(record.folder / "report.html") in shown.out
    assert "report.html: 0.0 MB" in shown.err
    assert not (tmp_path / "index.html").exists()


def test_relabelling_updates_report_and_index(tmp_path):
    record = write_record(tmp_path / "r" / "out", source=write_video(tmp_path / "a.mp4", numbered_images(8)))
    export(tmp_path / "r", formats="report")
    again = relabel(Record.open(record.folder), query(PUPPY))
    assert not (record.folder / "report.html").exists()
    ensure_exports(again, saved_formats(again))
    update_index(tmp_path / "r")
    assert "puppy" in (record.folder / "report.html").read_text()
    assert "puppy" in (tmp_path / "r" / "index.html").read_text()


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
        export(tmp_path / "gone", formats="coco")
