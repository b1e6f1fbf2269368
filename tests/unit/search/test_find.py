"""Search over records: the same scores as relabel, an index that follows the records, clear messages."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ovvis_cli.errors import ModelError, RecordError, VocabularyError
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.record.schema import ModelInfo, VocabularyInfo
from ovvis_cli.search.find import find
from ovvis_cli.search.index import INDEX_FOLDER, open_index
from ovvis_cli.search.questions import ask_group, correction_of, question_of
from ovvis_cli.search.scoring import best_names, roughly_best_names
from ovvis_cli.vocabulary.names import parse_classes
from ovvis_models.text.vocabulary_scores import each_alone
from tests.records import BOARD, DOG, UNKNOWN, write_record

PUPPY = parse_classes("longboard,puppy")


def query(names=("longboard", "puppy"), *, embeds=None, **rows):
    """The dog's token is "puppy", the skateboard's "longboard", the unknown thing's a distractor."""
    embeds = torch.eye(4)[[1, 0, 2]] if embeds is None else embeds
    info = VocabularyInfo(
        names=tuple(names),
        category_ids=tuple(range(1, len(names) + 1)),
        distractors=True,
        score_threshold=0.0,
        max_tracks=None,
    )
    return ClassQuery(vocabulary=info, rows=ClassRows(**{"embeds": embeds, "logit_scale": 10.0, **rows}))


