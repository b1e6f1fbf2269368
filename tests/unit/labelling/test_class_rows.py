"""Class embeddings from a file, from a text encoder as the paper's code uses it, and from a closed set."""

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ovvis_cli.errors import VocabularyError
from ovvis_cli.labelling.class_query import make_query
from ovvis_cli.labelling.class_rows import class_rows, read_text_embeddings
from ovvis_cli.vocabulary.names import vocabulary_of_names
from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec, build_clip
from ovvis_models.text.class_embeddings import ClassEmbeddings
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.naming import ClosedVocabulary, OpenVocabulary

WIDTH = 16


@pytest.fixture(scope="module")
def model() -> SimpleNamespace:
    torch.manual_seed(0)
    clip = build_clip(
        ClipSpec(
            embed_dim=WIDTH,
            vision=VisionSpec(image_size=32, patch_size=16, width=32, layers=1, head_width=16),
            text=TextSpec(context_length=32, vocab_size=49408, width=16, heads=2, layers=1),
            quick_gelu=False,
        )
    )
    naming = OpenVocabulary(
        text_encoder=TextEncoder(clip).eval(), embed_dim=WIDTH, domain="web", splits_synonyms=True
    )
    return SimpleNamespace(spec=SimpleNamespace(name="small"), naming=naming, class_embeddings=None)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def saved(tmp_path: Path, rows: np.ndarray) -> Path:
    np.save(tmp_path / "rows.npy", rows)
    return tmp_path / "rows.npy"


def test_rows_of_a_file_replace_the_text_encoders(model: SimpleNamespace, tmp_path: Path) -> None:
    given = read_text_embeddings(saved(tmp_path, 3 * np.eye(2, WIDTH)))
    rows = class_rows(model, vocabulary_of_names(["a", "b"]), distractors=False, text_embeddings=given)
    assert torch.equal(rows.embeds, torch.eye(2, WIDTH))


def test_a_query_says_which_embeddings_it_was_given(model: SimpleNamespace) -> None:
    vocabulary = vocabulary_of_names(["a", "b"])
    plain = make_query(model, vocabulary)
    given = [
        make_query(model, vocabulary, text_embeddings=torch.eye(2, WIDTH).roll(shift, 1)) for shift in (0, 1)
    ]
    assert plain.vocabulary.text_embeddings_sha256 is None
    assert len({query.vocabulary.text_embeddings_sha256 for query in (plain, *given)}) == 3


def test_rows_that_do_not_fit_are_refused(model: SimpleNamespace, tmp_path: Path) -> None:
    given = read_text_embeddings(saved(tmp_path, np.ones((3, WIDTH))))
    with pytest.raises(VocabularyError, match="shape 3 x 16, expected 2 x 16"):
        class_rows(model, vocabulary_of_names(["a", "b"]), distractors=False, text_embeddings=given)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 4)), "zero or not finite"),
        (np.full((2, 4), np.nan), "zero or not finite"),
        (np.ones(4), "not a matrix"),
        (np.ones((2, 4), dtype=np.int64), "not a matrix"),
        (np.array([{"code": 1}], dtype=object), "cannot read"),
    ],
)
def test_files_that_hold_no_embeddings_are_refused(tmp_path: Path, rows: np.ndarray, message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        read_text_embeddings(saved(tmp_path, rows))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot read"):
        read_text_embeddings(tmp_path / "gone.npy")


def test_published_names_are_split_at_commas_and_the_best_synonym_counts(model: SimpleNamespace) -> None:
    vocabulary = vocabulary_of_names(["dog, puppy", "hot_air_balloon"])
    query = make_query(model, vocabulary, distractors=False, published_names=True)
    assert query.rows.synonyms == (2, 1)
    assert query.rows.embeds.shape == (3, WIDTH)
    probabilities = query.probabilities(torch.nn.functional.normalize(torch.randn(4, WIDTH), dim=-1))
    assert probabilities.shape == (4, 2)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))
    plain = make_query(model, vocabulary, distractors=False)
    assert plain.rows.embeds.shape == (2, WIDTH)


def test_a_closed_set_takes_no_text_embeddings() -> None:
    naming = ClosedVocabulary(table="ytvis2019", num_classes=40)
    model = SimpleNamespace(spec=SimpleNamespace(name="closed"), naming=naming)
    vocabulary = vocabulary_of_names(["dog", "cat"])
    rows = class_rows(model, vocabulary, distractors=True)
    assert rows.embeds.shape == (41, 41)
    with pytest.raises(VocabularyError, match="closed set"):
        class_rows(model, vocabulary, distractors=True, text_embeddings=torch.eye(2, 41))


@pytest.fixture
def stored(model: SimpleNamespace) -> SimpleNamespace:
    """The model, with stored embeddings of three names."""
    embeddings = ClassEmbeddings(names=("hot_dog", "cat", "car"), rows=2 * torch.eye(3, WIDTH))
    return SimpleNamespace(spec=model.spec, naming=model.naming, class_embeddings=embeddings)


def test_stored_embeddings_are_found_by_name(stored: SimpleNamespace, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        rows = class_rows(stored, vocabulary_of_names(["car", "Hot dog"]), distractors=False)
    assert torch.equal(rows.embeds, torch.eye(3, WIDTH)[[2, 0]])
    assert not caplog.records


def test_embeddings_of_the_run_override_the_stored_ones(stored: SimpleNamespace) -> None:
    given = torch.eye(WIDTH)[-1:]
    rows = class_rows(stored, vocabulary_of_names(["cat"]), distractors=False, text_embeddings=given)
    assert torch.equal(rows.embeds, given)


def test_a_name_that_is_not_stored_puts_all_names_into_templates_and_is_told(
    model: SimpleNamespace, stored: SimpleNamespace, caplog
) -> None:
    vocabulary = vocabulary_of_names(["cat", "unicorn"])
    with caplog.at_level(logging.WARNING):
        rows = class_rows(stored, vocabulary, distractors=False)
    assert (
        "no class embedding is stored for 'unicorn'; all names are put into prompt templates" in caplog.text
    )
    assert torch.equal(rows.embeds, class_rows(model, vocabulary, distractors=False).embeds)


def test_a_name_that_is_not_stored_is_refused_without_a_text_encoder(stored: SimpleNamespace) -> None:
    stored.naming = replace(stored.naming, text_encoder=None, logit_scale=1.0)
    vocabulary = vocabulary_of_names(["cat", "a", "b", "c", "d"])
    with pytest.raises(VocabularyError, match="stored for 'a', 'b', 'c' and 1 more, and there is no text"):
        class_rows(stored, vocabulary, distractors=False)
    rows = class_rows(stored, vocabulary_of_names(["cat"]), distractors=False)
    assert torch.equal(rows.embeds, torch.eye(3, WIDTH)[[1]])
