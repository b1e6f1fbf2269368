"""Embeddings of a vocabulary: the mean over all prompt templates of each name.

CLIP's text attention is causal and the embedding is read at the end token. This allows three exact savings:
prompts are sorted by length and each batch is cut after its last end token; the words that all prompts of a
template begin with ("There is a") are encoded once; equal prompts are encoded once. Together they reduce the
work to about a sixteenth of that of full 77-token rows.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.prompts import PROMPT_TEMPLATES, fill

Progress: TypeAlias = Callable[[int, int], None]
"""Progress callback, called after each batch with the number of encoded prompts and their total."""

_MIN_NAMES_TO_SPLIT = 16  # with fewer names, one batch per template would be too small to be fast


@runtime_checkable
class Tokenize(Protocol):
    """Tokenizer: texts to token rows of start token, words, end token (the highest id) and padding."""

    def __call__(self, texts: Sequence[str], /, *, context_length: int) -> Int[Tensor, "S L"]:
        """Return rows of `context_length` tokens; longer texts are truncated and keep their end token."""
        ...


def encode_vocabulary(
    text_encoder: TextEncoder,
    tokenize: Tokenize,
    names: Sequence[str],
    *,
    templates: Sequence[str] = PROMPT_TEMPLATES,
    batch_size: int = 256,
    progress: Progress | None = None,
) -> Float[Tensor, "K D"]:
    """Return unit-norm embeddings of K names, in float32 on the device of the encoder.

    The embedding of a name is the normalised mean of its embeddings in all templates. No gradient is kept.

    Raises:
        ValueError: when there are no names or no templates.
    """
    if not names or not templates:
        raise ValueError("a vocabulary needs at least one name and one template")
    num_groups = len(templates) if len(names) >= _MIN_NAMES_TO_SPLIT else 1
    prompts = [fill(template, name) for template in templates for name in names]
    tokens = tokenize(prompts, context_length=text_encoder.context_length)
    embeds: list[Tensor] = []
    for group in tokens.chunk(num_groups):  # with enough names, one template per group
        done = sum(len(part) for part in embeds)
        report = None if progress is None else _offset(progress, done=done, total=len(prompts))
        embeds.append(encode_prompts(text_encoder, group, batch_size=batch_size, progress=report))
    mean = torch.cat(embeds).reshape(len(templates), len(names), -1).mean(dim=0)
    return F.normalize(mean, dim=-1)


@torch.no_grad()
def encode_prompts(
    text_encoder: TextEncoder,
    tokens: Int[Tensor, "S L"],
    *,
    batch_size: int = 256,
    progress: Progress | None = None,
) -> Float[Tensor, "S D"]:
    """Return unit-norm embeddings of S token rows, in order, in float32 on the device of the encoder."""
    rows, origin, counts = torch.unique(tokens, dim=0, return_inverse=True, return_counts=True)
    lengths = rows.argmax(dim=1) + 1  # up to and including the end token
    order = lengths.argsort(stable=True)
    device = text_encoder.positional_embedding.device
    num_shared = _num_shared(rows, lengths)
    start = text_encoder.read_start(rows[0, :num_shared].to(device))
    embeds = torch.empty(len(rows), text_encoder.embed_dim, device=device)
    num_done = 0
    for chosen in order.split(batch_size):
        rest = rows[chosen, num_shared : int(lengths[chosen[-1]])]
        embeds[chosen.to(device)] = text_encoder(rest.to(device), start=start).float()
        num_done += int(counts[chosen].sum())
        if progress is not None:
            progress(num_done, len(tokens))
    return embeds[origin.to(device)]


def _num_shared(rows: Int[Tensor, "S L"], lengths: Int[Tensor, " S"]) -> int:
    """Return how many leading tokens all rows share, leaving each row at least its end token."""
    agree = (rows == rows[0]).all(dim=0).long().cumprod(dim=0)
    return min(int(agree.sum()), int(lengths.min()) - 1)


def _offset(progress: Progress, *, done: int, total: int) -> Progress:
    """Return a callback that adds `done` prompts to the count and reports `total`."""
    return lambda num_done, _: progress(done + num_done, total)