@pytest.fixture
def results(tmp_path):
    """Three records of one model."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mp4").write_bytes(b"not really")
        write_record(tmp_path / "results" / name, source=tmp_path / f"{name}.mp4")
    return tmp_path / "results"


@pytest.fixture
def made(monkeypatch):
    """Names that were embedded, in order; loading of models is replaced."""
    asked = []

    def load(made_by, *, name_or_path=None):
        return made_by.model

    def make(model, vocabulary, *, distractors=True):
        asked.append((model.name, *vocabulary.names))
        return (
            query(vocabulary.names)
            if len(vocabulary.names) == 2
            else query(("wolf",), embeds=torch.eye(4)[[3, 2]])
        )

    monkeypatch.setattr("ovvis_cli.labelling.record_model.load_record_model", load)
    monkeypatch.setattr("ovvis_cli.labelling.class_query.make_query", make)
    return asked


def test_ranked_tracks_of_all_records(results, made):
    findings = find([results], PUPPY, score_threshold=0.1)
    assert (findings.num_tracks, findings.num_records) == (9, 3)
    found = [(hit.name, hit.record.name, hit.track_id) for hit in findings.hits]
    assert sorted(found) == sorted(
        [("puppy", name, DOG) for name in "abc"] + [("longboard", name, BOARD) for name in "abc"]
    )
    dog = next(hit for hit in findings.hits if hit.track_id == DOG)
    assert (dog.first_time_s, dog.num_frames, dog.video.endswith(".mp4")) == (0.0, 8, True)
    assert len(find([results], PUPPY, limit=2).hits) == 2


def random_unit(*shape):
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(rows, dim=-1)


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"class_exponent": 0.5},
        {"link": each_alone},
        {"synonyms": (2, 3, 0, 1), "adds_up": True},
        {"synonyms": (2, 3, 1, 1)},
    ],
)
def test_scores_are_those_of_a_query(rows):
    num_rows = sum(rows.get("synonyms", (1,) * 4))
    everything = random_unit(600, 32)
    tokens, embeds = everything[:500], everything[500 : 500 + num_rows + 40]
    objects = torch.rand(500, generator=torch.Generator().manual_seed(1))
    asked = query("abcd", embeds=embeds, logit_scale=40.0, **rows)
    if 0 in rows.get("synonyms", ()):  # a query has no row to take the largest of
        expected = torch.stack(
            [asked.scores(tokens[i : i + 1], objects[i : i + 1])[0] for i in range(500)]
        ).numpy()
    else:
        expected = asked.scores(tokens, objects).numpy()
    question = question_of(asked)
    exact = best_names(tokens.numpy(), objects.numpy(), question)
    np.testing.assert_allclose(exact.scores, expected.max(axis=1), rtol=2e-4, atol=1e-7)
    assert (exact.names == expected.argmax(axis=1)).mean() > 0.99


def test_stored_sums_give_the_same_scores_for_other_distractors(tmp_path, results):
    (group,) = open_index(results).groups
    tokens = random_unit(300, 16).numpy()
    objects = np.linspace(0.2, 1, 300, dtype=np.float32)
    group = replace(group, tokens=tokens, stem=tmp_path / "group")
    rows = random_unit(40, 16)
    first = query("ab", embeds=rows[:30], logit_scale=30.0)
    ask_group(group, ("a", "b"), distractors=True, make=lambda: first)
    other = query("ab", embeds=torch.cat([rows[10:12], rows[:5], rows[14:40]]), logit_scale=30.0)
    for _ in range(2):  # new, then from disk
        asked = ask_group(group, ("c", "d"), distractors=True, make=lambda: other)
        assert (len(asked.correction.removed), len(asked.correction.added)) == (9, 12)
        rough = roughly_best_names(
            tokens, objects, asked.question, background=asked.background, correction=asked.correction
        )
        exact = best_names(tokens, objects, question_of(other))
        np.testing.assert_allclose(rough.scores, exact.scores, rtol=1e-3, atol=1e-6)
        restored = best_names(tokens, objects, asked.question)
        np.testing.assert_allclose(restored.scores, exact.scores, rtol=1e-5)
    assert asked.from_disk


def test_a_dominant_distractor_is_taken_away():
    """A stored sum may consist almost wholly of the row that a question leaves out."""
    rows = torch.eye(8)
    tokens = torch.nn.functional.normalize(torch.eye(8) + 0.01, dim=-1).numpy()
    wide = question_of(query("a", embeds=rows, logit_scale=100.0))
    narrow = question_of(query("a", embeds=rows[[0, 2, 3, 4, 5, 6, 7]], logit_scale=100.0))
    from ovvis_cli.search.scoring import background_of

    objects = np.ones(8, np.float32)
    found = roughly_best_names(
        tokens,
        objects,
        narrow,
        background=background_of(tokens, wide.distractors, logit_scale=100.0),
        correction=correction_of(narrow.distractors, fixed=wide.distractors),
    )
    assert np.isfinite(found.scores).all()
    assert found.scores.argmax() == 0


def test_a_question_asked_before_needs_no_model(results, made):
    before = find([results], PUPPY).hits
    assert made == [("instformer-tiny", "longboard", "puppy")]
    assert find([results], PUPPY).hits == before
    find([results], parse_classes("wolf"))
    find([results], parse_classes("wolf"))
    assert made == [("instformer-tiny", "longboard", "puppy"), ("instformer-tiny", "wolf")]


def test_the_index_follows_the_records(results, made, tmp_path):
    read = []

    def count(done, total):
        read.append(done)

    assert find([results], PUPPY, on_record=count).num_tracks == 9
    find([results], PUPPY, on_record=count)
    assert read == [1, 2, 3]
    write_record(results / "d", source=tmp_path / "a.mp4")
    assert find([results], PUPPY, on_record=count).num_tracks == 12
    for path in (results / "a").iterdir():
        path.unlink()
    assert find([results], PUPPY).num_tracks == 9
    header = (results / "b" / "record.json").read_text()
    (results / "b" / "record.json").write_text(header + "\n")  # as relabel or export do
    read.clear()
    find([results], PUPPY, on_record=count)
    assert read == []


def test_damaged_files_of_the_index_are_written_again(results, made):
    before = find([results], PUPPY).hits
    for path in (results / INDEX_FOLDER).glob("*.npz"):
        path.write_bytes(b"damaged")
    assert find([results], PUPPY).hits == before
    (results / INDEX_FOLDER / "index.json").write_text("{")
    assert find([results], PUPPY).hits == before


def test_a_damaged_record_is_told_and_left_out(results, made):
    (results / "b" / "tokens.safetensors").write_bytes(b"damaged")
    findings = find([results], PUPPY)
    assert findings.num_tracks == 6
    assert ["b" in message and "tokens.safetensors" in message for message in findings.left_out] == [True]


def test_a_single_record_and_several_folders(results, made):
    (hit, *_) = find([results / "a"], PUPPY).hits
    assert hit.record == results / "a"
    assert find([results / "a", results], PUPPY).num_tracks == 12


def test_models_that_cannot_be_asked_are_told(results, made, monkeypatch):
    from ovvis_cli.record.reader import Record

    record = Record.open(results / "c")
    other = ModelInfo(name="minvis-r50-ovis", weights_sha256="cd" * 32)
    record.with_header(replace(record.header, model=other))
    assert {len(group.tokens) for group in open_index(results).groups} == {6, 3}
    from ovvis_cli.labelling import class_query

    usual = class_query.make_query

    def make(model, vocabulary, **options):
        if model.name == other.name:
            raise VocabularyError("minvis-r50-ovis knows only the 25 classes of ovis: not puppy")
        return usual(model, vocabulary, **options)

    monkeypatch.setattr("ovvis_cli.labelling.class_query.make_query", make)
    findings = find([results], PUPPY)
    assert findings.num_tracks == 6
    (message,) = findings.left_out
    assert "1 record of minvis-r50-ovis left out" in message
    assert "not puppy" in message
    with pytest.raises(VocabularyError, match="25 classes"):
        find([results / "c"], PUPPY)


def test_no_model_and_no_record(results, tmp_path):
    with pytest.raises(ModelError, match="made with other weights"):
        find([results], PUPPY)
    with pytest.raises(RecordError, match="no finished record"):
        find([tmp_path / "gone"], PUPPY)


def test_tracks_without_any_of_the_names(results, made):
    findings = find([results], parse_classes("wolf"), score_threshold=0.9)
    assert (findings.hits, findings.best_score > 0) == ((), True)
    assert UNKNOWN not in {hit.track_id for hit in findings.hits}


def test_an_asked_question_imports_no_torch(results, made):
    import subprocess

    from tests.e2e.conftest import command_environment

    find([results], PUPPY)
    script = (
        "import json, sys; from ovvis_cli.app import run;"
        f"code = run(['find', {str(results)!r}, '-c', 'longboard,puppy', '--json']);"
        "sys.stderr.write(json.dumps([code, 'torch' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=command_environment(), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["num_tracks"] == 9
    assert json.loads(done.stderr.splitlines()[-1].split("open the index")[-1]) == [0, False]
