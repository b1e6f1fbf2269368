"""CLIP's text transformer.

Unlike `open_clip`, it accepts prompts cut after their end token, and encodes a prefix that prompts share only
once.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

if TYPE_CHECKING:
    from open_clip.model import CLIP
    from open_clip.transformer import Transformer


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStart:
    """Cached attention keys and values of the P tokens that all prompts begin with; then S = 1."""

    keys: tuple[Float[Tensor, "S heads P head_dim"], ...]  # one per transformer block
    values: tuple[Float[Tensor, "S heads P head_dim"], ...]

    def __len__(self) -> int:
        return int(self.keys[0].shape[2])


class TextEncoder(nn.Module):
    """CLIP's text transformer; it shares its modules with the `open_clip` model that it is built from.

    Attention is causal and the embedding is read at the end token, so the tokens after it have no effect:
    `forward` accepts token rows cut anywhere after their end token. Parameter names are those of
    `open_clip.CLIP`.
    """

    causal_mask: Tensor

    def __init__(self, clip: "CLIP") -> None:
        from open_clip.transformer import ResidualAttentionBlock

        super().__init__()
        if clip.text_pool_type != "argmax" or clip.attn_mask is None:
            raise ValueError("only causal CLIP text towers that read the end token are supported")
        if not isinstance(clip.text_projection, nn.Parameter):
            raise ValueError("only CLIP text towers with a plain projection matrix are supported")
        if not all(type(block) is ResidualAttentionBlock for block in clip.transformer.resblocks):
            raise ValueError("only CLIP text towers of plain transformer blocks are supported")
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
        """Maximum length of a prompt, in tokens."""
        return int(self.positional_embedding.shape[0])

    def forward(
        self, tokens: Int[Tensor, "S L"], *, start: PromptStart | None = None
    ) -> Float[Tensor, "S D"]:
        """Return unit-norm embeddings of S prompts.

        Args:
            tokens: token rows; each must contain its end token, which has the highest token id.
            start: cache of the tokens that all prompts begin with; `tokens` then holds only the tokens after
                them.
        """
        if start is None:
            length = tokens.shape[1]
            x = self.token_embedding(tokens) + self.positional_embedding[:length]
            x = self.transformer(x, attn_mask=self.causal_mask[:length, :length])
        else:
            x, _ = self._run(tokens, start=start)
        ends = tokens.argmax(dim=1)
        x = self.ln_final(x[torch.arange(len(tokens), device=tokens.device), ends])
        return F.normalize(x @ self.text_projection, dim=-1)

    def read_start(self, tokens: Int[Tensor, " P"]) -> PromptStart:
        """Encode the P >= 1 tokens that all prompts begin with, for use as `start` in `forward`."""
        _, start = self._run(tokens.unsqueeze(0), start=None)
        return start

    def _run(
        self, tokens: Int[Tensor, "S L"], *, start: PromptStart | None
    ) -> tuple[Float[Tensor, "S L C"], PromptStart]:
        """Return the transformer's output for `tokens`, and the keys and values of `start` and `tokens`."""
        offset = 0 if start is None else len(start)
        end = offset + tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[offset:end]
        mask = self.causal_mask[offset:end, :end]
        keys, values = [], []
        for index, block in enumerate(self.transformer.resblocks):
            attn = block.attn
            joint = F.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias)
            per_head = (*x.shape[:2], attn.num_heads, -1)
            query, key, value = (part.reshape(per_head).transpose(1, 2) for part in joint.chunk(3, dim=-1))
            if start is not None:
                count = len(tokens)
                key = torch.cat([start.keys[index].expand(count, -1, -1, -1), key], dim=2)
                value = torch.cat([start.values[index].expand(count, -1, -1, -1), value], dim=2)
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask.to(query.dtype))
            x = x + block.ls_1(attn.out_proj(out.transpose(1, 2).flatten(2)))
            x = x + block.ls_2(block.mlp(block.ln_2(x)))
            keys.append(key)
            values.append(value)
        return x, PromptStart(keys=tuple(keys), values=tuple(values))
