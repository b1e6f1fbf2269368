"""The arrays of MinVIS after its network, and our side of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ovvis_models.association import MatchingAssociation
from ovvis_models.heads.closed_set import best_pairs
from ovvis_models.networks.minvis import MinVIS
from ovvis_models.preprocess import logits_to_original
from ovvis_models.proposal_selection import ALL_PROPOSALS
from ovvis_models.scoring.track_table import PlainMean
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import EncodedWindow, ImageGeometry
from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.assignment import FIXED_SLOTS, cosines
from ovvis_models.trackers.state import TrackState
from tests.parity.comparison import Found
from tests.parity.fixture import Fixture
from tests.parity.mask2former_arrays import NetworkRun, as_found
from tests.parity.results import kept_order, mask_bits, ordered

TRACK_STEP = 4  # every how many tracks, results and frames the fixture holds
RESULT_STEP = 3
FRAME_STEP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """The association of all frames."""

    references: list[Tensor]  # what each frame but the first was compared with, (Q, C) each
    query_of_track: Tensor  # (T, Q)
    video_logits: Tensor  # (Q, K + 1), mean over the frames of each track


def minvis_arrays(fixture: Fixture, run: NetworkRun) -> Mapping[str, Found]:
    """Return tracks and listed results of the fixture's video, in the fixture's order."""
    last = run.output.layers[-1]
    system = MinVIS(run.network, image_input=fixture.image_input)
    followed = _follow(system, run, shape=fixture.geometry)
    references = followed.references
    alike = [cosines(*pair) for pair in zip(references, last.query_embeds[1:], strict=True)]
    pairs = best_pairs(followed.video_logits, num_pairs=fixture.case["inference"]["top_k"])
    order = kept_order(fixture, pairs.query_index, pairs.class_index)
    chosen = followed.query_of_track[:, pairs.query_index]  # (T, N)
    by_frame = [masks[index] for masks, index in zip(last.mask_logits, chosen, strict=True)]
    logits = torch.stack(by_frame, dim=1)  # (N, T, h, w)
    large = torch.stack([logits_to_original(track, fixture.geometry) for track in logits])
    return MappingProxyType(
        {
            "frames": Found(values=fixture.arrays["frames"]),
            "frame_queries": as_found(last.query_embeds),
            "frame_logits": as_found(last.object_logits),
            "similarity": as_found(_stacked(alike)),
            "match_indices": as_found(followed.query_of_track[1:]),
            "track_embeddings": as_found(_stacked(references)[:, ::TRACK_STEP]),
            "video_logits": as_found(followed.video_logits),
            "query_index": ordered(pairs.query_index, order),
            "labels": ordered(pairs.class_index, order),
            "scores": ordered(pairs.class_scores, order),
            "mask_logits": ordered(logits, order),
            "output_mask_logits": ordered(large[:, ::FRAME_STEP], order[::RESULT_STEP]),
            "masks": mask_bits(large, order),
        }
    )


def _follow(system: MinVIS, run: NetworkRun, *, shape: ImageGeometry) -> _Followed:
    """Run tracker and segmenter side by side: the one shows the matching, the other is what users run.

    Frames go one by one, as a stream would bring them, and each state through its stored form.
    """
    last, tracker = run.output.layers[-1], AdjacentTracker(FIXED_SLOTS)
    segmenter = _segmenter(system)
    state = TrackState.unseen(
        last.query_embeds[0, :0],  # of the queries' type
        track_ids=torch.zeros(0, dtype=torch.long),
        hidden_dim=0,
        num_frames=0,
        next_track_id=1,
    )
    references, orders = [], []
    for frame, queries in enumerate(last.query_embeds):
        state, track_ids = tracker.step(state, queries, torch.ones(queries.shape[0]))
        orders.append(track_ids.argsort())
        references.append(state.expected_tokens)
        state = TrackState.from_tensors(state.to_tensors())
        resumed = _segmenter(system)
        resumed.load_state_dict(segmenter.state_dict())
        resumed.step(_window(run, frame, shape=shape), [frame])
        segmenter = resumed
    tokens = [torch.from_numpy(track.instance_token) for track in segmenter.finish().tracks]
    return _Followed(
        references=references[:-1], query_of_track=torch.stack(orders), video_logits=torch.stack(tokens)
    )


def _segmenter(system: MinVIS) -> VideoSegmenter[EncodedWindow]:
    association = MatchingAssociation(
        tracker=AdjacentTracker(FIXED_SLOTS), selection=ALL_PROPOSALS, tracked_by="query"
    )
    return VideoSegmenter(system, association, token_mean=PlainMean())


def _window(run: NetworkRun, frame: int, *, shape: ImageGeometry) -> EncodedWindow:
    last = run.output.layers[-1]
    to_logit = run.network.query_decoder.object_head.object_logit
    return EncodedWindow(
        query_embeds=last.query_embeds[frame],
        instance_tokens=last.object_logits[frame],
        object_logits=to_logit(last.object_logits[frame]),
        mask_logits=last.mask_logits[frame : frame + 1],
        mask_quality=None,
        geometry=shape,
    )


def _stacked(rows: list[Tensor]) -> Tensor:
    return torch.stack(rows) if rows else torch.zeros(0, 0, 0)
