import copy

import pytest
import torch
import torch.nn.functional as F

from ovvis_models.networks.clip import tokenize
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.prompts import PROMPT_TEMPLATES, fill
from ovvis_models.text.vocabulary import encode_prompts, encode_vocabulary

NAMES = ("dog", "hot dog", "very long-winded description of a thing", "cat", "dog house")


@torch.no_grad()
def test_encoder_equals_open_clip(clip) -> None:
    tokens = tokenize(NAMES, context_length=16)
    expected = clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(TextEncoder(clip)(tokens), expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_cutting_behind_the_end_token_is_exact(clip) -> None:
    encoder = TextEncoder(clip)
    tokens = tokenize(NAMES, context_length=16)
    end = int(tokens.argmax(dim=1).max()) + 1
    assert end < 16
    torch.testing.assert_close(encoder(tokens[:, :end]), encoder(tokens), rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
@torch.no_grad()
def test_vocabulary_is_the_normalised_mean_over_templates(clip, batch_size: int) -> None:
    rows = []
    for name in NAMES:
        tokens = tokenize([template.replace("{}", name) for template in PROMPT_TEMPLATES], context_length=16)
        rows.append(clip.encode_text(tokens, normalize=True).mean(dim=0))
    expected = F.normalize(torch.stack(rows), dim=-1)
    embeds = encode_vocabulary(TextEncoder(clip), tokenize, NAMES, batch_size=batch_size)
    torch.testing.assert_close(embeds, expected, rtol=0, atol=1e-6)


def test_batches_are_cut_to_their_longest_prompt(clip) -> None:
    encoder = TextEncoder(clip)
    widths = []
    encoder.register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    tokens = tokenize(["a", "b", "a b c d e f g h", "c"], context_length=16)
    encode_prompts(encoder, tokens, batch_size=3)
    assert widths == [2, 9]  # without the start token, which all have in common


@torch.no_grad()
def test_reading_a_common_start_once_is_exact(clip) -> None:
    encoder = TextEncoder(clip)
    tokens = tokenize(
        [f"this is a photo of a {name}" for name in ("dog", "hot dog", "cat")], context_length=16
    )
    expected = encoder(tokens)
    for num_shared in (1, 4, 7):
        start = encoder.read_start(tokens[0, :num_shared])
        assert len(start) == num_shared
        torch.testing.assert_close(encoder(tokens[:, num_shared:], start=start), expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_single_prompt_keeps_its_end_token_to_read(clip) -> None:
    tokens = tokenize(["dog", "dog"], context_length=16)
    torch.testing.assert_close(encode_prompts(TextEncoder(clip), tokens), TextEncoder(clip)(tokens))


def test_many_names_are_encoded_by_template(clip) -> None:
    """The prompts of one template share their start, so fewer tokens are read; the result is the same."""
    encoder = TextEncoder(clip)
    names = [f"thing {number}" for number in range(20)]
    few = torch.cat([encode_vocabulary(encoder, tokenize, names[i : i + 5]) for i in range(0, 20, 5)])
    widths: list[int] = []
    encoder.register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    told: list[tuple[int, int]] = []
    many = encode_vocabulary(
        encoder, tokenize, names, batch_size=16, progress=lambda done, total: told.append((done, total))
    )
    torch.testing.assert_close(many, few, rtol=0, atol=1e-6)
    assert max(widths) <= 7  # two or three tokens of a name, "in the scene.", end
    assert told[0] == (16, 280)
    assert told[-1] == (280, 280)


def test_equal_prompts_are_encoded_once_and_progress_is_told(clip) -> None:
    told: list[tuple[int, int]] = []
    embeds = encode_prompts(
        TextEncoder(clip),
        tokenize(["dog", "cat", "dog", "cow"], context_length=16),
        batch_size=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (4, 4)
    assert len(told) == 2
    assert torch.equal(embeds[0], embeds[2])
    assert not embeds.requires_grad
    assert not embeds.is_inference()


def test_nothing_to_encode_is_an_error(clip) -> None:
    for names, templates in (((), PROMPT_TEMPLATES), (NAMES, ())):
        with pytest.raises(ValueError, match="at least one"):
            encode_vocabulary(TextEncoder(clip), tokenize, names, templates=templates)
    with pytest.raises(ValueError, match="nothing to tokenize"):
        tokenize([], context_length=16)


def test_the_14_templates_of_vild() -> None:
    assert PROMPT_TEMPLATES == (
        "a photo of a {}.",
        "This is a photo of a {}",
        "There is a {} in the scene",
        "There is the {} in the scene",
        "a photo of a {} in the scene",
        "a photo of a small {}.",
        "a photo of a medium {}.",
        "a photo of a large {}.",
        "This is a photo of a small {}.",
        "This is a photo of a medium {}.",
        "This is a photo of a large {}.",
        "There is a small {} in the scene.",
        "There is a medium {} in the scene.",
        "There is a large {} in the scene.",
    )


def test_braces_in_a_name_are_kept() -> None:
    assert fill("a photo of a {}.", "{0} {}") == "a photo of a {0} {}."


def test_long_texts_keep_their_end_token() -> None:
    tokens = tokenize(["word " * 50, "word"], context_length=16)
    assert tokens.shape == (2, 16)
    assert tokens[0, -1] == tokens[1, 2] == 49407


def test_tokens_do_not_depend_on_case() -> None:
    assert torch.equal(tokenize(["DOG"], context_length=8), tokenize(["dog"], context_length=8))


def test_other_text_towers_are_refused(clip) -> None:
    bidirectional = copy.deepcopy(clip)
    bidirectional.attn_mask = None
    with pytest.raises(ValueError, match="causal"):
        TextEncoder(bidirectional)
    linear = copy.deepcopy(clip)
    linear.text_projection = None
    with pytest.raises(ValueError, match="projection"):
        TextEncoder(linear)


def test_encoder_names_its_parameters_as_open_clip(clip) -> None:
    ours = set(TextEncoder(clip).state_dict())
    assert ours == {name for name in clip.state_dict() if not name.startswith("visual.")}
