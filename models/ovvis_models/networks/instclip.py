"""InstCLIP: CLIP's vision transformer, which encodes all proposals of an image in one pass.

Paper: OpenVIS (InstFormer), Sec. 4.2 and Fig. 4.
Data flow: [register, patches] pass through CLIP's blocks as [class token, patches] do in CLIP. N instance
tokens are added. Token i attends to itself, to the register and, with the guidance from mask i, to the
patches; no other token attends to an instance token (`heads/guided_attention.py`). After the last block, each
instance token is projected into the joint image and text space, like CLIP's class token.
Training: CLIP is frozen; the tokens and the LoRA updates of the query and value projections are trained.
Initial values: register and instance tokens are copies of CLIP's class token. Before training, the register
and any instance token whose mask covers the whole image therefore equal CLIP's image embedding.
Choices that the paper leaves open: the bias on the token itself and the register (`SHARED_BIAS`), and the
option of one learned token for all proposals (`num_instance_tokens=1`), with which the result does not depend
on the order of the proposals.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.heads.guidance import Guidance
from ovvis_models.heads.guided_attention import SHARED_BIAS, guided_attention
from ovvis_models.heads.lora import QueryValueLoRA

if TYPE_CHECKING:
    from open_clip.model import CLIP
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

MAX_CACHED_GRIDS = 8  # image sizes whose resized position embeddings are kept


class InstCLIP(nn.Module):
    """Instance encoder that computes the tokens of all proposals of B images in one pass."""

    def __init__(
        self,
        clip: "CLIP",
        *,
        guidance: Guidance,
        num_instance_tokens: int = 100,
        lora_rank: int | None = None,
        lora_alpha: float = 16.0,
    ) -> None:
        """Create the instance tokens and LoRA updates; share the vision tower of `clip` and freeze it.

        Args:
            clip: source of the vision tower; its text tower is not used.
            guidance: maps masks to attention biases.
            num_instance_tokens: maximum number of proposals per image; or 1, for one learned token that is
                shared by any number of proposals.
            lora_rank: rank of the LoRA updates; None for none.
            lora_alpha: the LoRA updates are scaled by `lora_alpha / lora_rank`.

        Raises:
            ValueError: when the vision tower is not a plain CLIP ViT.
        """
        super().__init__()
        visual = clip.visual
        _check_plain(visual)
        self.visual: VisionTransformer = visual.requires_grad_(False)
        self.guidance = guidance
        width = int(visual.class_embedding.shape[0])
        self.instance_token = nn.Parameter(torch.empty(num_instance_tokens, width))
        self.register_token = nn.Parameter(torch.empty(width))
        self.lora: nn.ModuleList | None = None
        if lora_rank is not None:
            adapters = (
                QueryValueLoRA(width, rank=lora_rank, alpha=lora_alpha) for _ in visual.transformer.resblocks
            )
            self.lora = nn.ModuleList(adapters)
        self._position_cache: dict[tuple[object, ...], Tensor] = {}
        self.start_from_class_token()

    @property
    def embed_dim(self) -> int:
        """Width D of the instance tokens."""
        return int(self.visual.proj.shape[1])

    @property
    def size_divisor(self) -> int:
        """Side of a patch in pixels; image sizes must be multiples of it."""
        return int(self.visual.patch_size[0])

    def start_from_class_token(self) -> None:
        """Set register and instance tokens to CLIP's class token; call after loading only CLIP's weights."""
        with torch.no_grad():
            start = self.visual.class_embedding + self.visual.positional_embedding[0]
            self.register_token.copy_(start)
            self.instance_token.copy_(start.expand_as(self.instance_token))

    def trained_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that fine-tuning trains: the tokens and the LoRA updates, if any."""
        yield self.instance_token
        yield self.register_token
        if self.lora is not None:
            yield from self.lora.parameters()

    def encode_instances(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B N D"]:
        """Return unit-norm instance tokens; see `InstanceEncoder.encode_instances`.

        Raises:
            ValueError: when the image size is not a multiple of `size_divisor`, or there are more proposals
                than learned tokens.
        """
        embeds: Tensor = self(images, mask_logits)
        return embeds[:, 1:]

    def forward(
        self, images: Float[Tensor, "B 3 Hc Wc"], mask_logits: Float[Tensor, "B N h w"]
    ) -> Float[Tensor, "B 1+N D"]:
        """Return unit-norm embeddings of the register (first) and of the N instance tokens."""
        patches = self._embed_patches(images)
        num_images, num_instances = mask_logits.shape[:2]
        grid_hw = (images.shape[-2] // self.size_divisor, images.shape[-1] // self.size_divisor)
        bias = F.pad(self.guidance(mask_logits, grid_hw), (1, 0), value=SHARED_BIAS)  # (B, N, 1+P)

        register = self.register_token.expand(num_images, 1, -1)
        x = torch.cat([register, patches, self._instance_tokens(num_images, num_instances)], dim=1)
        x = self.visual.ln_pre(x)
        last = len(self.visual.transformer.resblocks) - 1
        for index, block in enumerate(self.visual.transformer.resblocks):
            normed = block.ln_1(x)
            queries = normed
            if index == last:  # after it only register and instances are read, so patches need no output
                x, queries = (torch.cat([y[:, :1], y[:, bias.shape[-1] :]], dim=1) for y in (x, normed))
            x = x + block.ls_1(self._attend(block, self._adapter(index), queries, normed, bias))
            x = x + block.ls_2(block.mlp(block.ln_2(x)))
        return F.normalize(self.visual.ln_post(x) @ self.visual.proj, dim=-1)

    @torch.no_grad()
    def merge_lora(self) -> None:
        """Merge LoRA into the weights of the shared vision tower: same result, less computation."""
        if self.lora is None:
            return
        for index, block in enumerate(self.visual.transformer.resblocks):
            adapter = self._adapter(index)
            assert adapter is not None
            query, _, value = block.attn.in_proj_weight.chunk(3)
            query += adapter.query.weight()
            value += adapter.value.weight()
        self.lora = None

    def _embed_patches(self, images: Float[Tensor, "B 3 Hc Wc"]) -> Float[Tensor, "B P C"]:
        """Return the patch embeddings with their position embeddings."""
        height, width = images.shape[-2:]
        if height % self.size_divisor or width % self.size_divisor or not height or not width:
            raise ValueError(
                f"image size {height}x{width} is not a multiple of the patch size {self.size_divisor}"
            )
        grid: Tensor = self.visual.conv1(images)  # (B, C, gh, gw)
        positions = self._positions((grid.shape[-2], grid.shape[-1]))
        return grid.flatten(2).transpose(1, 2) + positions.to(grid.dtype)

    def _instance_tokens(self, num_images: int, num_instances: int) -> Float[Tensor, "B N C"]:
        """Return the instance tokens at the input of the first block."""
        num_learned = self.instance_token.shape[0]
        if num_learned == 1:
            return self.instance_token.expand(num_images, num_instances, -1)
        if num_instances > num_learned:
            raise ValueError(f"{num_instances} proposals, but only {num_learned} learned instance tokens")
        return self.instance_token[:num_instances].expand(num_images, -1, -1)

    def _attend(
        self,
        block: "ResidualAttentionBlock",
        adapter: QueryValueLoRA | None,
        queries: Float[Tensor, "B A_N C"],
        x: Float[Tensor, "B S_N C"],
        bias: Float[Tensor, "B N S"],
    ) -> Float[Tensor, "B A_N C"]:
        """Return the attention output of a block for `queries`, with keys and values from `x`."""
        attn = block.attn
        width = x.shape[-1]
        query = F.linear(queries, attn.in_proj_weight[:width], attn.in_proj_bias[:width])
        key_and_value = F.linear(x, attn.in_proj_weight[width:], attn.in_proj_bias[width:])
        key, value = key_and_value.chunk(2, dim=-1)
        if adapter is not None:
            query = query + adapter.query(queries)
            value = value + adapter.value(x)
        query, key, value = (
            torch.unflatten(part, -1, (attn.num_heads, -1)).transpose(1, 2) for part in (query, key, value)
        )
        out = guided_attention(query, key, value, bias=bias)  # (B, heads, A+N, head_dim)
        projected: Tensor = attn.out_proj(out.transpose(1, 2).flatten(2))
        return projected

    def _adapter(self, index: int) -> QueryValueLoRA | None:
        """Return the LoRA update of a block, None without LoRA."""
        if self.lora is None:
            return None
        adapter = self.lora[index]
        assert isinstance(adapter, QueryValueLoRA)
        return adapter

    def _positions(self, grid_hw: tuple[int, int]) -> Float[Tensor, "P C"]:
        """Return the position embeddings of the patches, resized to the grid; cached while frozen."""
        table = self.visual.positional_embedding
        if table.requires_grad:
            return _resize_positions(table[1:], self.visual.grid_size, grid_hw)
        key = (grid_hw, table.device, table.dtype, table.data_ptr(), table._version)
        positions = self._position_cache.get(key)
        if positions is None:
            if len(self._position_cache) >= MAX_CACHED_GRIDS:
                self._position_cache.clear()  # another thread may hold an entry, but never looks it up again
            # Cache no inference tensors, even in inference mode: later training may use the same cache.
            with torch.inference_mode(False), torch.no_grad():
                positions = _resize_positions(table[1:], self.visual.grid_size, grid_hw)
            self._position_cache[key] = positions
        return positions


def _resize_positions(
    positions: Float[Tensor, "P0 C"], from_hw: tuple[int, int], to_hw: tuple[int, int]
) -> Float[Tensor, "P C"]:
    """Return position embeddings resized bicubically from one grid size to another."""
    if from_hw == to_hw:
        return positions
    grid = positions.reshape(1, *from_hw, -1).permute(0, 3, 1, 2)  # (1, C, gh, gw)
    resized = F.interpolate(grid, size=to_hw, mode="bicubic", antialias=True, align_corners=False)
    return resized[0].flatten(1).T


def _check_plain(visual: nn.Module) -> None:
    """Raise ValueError unless this is a plain ViT, because InstCLIP repeats the steps of its blocks."""
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    plain = (
        isinstance(visual, VisionTransformer)
        and visual.attn_pool is None
        and visual.pool_type == "tok"
        and all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks)
    )
    if not plain:
        raise ValueError(
            f"InstCLIP needs a plain CLIP vision transformer with a class token, got {type(visual).__name__}"
        )
