"""Sources of the decoder's queries: learned vectors, or peaks of an objectness map."""

from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ovvis_models.blocks.decoder_output import InitialQueries, PixelFeatures, QueryOrigin

HEATMAP_PRIOR_LOGIT = -2.2  # the map starts at a probability of 0.1 everywhere
NOT_A_PEAK_LOGIT = 1e4  # subtracted, so that local maxima rank before all other places


class QuerySource(Protocol):
    """A source of queries for a batch of images."""

    def __call__(self, features: PixelFeatures) -> InitialQueries:
        """Return content and position of Q queries for each image."""
        ...


class LearnedQueries(nn.Module):
    """The same learned queries for every image, as in the published networks."""

    def __init__(self, num_queries: int, *, width: int) -> None:
        super().__init__()
        self.query_feat = nn.Embedding(num_queries, width)
        self.query_pos = nn.Embedding(num_queries, width)

    def forward(self, features: PixelFeatures) -> InitialQueries:
        """Return the learned vectors, repeated for each image."""
        batch = features.pixel_embeds.shape[0]
        return InitialQueries(
            query_feat=self.query_feat.weight.expand(batch, -1, -1),
            query_pos=self.query_pos.weight.expand(batch, -1, -1),
        )


class GuidedQueries(nn.Module):
    """Queries at the best local maxima of an objectness map, computed from the stride-8 level.

    Small networks trained for minutes need this: learned queries must first agree on who takes which object.
    """

    def __init__(self, num_queries: int, *, width: int) -> None:
        super().__init__()
        self.num_queries = num_queries
        to_logit = nn.Conv2d(width, 1, 1)
        self.heatmap = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), to_logit)
        self.content_proj = nn.Linear(width, width)
        self.position_proj = nn.Linear(width, width)
        assert to_logit.bias is not None, "built with a bias"
        nn.init.constant_(to_logit.bias, HEATMAP_PRIOR_LOGIT)

    def forward(self, features: PixelFeatures) -> InitialQueries:
        """Return one query for each of the best places, best first, and the logits of the map.

        Raises:
            ValueError: the map has fewer places than queries.
        """
        level = features.levels[-1]
        heatmap_logits = self.heatmap(level)[:, 0]
        places = best_places(heatmap_logits.detach(), num_places=self.num_queries)
        tokens = level.flatten(2).transpose(1, 2)
        rows = torch.arange(places.shape[0], device=places.device)[:, None]
        return InitialQueries(
            query_feat=self.content_proj(tokens[rows, places]),
            query_pos=self.position_proj(features.positions[-1][places]),
            origin=QueryOrigin(
                heatmap_logits=heatmap_logits,
                points=place_centers(places, hw=(heatmap_logits.shape[1], heatmap_logits.shape[2])),
            ),
        )


def place_centers(places: Int[Tensor, "B Q"], *, hw: tuple[int, int]) -> Float[Tensor, "B Q 2"]:
    """Return (x, y) in [0, 1] of the centers of flat places on a map of size `hw`."""
    height, width = hw
    x, y = places % width, torch.div(places, width, rounding_mode="floor")
    return torch.stack([(x + 0.5) / width, (y + 0.5) / height], dim=-1)


def best_places(logits: Float[Tensor, "B h w"], *, num_places: int) -> Int[Tensor, "B num_places"]:
    """Return flat indices of the best 3x3 local maxima, best first, then of the best other places.

    Raises:
        ValueError: the map has fewer than `num_places` places.
    """
    if logits[0].numel() < num_places:
        raise ValueError(f"{num_places} queries do not fit on a map of {tuple(logits.shape[1:])} places")
    peaks = logits == F.max_pool2d(logits[:, None], 3, stride=1, padding=1)[:, 0]
    ranked = torch.where(peaks, logits, logits - NOT_A_PEAK_LOGIT)
    return ranked.flatten(1).topk(num_places, dim=1).indices
