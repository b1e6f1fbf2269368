"""A record: what is written is read again, and whatever is wrong with it is said in one clear error."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ovvis_cli.errors import RecordError, ResourceError, exit_code_of
from ovvis_cli.record.identity import fingerprint, source_stamp
from ovvis_cli.record.reader import Record, finished_header
from ovvis_cli.record.schema import ModelInfo
from ovvis_cli.record.serialise import header_from_text, header_to_text
from ovvis_cli.rle import Rle, decode_rle, encode_masks, rle_area, rle_box
from tests.records import (
    BOARD,
    DOG,
    MODEL,
    NUM_FRAMES,
    SETTINGS,
    UNKNOWN,
    frame_line,
    masks_of,
    source_info,
    tokens,
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


def test_round_trip(record):
    again = Record.open(record.folder)
    assert again.header == record.header
    assert list(again.frames()) == [
        frame_line(i).__class__(
            frame_index=i, time_s=round(i / 30, 6), instances=rounded(frame_line(i).instances)
        )
        for i in range(NUM_FRAMES)
    ]
    for frame in again.frames():
        expected = masks_of(frame.frame_index)
        assert [instance.track_id for instance in frame.instances] == sorted(expected)
        for instance in frame.instances:
            np.testing.assert_array_equal(decode_rle(instance.rle), expected[instance.track_id])
            ys, xs = np.nonzero(expected[instance.track_id])
            box = (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
            assert instance.box_xywh == box


def rounded(instances):
    return tuple(
        type(instance)(
            track_id=instance.track_id,
            score=round(instance.score, 4),
            box_xywh=instance.box_xywh,
            rle=instance.rle,
        )
        for instance in instances
    )


def test_tokens_round_trip(record):
    stored = record.tokens()
    assert stored.track_ids.tolist() == [DOG, BOARD, UNKNOWN]
    np.testing.assert_array_equal(stored.tokens, tokens())
    assert stored.tokens.dtype == stored.object_scores.dtype == np.float32


def test_track_times_are_first_and_last_seen(record):
    board = next(track for track in record.header.tracks if track.track_id == BOARD)
    assert (board.first_time_s, board.last_time_s) == (round(1 / 30, 6), round(7 / 30, 6))


def test_three_lines_of_python_read_it(record):
    frames = [json.loads(line) for line in (record.folder / "masks.jsonl").read_text().splitlines()]
    assert frames[1]["instances"][1] == {
        "track": BOARD,
        "score": 0.7,
        "box": [10, 18, 30, 8],
        "rle": {"size": [32, 48], "counts": frames[1]["instances"][1]["rle"]["counts"]},
    }
    header = json.loads((record.folder / "record.json").read_text())
    assert header["format_version"] == 1
    assert header["tracks"][0]["score"] == 0.7654


def test_empty_mask_is_absent():
    from ovvis_cli.record.encoding import encode_frame
    from ovvis_models.structures import FrameResult

    result = FrameResult(
        frame_index=0, track_ids=np.array([1]), scores=np.ones(1, np.float32), masks=np.zeros((1, 4, 5), bool)
    )
    assert encode_frame(result, time_s=0.0).instances == ()


def test_no_instances_at_all():
    assert encode_masks(np.zeros((0, 4, 5), dtype=bool)) == []


def test_rle_of_one_pixel():
    mask = np.zeros((1, 1, 1), dtype=bool)
    (empty,) = encode_masks(mask)
    (full,) = encode_masks(~mask)
    assert (rle_area(empty), rle_area(full)) == (0, 1)
    assert rle_box(full) == (0, 0, 1, 1)
    assert full.size_hw == (1, 1)


def test_same_run_gives_same_bytes(tmp_path, video):
    first = write_record(tmp_path / "a", source=video)
    second = write_record(tmp_path / "b", source=video)
    for path in sorted(first.folder.iterdir()):
        assert path.read_bytes() == (second.folder / path.name).read_bytes(), path.name


def test_unfinished_record_says_how_to_finish(record):
    (record.folder / "record.json").unlink()
    with pytest.raises(RecordError, match="unfinished.*same ovvis segment command"):
        Record.open(record.folder)


@pytest.mark.parametrize("make", ["missing", "file", "empty"])
def test_not_a_record(tmp_path, make):
    path = tmp_path / "thing"
    if make == "file":
        path.write_text("x")
    if make == "empty":
        path.mkdir()
    with pytest.raises(RecordError, match="written by ovvis segment") as caught:
        Record.open(path)
    assert exit_code_of(caught.value) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format_version": 1', '"format_version": 2', "format version 2, this ovvis reads 1"),
        ('"format_version": 1', '"format_version": "1"', "format_version should be a whole number"),
        ('"width": 48', '"width": "48"', "source: width should be a whole number, found '48'"),
        ('"width": 48', '"broad": 48', "source: width is missing"),
        ('"kind": "video"', '"kind": "film"', "kind should be one of video, images, stream"),
        ('"track": 2', '"track": true', r"tracks\[1\]: track should be a whole number"),
        ('"names": [', '"names": [3, ', "vocabulary: names should be a list of strings"),
        ("{", "[", "not valid JSON"),
    ],
)
def test_damaged_header(record, old, new, message):
    path = record.folder / "record.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecordError, match=message) as caught:
        Record.open(record.folder)
    assert "record.json" in str(caught.value)


def test_cut_off_last_line(record):
    path = record.folder / "masks.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(RecordError, match=r"masks.jsonl:8 is cut off"):
        list(record.frames())


def test_missing_line(record):
    path = record.folder / "masks.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(RecordError, match="7 frames, expected 8"):
        list(record.frames())


def test_repeated_line(record):
    path = record.folder / "masks.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], *lines[2:]]))
    with pytest.raises(RecordError, match="masks.jsonl:4: frame 2 after 2"):
        list(record.frames())


def test_malformed_line(record):
    path = record.folder / "masks.jsonl"
    path.write_text(path.read_text().replace('"size":[32,48]', '"size":[32]', 1))
    with pytest.raises(
        RecordError, match=r"masks.jsonl:1: instances\[0\]: rle: size should be 2 whole numbers"
    ):
        list(record.frames())


@pytest.mark.parametrize("name", ["masks.jsonl", "tokens.safetensors"])
def test_missing_file(record, name):
    (record.folder / name).unlink()
    with pytest.raises(RecordError, match=f"has no {name}"):
        Record.open(record.folder)


def test_damaged_tokens(record):
    (record.folder / "tokens.safetensors").write_bytes(b"1234")
    with pytest.raises(RecordError, match="tokens.safetensors cannot be read"):
        record.tokens()


def test_rle_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="(?i)rle"):
        decode_rle(Rle(size_hw=(4, 4), counts="0f7"))


def test_fingerprint_knows_what_changes_the_masks(video):
    source = source_info(video)
    same = fingerprint(source=source, model=MODEL, settings=SETTINGS)
    assert same == fingerprint(source=source, model=MODEL, settings=dict(reversed(SETTINGS.items())))
    other_model = ModelInfo(name=MODEL.name, weights_sha256="cd" * 32)
    assert same != fingerprint(source=source, model=other_model, settings=SETTINGS)
    assert same != fingerprint(source=source, model=MODEL, settings=SETTINGS | {"stride": 2})
    video.write_bytes(b"another film")
    assert same != fingerprint(source=source_info(video), model=MODEL, settings=SETTINGS)


def test_moved_video_keeps_its_fingerprint(video, tmp_path):
    before = fingerprint(source=source_info(video), model=MODEL, settings=SETTINGS)
    (tmp_path / "elsewhere").mkdir()
    moved = video.rename(tmp_path / "elsewhere" / video.name)
    assert fingerprint(source=source_info(moved), model=MODEL, settings=SETTINGS) == before


def test_stamp_of_an_image_folder_counts_all_images(tmp_path):
    (tmp_path / "a.png").write_bytes(b"123")
    (tmp_path / "b.png").write_bytes(b"4567")
    assert source_stamp(tmp_path)[0] == 7
    assert source_stamp(tmp_path / "none") == (None, None)


def test_finished_header_only_of_the_same_run(record):
    assert finished_header(record.folder, fingerprint=record.header.fingerprint) == record.header
    assert finished_header(record.folder, fingerprint="other") is None
    assert finished_header(record.folder / "none", fingerprint="other") is None


def test_unwritable_folder(tmp_path, video):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(ResourceError, match="cannot write .*--output") as caught:
        write_record(tmp_path / "taken", source=video)
    assert exit_code_of(caught.value) == 5


def test_given_text_embeddings_are_part_of_the_vocabulary(record):
    plain = record.header
    given = replace(plain, vocabulary=replace(plain.vocabulary, text_embeddings_sha256="ab" * 32))
    assert header_from_text(header_to_text(given), where="record.json") == given
    assert "text_embeddings_sha256" not in header_to_text(plain)
