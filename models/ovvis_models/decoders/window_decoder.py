"""The object decoder of GenVIS: queries that are carried from window to window, with a memory of prototypes.

Paper: A Generalized Framework for Video Instance Segmentation (Heo et al., CVPR 2023), Sec. 3.
In each window the queries of the window before, with what they read in the memory, attend to the encoded
frame queries, then to each other. The normalised queries are the instance prototypes: classes, masks and
memory entries are computed from them. The queries go on to the next window without that norm.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.blocks.mlp import MLP
from ovvis_models.decoders.object_heads import ClosedSetHead
from ovvis_models.decoders.prototype_memory import PrototypeMemory
from ovvis_models.decoders.query_decoder import DecoderLayer

MASK_LAYERS = 3  # of the mask head


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowHeads:
    """What the queries of a window say."""

    prototypes: Float[Tensor, "B Q C"]
    class_logits: Float[Tensor, "B Q K_plus_1"]  # the last is "no object"
    mask_embeds: Float[Tensor, "B Q C"]  # masks are their products with the window's pixel embeddings


class WindowDecoder(nn.Module):
    """Encoded frame queries of a window, and the state so far -> the queries of this window."""

    def __init__(
        self,
        width: int,
        *,
        num_queries: int,
        num_frame_queries: int,
        num_heads: int,
        num_layers: int,
        ffn_dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.query_feat = nn.Embedding(num_queries, width)
        self.query_pos = nn.Embedding(num_queries, width)
        self.frame_query_pos = nn.Embedding(num_frame_queries, width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, num_heads=num_heads, ffn_dim=ffn_dim) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.object_head = ClosedSetHead(width, num_classes=num_classes)
        self.mask_embed = MLP(width, hidden_dim=width, out_dim=width, num_layers=MASK_LAYERS)
        self.query_key = nn.Linear(width, width)
        self.query_value = nn.Linear(width, width)
        self.memory_key = nn.Linear(width, width)
        self.memory_value = nn.Linear(width, width)

    def first_queries(self, batch: int) -> Float[Tensor, "B Q C"]:
        """Return the learned queries before the first window of B videos."""
        return self.query_feat.weight.expand(batch, -1, -1)

    def with_memory(self, queries: Float[Tensor, "B Q C"], memory: PrototypeMemory) -> Float[Tensor, "B Q C"]:
        """Return the queries of the window before with their own value and what they read in the memory."""
        output: Tensor = queries + self.query_value(queries) + memory.read(self.query_key(queries))
        return output

    def forward(
        self, queries: Float[Tensor, "B Q C"], frame_tokens: Float[Tensor, "B T Qf C"]
    ) -> tuple[Float[Tensor, "B Q C"], ...]:
        """Return the queries after each layer; the last go on to the next window.

        Args:
            queries: from `with_memory`.
            frame_tokens: the encoded frame queries of the T frames of the window.
        """
        batch, num_frames = frame_tokens.shape[:2]
        position = self.query_pos.weight.expand(batch, -1, -1)
        places = self.frame_query_pos.weight.repeat(num_frames, 1)  # (T Qf, C)
        outputs = []
        for layer in self.layers:
            queries = layer(queries, query_pos=position, content=frame_tokens.flatten(1, 2), position=places)
            outputs.append(queries)
        return tuple(outputs)

    def heads(self, queries: Float[Tensor, "B Q C"]) -> WindowHeads:
        """Return prototypes, classes and mask embeddings of the queries after a layer."""
        prototypes = self.norm(queries)
        return WindowHeads(
            prototypes=prototypes,
            class_logits=self.object_head(prototypes),
            mask_embeds=self.mask_embed(prototypes),
        )

    def remember(
        self,
        memory: PrototypeMemory,
        prototypes: Float[Tensor, "B Q C"],
        *,
        max_windows: int | None = None,
    ) -> PrototypeMemory:
        """Return the memory with the prototypes of one more window; see `PrototypeMemory.append`."""
        return memory.append(
            self.memory_key(prototypes), self.memory_value(prototypes), max_windows=max_windows
        )
