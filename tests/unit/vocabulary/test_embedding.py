import pytest
import torch

from ovvis_cli.vocabulary.cache import TextCache
from ovvis_cli.vocabulary.distractors import ClosedName, general_distractors, general_names
from ovvis_cli.vocabulary.embedding import VocabularyEmbedder
from ovvis_cli.vocabulary.names import parse_classes
from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec, build_clip, tokenize
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.vocabulary import encode_vocabulary

TEMPLATES = ("a {}", "the {}.")


@pytest.fixture(scope="module")
def text_encoder() -> TextEncoder:
    torch.manual_seed(0)
    spec = ClipSpec(
        embed_dim=16,
        vision=VisionSpec(image_size=32, patch_size=32, width=16, layers=1, head_width=16),
        text=TextSpec(context_length=12, vocab_size=49408, width=32, heads=2, layers=1),
        quick_gelu=False,
    )
    return TextEncoder(build_clip(spec)).eval()


@pytest.fixture
def cache(tmp_path) -> TextCache:
    return TextCache(tmp_path)


def embedder(text_encoder, cache, **options) -> VocabularyEmbedder:
    return VocabularyEmbedder(text_encoder, cache=cache, templates=TEMPLATES, **options)


def test_asked_rows_come_first_then_the_distractors(text_encoder, cache) -> None:
    vocabulary = parse_classes("skateboard,Dog")
    embedded = embedder(text_encoder, cache).embed(vocabulary)
    assert embedded.num_asked == 2
    assert len(embedded.class_embeds) == 2 + len(embedded.distractors)
    assert set(embedded.distractors) <= set(general_distractors(vocabulary.names))
    assert len(embedded.distractors) > 100
    names = (*vocabulary.prompts, *embedded.distractors)
    expected = encode_vocabulary(text_encoder, tokenize, names, templates=TEMPLATES)
    torch.testing.assert_close(embedded.class_embeds, expected, rtol=0, atol=1e-6)


def test_no_distractors_leaves_the_asked_alone(text_encoder, cache) -> None:
    embedded = embedder(text_encoder, cache).embed(parse_classes("dog,skateboard"), distractors=False)
    assert embedded.distractors == ()
    assert embedded.class_embeds.shape == (2, 16)


def test_a_closed_world_brings_its_own_distractors(text_encoder, cache) -> None:
    world = tuple(ClosedName(name=name) for name in ("dog", "cat", "car", "key"))
    embedded = embedder(text_encoder, cache, world=world).embed(parse_classes("dog"))
    assert set(embedded.distractors) <= {"cat", "car", "key"}
    assert embedded.distractors


def test_a_closed_world_is_asked_in_its_own_spelling_and_shown_in_the_users(text_encoder, cache) -> None:
    world = tuple(ClosedName(name=name) for name in ("dog", "ice cream", "car", "key"))
    ask = embedder(text_encoder, cache, world=world)
    plural = ask.embed(parse_classes("Dogs,ice-creams"))
    singular = ask.embed(parse_classes("dog,ice cream"))
    assert plural.vocabulary.names == ("Dogs", "ice-creams")
    assert plural.distractors == singular.distractors
    torch.testing.assert_close(plural.class_embeds, singular.class_embeds, rtol=0, atol=0)


def test_a_tower_of_the_web_reads_names_as_they_are_written(text_encoder, cache) -> None:
    ask = embedder(text_encoder, cache)
    plural, singular = (
        ask.embed(parse_classes(name), distractors=False).class_embeds for name in ("dogs", "dog")
    )
    assert not torch.equal(plural, singular)


def test_distractors_whose_embedding_is_an_asked_one_are_dropped(text_encoder, cache) -> None:
    asked = "v w x y z v w x y z v w"  # longer than the context: what differs in its twin is cut off
    twin = asked + " glorp"
    world = tuple(ClosedName(name=name) for name in (twin, *"abcdefghij"))
    embedded = embedder(text_encoder, cache, world=world).embed(parse_classes(asked))
    assert twin not in embedded.distractors
    assert len(embedded.distractors) > 5


def test_general_vocabulary_is_encoded_once_for_all_questions(text_encoder, cache) -> None:
    told: list[int] = []
    ask = embedder(text_encoder, cache, progress=lambda _, total: told.append(total))
    ask.embed(parse_classes("dog"))
    assert max(told) >= len(general_names())
    told.clear()
    ask.embed(parse_classes("boat"))
    assert max(told) == len(TEMPLATES)  # only the new name
    told.clear()
    embedder(text_encoder, cache, progress=lambda _, total: told.append(total)).embed(parse_classes("boat"))
    assert told == []
