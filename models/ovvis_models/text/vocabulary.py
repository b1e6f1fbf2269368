"""Embeddings of a vocabulary: every name in every template, averaged.

CLIP's text attention is causal and the embedding is read at the end token, so what follows the end token
changes nothing. Prompts are therefore sorted by length and each batch is cut after its longest end token,
which is exact and saves most of the work of 77-token rows. Equal prompts are encoded once.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.prompts import PROMPT_TEMPLATES, fill

Progress: TypeAlias = Callable[[int, int], None]
"""Told the number of prompts done and their total, after each batch."""


class Tokenize(Protocol):
    """Texts to token rows: start token, words, end token (the highest id), padding."""

    def __call__(self, texts: Sequence[str], /, *, context_length: int) -> Int[Tensor, "S L"]:
        """Rows of `context_length` tokens; longer texts are cut and keep their end token."""
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
    """Unit-norm embeddings of K names in float32 on the encoder's device: normalised means over the
    templates.

    No gradient is kept. Raises ValueError when there are no names or no templates.
    """
    if not names or not templates:
        raise ValueError("a vocabulary needs at least one name and one template")
    prompts = [fill(template, name) for name in names for template in templates]
    tokens = tokenize(prompts, context_length=text_encoder.context_length)
    prompt_embeds = encode_prompts(text_encoder, tokens, batch_size=batch_size, progress=progress)
    mean = prompt_embeds.reshape(len(names), len(templates), -1).mean(dim=1)
    return functional.normalize(mean, dim=-1)


@torch.no_grad()
def encode_prompts(
    text_encoder: TextEncoder,
    tokens: Int[Tensor, "S L"],
    *,
    batch_size: int = 256,
    progress: Progress | None = None,
) -> Float[Tensor, "S D"]:
    """Unit-norm embeddings of S token rows, in their order, float32 on the encoder's device."""
    rows, origin = torch.unique(tokens, dim=0, return_inverse=True)
    lengths = rows.argmax(dim=1) + 1  # up to and with the end token
    order = lengths.argsort(stable=True)
    device = text_encoder.positional_embedding.device
    embeds = torch.empty(len(rows), text_encoder.embed_dim, device=device)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        cut = rows[chosen, : int(lengths[chosen[-1]])]
        embeds[chosen.to(device)] = text_encoder(cut.to(device)).float()
        if progress is not None:
            progress(min(start + batch_size, len(order)), len(order))
    return embeds[origin.to(device)]
