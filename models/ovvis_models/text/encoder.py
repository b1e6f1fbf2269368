"""CLIP's text tower on its own, able to run on prompts cut after their end token."""

import torch
from jaxtyping import Float, Int
from open_clip.model import CLIP
from open_clip.transformer import Transformer
from torch import Tensor, nn
from torch.nn import functional


class TextEncoder(nn.Module):
    """Embeds tokenised prompts; shares its modules with the `open_clip` model it is built from.

    Attention is causal and the embedding is read at the end token, so tokens after it change nothing:
    `forward` accepts token rows cut anywhere behind their end token. Parameter names are those of
    `open_clip.CLIP`.
    """

    causal_mask: Tensor

    def __init__(self, clip: CLIP) -> None:
        super().__init__()
        if clip.text_pool_type != "argmax" or clip.attn_mask is None:
            raise ValueError("only causal CLIP text towers that read the end token are supported")
        if not isinstance(clip.text_projection, nn.Parameter):
            raise ValueError("only CLIP text towers with a plain projection matrix are supported")
        self.transformer: Transformer = clip.transformer
        self.token_embedding: nn.Embedding = clip.token_embedding
        self.positional_embedding: nn.Parameter = clip.positional_embedding
        self.ln_final: nn.Module = clip.ln_final
        self.text_projection: nn.Parameter = clip.text_projection
        self.logit_scale: nn.Parameter = clip.logit_scale
        self.register_buffer("causal_mask", clip.attn_mask, persistent=False)

    @property
    def embed_dim(self) -> int:
        """Width D of the embeddings."""
        return int(self.text_projection.shape[1])

    @property
    def context_length(self) -> int:
        """Longest prompt, in tokens."""
        return int(self.positional_embedding.shape[0])

    def forward(self, tokens: Int[Tensor, "S L"]) -> Float[Tensor, "S D"]:
        """Unit-norm embeddings of S token rows; each must contain its end token (the highest token id)."""
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[:length]
        x = self.transformer(x, attn_mask=self.causal_mask[:length, :length])
        ends = tokens.argmax(dim=1)
        x = self.ln_final(x[torch.arange(len(tokens), device=tokens.device), ends])
        return functional.normalize(x @ self.text_projection, dim=-1)
