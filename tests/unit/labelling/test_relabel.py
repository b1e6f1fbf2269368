"""New names from stored tokens: what they change, and what they leave as it is."""

import json
from dataclasses import replace

import pytest
import torch

from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.export import ensure_exports, saved_formats
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.labelling.relabel import relabel
from ovvis_cli.record.reader import Record
from ovvis_cli.record.schema import VocabularyInfo
from tests.records import BOARD, DOG, UNKNOWN, write_record

PUPPY = VocabularyInfo(
    names=("longboard", "puppy"), category_ids=(1, 2), distractors=True, score_threshold=0.0, max_tracks=None
)


def query(vocabulary, width=4):
    """The dog's token is "puppy", the skateboard's "longboard", the unknown thing's a distractor."""
    rows = ClassRows(embeds=torch.eye(width)[[1, 0, 2]], logit_scale=100.0)
    return ClassQuery(vocabulary=vocabulary, rows=rows)


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not really")
    return write_record(tmp_path / "out", source=path)


def test_new_labels_same_masks(record):
    masks = (record.folder / "masks.jsonl").read_bytes()
    again = relabel(record, query(PUPPY))
    found = {track.track_id: (track.label, track.score) for track in again.header.tracks}
    assert found == {DOG: ("puppy", 0.8), BOARD: ("longboard", 0.8), UNKNOWN: (None, None)}
    assert Record.open(record.folder).header == again.header
    assert again.header.vocabulary == PUPPY
    assert replace(again.header, tracks=(), vocabulary=record.header.vocabulary) == replace(
        record.header, tracks=()
    )
    assert (record.folder / "masks.jsonl").read_bytes() == masks


def test_exports_follow(record):
    before, paths = ensure_exports(record, ["ytvis", "rle", "davis"])
    again = relabel(before, query(PUPPY))
    assert not paths["ytvis"].exists()  # never labels of two vocabularies side by side
    assert not paths["davis"].exists()
    assert paths["rle"].exists()
    ensure_exports(again, saved_formats(again))
    results = json.loads(paths["ytvis"].read_text())
    assert [entry["category_id"] for entry in results] == [2, 1]
    assert len(list(paths["davis"].iterdir())) == 8


def test_threshold_and_number_of_tracks_are_rules_of_the_labels(record):
    strict = relabel(record, query(replace(PUPPY, score_threshold=0.9)))
    assert [track.label for track in strict.header.tracks] == [None] * 3
    one = relabel(strict, query(replace(PUPPY, max_tracks=1)))
    assert [track.label for track in one.header.tracks] == ["puppy", None, None]


def test_back_to_the_first_words_gives_the_same_file(record):
    first = relabel(record, query(PUPPY))
    text = (first.folder / "record.json").read_bytes()
    other = replace(PUPPY, names=("a", "b"))
    assert relabel(first, query(other)).header.tracks[0].label == "b"
    relabel(first, query(PUPPY))
    assert (first.folder / "record.json").read_bytes() == text


def test_tokens_of_another_model(record):
    text = (record.folder / "record.json").read_bytes()
    with pytest.raises(
        RecordError, match="tokens have 4 dimensions, but the text embeddings have 5.*instformer-tiny"
    ):
        relabel(record, query(PUPPY, 5))
    assert (record.folder / "record.json").read_bytes() == text


def test_token_that_is_missing(record):
    header = record.header
    stranger = replace(header.tracks[0], track_id=77)
    record = record.with_header(replace(header, tracks=(*header.tracks, stranger)))
    with pytest.raises(RecordError, match="no token for track 77"):
        relabel(record, query(PUPPY))
