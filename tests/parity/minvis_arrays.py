"""The arrays of MinVIS after its network, and our side of each."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from ovvis_models.networks.minvis import ClosedSetPrediction, MinVIS, MinVISState, track_mask_logits
from ovvis_models.preprocess import logits_to_original
from ovvis_models.trackers.previous_frame import similarity
from tests.parity.comparison import Found
from tests.parity.fixture import Fixture
from tests.parity.mask2former_arrays import NetworkRun, as_found
from tests.parity.results import kept_order, mask_bits, ordered

TRACK_STEP = 4  # every how many tracks, results and frames the fixture holds
RESULT_STEP = 3
FRAME_STEP = 3


def minvis_arrays(fixture: Fixture, run: NetworkRun) -> Mapping[str, Found]:
    """Return tracks and listed results of the fixture's video, in the fixture's order."""
    system = MinVIS(run.network, image_input=fixture.image_input)
    last = run.output.layers[-1]
    prediction = ClosedSetPrediction(
        query_embeds=last.query_embeds,
        mask_logits=last.mask_logits,
        class_logits=last.object_logits,
        geometry=fixture.geometry,
    )
    final, states, query_of_track = _follow(system, prediction)
    references = [state.tracks.expected_tokens for state in states[:-1]]
    cosines = [similarity(*pair) for pair in zip(references, last.query_embeds[1:], strict=True)]
    pairs = system.finish(final, num_results=fixture.case["inference"]["top_k"])
    order = kept_order(fixture, pairs.query_index, pairs.class_index)
    logits = track_mask_logits(prediction, query_of_track, pairs.query_index).transpose(0, 1)  # (N, T, h, w)
    large = torch.stack([logits_to_original(track, fixture.geometry) for track in logits])
    return MappingProxyType(
        {
            "frames": Found(values=fixture.arrays["frames"]),
            "frame_queries": as_found(last.query_embeds),
            "frame_logits": as_found(last.object_logits),
            "similarity": as_found(_stacked(cosines)),
            "match_indices": as_found(query_of_track[1:]),
            "track_embeddings": as_found(_stacked(references)[:, ::TRACK_STEP]),
            "video_logits": as_found(final.class_logits),
            "query_index": ordered(pairs.query_index, order),
            "labels": ordered(pairs.class_index, order),
            "scores": ordered(pairs.class_scores, order),
            "mask_logits": ordered(logits, order),
            "output_mask_logits": ordered(large[:, ::FRAME_STEP], order[::RESULT_STEP]),
            "masks": mask_bits(large, order),
        }
    )


def _follow(system: MinVIS, prediction: ClosedSetPrediction) -> tuple[MinVISState, list[MinVISState], Tensor]:
    """Return the last state, the state after each frame, and the query of every track in every frame.

    Frames go one by one, as a stream would bring them, and each state through its stored form.
    """
    states: list[MinVISState] = []
    orders = []
    for frame in range(prediction.query_embeds.shape[0]):
        window = ClosedSetPrediction(
            query_embeds=prediction.query_embeds[frame : frame + 1],
            mask_logits=prediction.mask_logits[frame : frame + 1],
            class_logits=prediction.class_logits[frame : frame + 1],
            geometry=prediction.geometry,
        )
        before = MinVISState.from_tensors(states[-1].to_tensors()) if states else None
        state, order = system.step(window, before)
        states.append(state)
        orders.append(order)
    return states[-1], states, torch.cat(orders)


def _stacked(rows: list[Tensor]) -> Tensor:
    return torch.stack(rows) if rows else torch.zeros(0, 0, 0)
