"""Windows of several frames: a batch is whole windows, and its size changes nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ovvis_cli.inference.frame_loop import segment_frames
from ovvis_cli.video.frames import Frame
from ovvis_models.association import MatchingAssociation
from ovvis_models.preprocess import geometry
from ovvis_models.proposal_selection import ALL_PROPOSALS, BestProposals
from ovvis_models.scoring.track_table import ScoreWeighted
from ovvis_models.segmenter import VideoSegmenter
from ovvis_models.structures import EncodedWindow
from ovvis_models.trackers.adjacent import AdjacentTracker
from ovvis_models.trackers.assignment import FIXED_SLOTS, AssociationRules

WINDOW, NUM_FRAMES, QUERIES, WIDTH = 3, 8, 4, 6
FRAME_HW = (24, 32)
SHAPE = geometry(FRAME_HW, short_side=32, max_side=64)


class WindowNetwork:
    """Two objects for the whole video; a window has one query and one token per object."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(4)
        self.queries = torch.randn(QUERIES, WIDTH, generator=generator)
        self.tokens = torch.nn.functional.normalize(torch.randn(QUERIES, 5, generator=generator), dim=-1)
        self.lengths: list[int] = []

    def encode(self, frames: torch.Tensor) -> list[EncodedWindow]:
        windows = frames.split(WINDOW)
        self.lengths.append(len(frames))
        return [self._window(window) for window in windows]

    def _window(self, frames: torch.Tensor) -> EncodedWindow:
        first = int(frames[0, 0, 0, 0])
        order = torch.randperm(QUERIES, generator=torch.Generator().manual_seed(first))
        masks = torch.full((len(frames), QUERIES, SHAPE.padded_hw[0] // 4, SHAPE.padded_hw[1] // 4), -5.0)
        for time, frame in enumerate(frames):
            number = int(frame[0, 0, 0])
            masks[time, 0, :3, number % 8 : number % 8 + 3] = 5.0  # moves
            if number != 4:
                masks[time, 1, 4:, :4] = 5.0  # is hidden in frame 4
        logits = torch.tensor([3.0, 2.0, -9.0, -9.0])
        return EncodedWindow(
            query_embeds=self.queries[order],
            instance_tokens=self.tokens[order],
            object_logits=logits[order],
            mask_logits=masks[:, order],
            mask_quality=None,
            geometry=SHAPE,
        )


def film() -> list[Frame]:
    frames = []
    for number in range(NUM_FRAMES):
        image = np.zeros((*FRAME_HW, 3), dtype=np.uint8)
        image[0, 0] = number
        frames.append(Frame(frame_index=number, time_s=number / 10, image=image))
    return frames


def new_segmenter(network: WindowNetwork, *, fixed: bool = False) -> VideoSegmenter[EncodedWindow]:
    selection = ALL_PROPOSALS if fixed else BestProposals(score_floor=0.3, duplicate_overlap=0.7)
    tracker = AdjacentTracker(FIXED_SLOTS if fixed else AssociationRules())
    association = MatchingAssociation(tracker=tracker, selection=selection)
    return VideoSegmenter(network, association, token_mean=ScoreWeighted())


def engine() -> SimpleNamespace:
    def encode(segmenter: VideoSegmenter[EncodedWindow], images: list[np.ndarray]) -> list[EncodedWindow]:
        return list(segmenter.encode(torch.from_numpy(np.stack(images))))

    spec = SimpleNamespace(window=WINDOW)
    return SimpleNamespace(model=SimpleNamespace(spec=spec), encode=encode)


def run(segmenter: VideoSegmenter[EncodedWindow], frames: list[Frame], *, batch_size: int) -> list:
    batches = segment_frames(frames, engine=engine(), segmenter=segmenter, batch_size=batch_size)
    return [result for batch in batches for result in batch.results]


def assert_same(one: list, other: list) -> None:
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert first.frame_index == second.frame_index
        assert np.array_equal(first.track_ids, second.track_ids)
        assert np.array_equal(first.masks, second.masks)


def test_every_frame_of_a_window_has_a_result() -> None:
    segmenter = new_segmenter(WindowNetwork())
    results = run(segmenter, film(), batch_size=1)
    assert [result.frame_index for result in results] == list(range(NUM_FRAMES))
    assert [result.track_ids.tolist() for result in results] == [[1, 2]] * 4 + [[1]] + [[1, 2]] * 3
    tracks = segmenter.finish().tracks
    assert [track.num_frames for track in tracks] == [NUM_FRAMES, NUM_FRAMES - 1]
    assert segmenter.num_frames == NUM_FRAMES


@pytest.mark.parametrize(("batch_size", "lengths"), [(1, [3, 3, 2]), (3, [3, 3, 2]), (4, [6, 2]), (9, [8])])
def test_a_batch_is_whole_windows_and_its_size_changes_nothing(batch_size: int, lengths: list[int]) -> None:
    network = WindowNetwork()
    results = run(new_segmenter(network), film(), batch_size=batch_size)
    assert network.lengths == lengths
    assert_same(results, run(new_segmenter(WindowNetwork()), film(), batch_size=1))


@pytest.mark.parametrize("fixed", [False, True])
def test_a_state_at_the_end_of_a_window_continues_exactly(fixed: bool) -> None:
    whole = run(new_segmenter(WindowNetwork(), fixed=fixed), film(), batch_size=1)
    first, second = (new_segmenter(WindowNetwork(), fixed=fixed) for _ in range(2))
    results = run(first, film()[: 2 * WINDOW], batch_size=1)
    second.load_state_dict(first.state_dict())
    results += run(second, film()[2 * WINDOW :], batch_size=1)
    assert_same(results, whole)


def test_fixed_slots_keep_every_query_of_the_first_window() -> None:
    segmenter = new_segmenter(WindowNetwork(), fixed=True)
    windows = segmenter.encode(torch.from_numpy(np.stack([frame.image for frame in film()])))
    tokens = []
    for number, window in enumerate(windows):
        indices = range(number * WINDOW, number * WINDOW + window.num_frames)
        slots = segmenter.step(window, indices).slots
        assert slots.track_ids.tolist() == list(range(1, QUERIES + 1))
        tokens.append(slots.instance_tokens)
    assert all(torch.equal(one, tokens[0]) for one in tokens)  # permuted to fit, whatever the order
