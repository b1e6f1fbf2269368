"""The prototype memory of GenVIS: one key and one value of each query for every past window.

Paper: A Generalized Framework for Video Instance Segmentation (Heo et al., CVPR 2023), Sec. 3.3.
The memory of the authors grows with the video. Here it may be limited to N windows; up to N it is the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PrototypeMemory:
    """Keys and values of M past windows, oldest first, of B videos."""

    entries: Float[Tensor, "B M 2 Q C"]  # keys, then values
    windows: Int[Tensor, " M"]  # number of each window in the video, from 0, increasing; on the CPU
    num_seen: int  # windows so far, including those that left

    @classmethod
    def empty(cls, queries: Float[Tensor, "B Q C"]) -> "PrototypeMemory":
        """Return the memory before the first window, with device and precision of the queries."""
        nothing = queries.new_zeros((queries.shape[0], 0, 2, *queries.shape[1:]))
        return cls(entries=nothing, windows=torch.zeros(0, dtype=torch.long), num_seen=0)

    @property
    def keys(self) -> Float[Tensor, "B M Q C"]:
        """The keys that queries are compared with."""
        return self.entries[:, :, 0]

    @property
    def values(self) -> Float[Tensor, "B M Q C"]:
        """The values that queries read."""
        return self.entries[:, :, 1]

    def attention(self, query_keys: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q M"]:
        """Return how much each query reads of each window; logits are not divided by sqrt(C)."""
        return torch.einsum("bqc,bmqc->bqm", query_keys, self.keys).softmax(dim=-1)

    def read(self, query_keys: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q C"]:
        """Return what each query reads of its own past entries; zero without any (index-wise read)."""
        if not len(self.windows):
            return torch.zeros_like(query_keys)
        return torch.einsum("bqm,bmqc->bqc", self.attention(query_keys), self.values)

    def append(
        self,
        keys: Float[Tensor, "B Q C"],
        values: Float[Tensor, "B Q C"],
        *,
        max_windows: int | None = None,
    ) -> "PrototypeMemory":
        """Return the memory after one more window.

        Args:
            keys: of the prototypes of the window.
            values: of the same prototypes.
            max_windows: number of windows kept (see `window_to_drop`); None for all.
        """
        numbers = torch.cat([self.windows, torch.tensor([self.num_seen])])
        is_full = max_windows is not None and len(numbers) > max_windows
        dropped = window_to_drop(numbers) if is_full else len(numbers)
        entry = torch.stack([keys, values], dim=1)[:, None]
        return PrototypeMemory(
            entries=torch.cat([self.entries[:, :dropped], self.entries[:, dropped + 1 :], entry], dim=1),
            windows=torch.cat([numbers[:dropped], numbers[dropped + 1 :]]),
            num_seen=self.num_seen + 1,
        )


def window_to_drop(windows: Int[Tensor, " M"]) -> int:
    """Return the position of the window that leaves a full memory, so that the past stays evenly covered.

    The first window and the newer half of the memory stay. Of the others, the one whose neighbours are
    closest to each other in time leaves; the oldest of several.
    """
    num_old = max(1, len(windows) // 2 - 1)
    gaps = windows[2:] - windows[:-2]  # between the neighbours of each window but the first and last
    if not len(gaps):
        return 0
    return 1 + int(gaps[:num_old].argmin())
