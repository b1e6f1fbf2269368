import pytest
import torch

from ovvis_cli.vocabulary.distractors import general_distractors
from ovvis_models.text.vocabulary_scores import class_logits, class_probabilities


def meanings(*names: str) -> torch.Tensor:
    """Unit embeddings in which dog and cat are alike (cosine 0.8) and all else is unrelated."""
    table = {"dog": [1.0, 0.0, 0.0], "cat": [0.8, 0.6, 0.0], "skateboard": [0.0, 0.0, 1.0]}
    return torch.tensor([table[name] for name in names])


def test_a_cat_does_not_become_a_dog_when_only_dog_and_skateboard_are_asked() -> None:
    asked = ("dog", "skateboard")
    assert "cat" in general_distractors(asked)
    proposals = meanings("cat", "dog", "skateboard")
    embeds = meanings("dog", "skateboard", "cat")
    guarded = class_probabilities(proposals, embeds, logit_scale=50.0, num_asked=2)
    assert guarded.shape == (3, 2)
    assert guarded[0].max() < 0.01  # the cat is neither
    assert guarded[1, 0] > 0.99
    assert guarded[2, 1] > 0.99

    unguarded = class_probabilities(proposals, embeds[:2], logit_scale=50.0, num_asked=2)
    assert unguarded[0, 0] > 0.99  # what --no-distractors accepts
    torch.testing.assert_close(unguarded.sum(dim=1), torch.ones(3))


def test_logits_are_scaled_cosines_for_any_leading_axes() -> None:
    tokens = meanings("cat", "dog").reshape(2, 1, 3)
    logits = class_logits(tokens, meanings("dog", "cat"), logit_scale=torch.tensor(10.0))
    torch.testing.assert_close(logits, torch.tensor([[[8.0, 10.0]], [[10.0, 8.0]]]))


@pytest.mark.parametrize("num_asked", [0, 4])
def test_number_asked_must_fit_the_vocabulary(num_asked: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.3"):
        class_probabilities(
            meanings("dog"), meanings("dog", "cat", "skateboard"), logit_scale=1.0, num_asked=num_asked
        )
