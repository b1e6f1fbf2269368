"""BURST in its own format and in that of the papers; what the fixtures do not reach."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovvis_cli.data.burst import BurstFile, parse_burst, parse_burst_results
from ovvis_cli.data.burst_conversion import to_burst_results, to_ground_truth, to_predictions
from ovvis_cli.data.ground_truth import read_ground_truth
from ovvis_cli.data.results import parse_results
from ovvis_cli.errors import AnnotationError
from ovvis_cli.evaluation.burst.evaluator import evaluate_burst, evaluate_open_world
from ovvis_cli.evaluation.burst.scoring import score_burst
from ovvis_cli.evaluation.submission import write_burst_results
from tests.evaluation.building import FRAME_HW, Box, box_masks, prediction, rles

FIXTURE = Path(__file__).parents[2] / "evaluation" / "fixtures" / "burst"
PATH = Path("burst.json")
BIRD, DUMPSTER = 99, 375  # a common and an uncommon category
LEFT, RIGHT = (2, 4, 8, 10), (20, 4, 8, 10)


def _document(tracks: dict[str, tuple[int, list[Box]]], *, score: float | None = None) -> dict[str, Any]:
    num_frames = len(next(iter(tracks.values()))[1])
    frames: list[dict[str, Any]] = [{} for _ in range(num_frames)]
    for track, (_, boxes) in tracks.items():
        for frame, rle in zip(frames, rles(box_masks(boxes)), strict=True):
            if rle is not None:
                frame[track] = {"rle": rle["counts"]} | ({} if score is None else {"score": score})
    height, width = FRAME_HW
    sequence = {
        "id": 7,
        "dataset": "HACS",
        "seq_name": "s1",
        "height": height,
        "width": width,
        "annotated_image_paths": [f"{number}.jpg" for number in range(num_frames)],
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
        "track_category_ids": {track: category_id for track, (category_id, _) in tracks.items()},
        "segmentations": frames,
    }
    categories = [{"id": BIRD, "name": "bird", "frequency": "f"}, {"id": DUMPSTER, "name": "dumpster"}]
    return {"split": "val", "categories": categories, "sequences": [sequence]}


def _truth(tracks: dict[str, tuple[int, list[Box]]]) -> BurstFile:
    return parse_burst(_document(tracks), path=PATH)


def _results(truth: BurstFile, tracks: dict[str, tuple[int, list[Box]]], **options: Any) -> BurstFile:
    return parse_burst_results(_document(tracks, **options), path=PATH, ground_truth=truth)


def test_our_conversion_is_that_of_the_papers() -> None:
    ours = to_ground_truth(parse_burst(json.loads((FIXTURE / "ground_truth.json").read_text()), path=PATH))
    theirs = read_ground_truth(FIXTURE / "ground_truth_ytvis_style.json")
    assert {number: video.frame_hw for number, video in ours.videos.items()} == {
        number: video.frame_hw for number, video in theirs.videos.items()
    }
    assert dict(ours.categories) == dict(theirs.categories)
    assert len(ours.tracks) == len(theirs.tracks) == 33
    for own, other in zip(ours.tracks, theirs.tracks, strict=True):
        assert (own.annotation_id, own.video_id, own.category_id) == (
            other.annotation_id,
            other.video_id,
            other.category_id,
        )
        np.testing.assert_array_equal(own.masks.starts, other.masks.starts)


def test_file_names_of_converted_videos_are_those_of_the_papers() -> None:
    ours = to_ground_truth(parse_burst(json.loads((FIXTURE / "ground_truth.json").read_text()), path=PATH))
    theirs = read_ground_truth(FIXTURE / "ground_truth_ytvis_style.json")
    assert [video.file_names for video in ours.videos.values()] == [
        video.file_names for video in theirs.videos.values()
    ]


def test_results_go_to_the_papers_form_and_back() -> None:
    truth = _truth({"1": (BIRD, [LEFT, LEFT]), "2": (DUMPSTER, [RIGHT, None])})
    results = _results(truth, {"4": (DUMPSTER, [RIGHT, None]), "9": (BIRD, [LEFT, LEFT])}, score=0.25)
    predictions = to_predictions(results, ground_truth=truth)
    assert {(track.video_id, track.category_id, track.score) for track in predictions} == {
        (7, 2, 0.25),
        (7, 1, 0.25),
    }
    again = to_burst_results(predictions, ground_truth=truth)
    tracks = again.sequences["HACS/s1"].tracks
    assert sorted(track.category_id for track in tracks) == [BIRD, DUMPSTER]
    assert sorted(track.is_listed.tolist() for track in tracks) == [[True, False], [True, True]]
    first, second = (evaluate_burst(truth, own) for own in (results, again))
    assert [part.hota.hota.tolist() for part in first] == [part.hota.hota.tolist() for part in second]


def test_written_results_are_read_again_and_score_the_same(tmp_path: Path) -> None:
    truth = _truth({"1": (BIRD, [LEFT, LEFT]), "2": (DUMPSTER, [RIGHT, None])})
    entries = [
        prediction(video_id=7, category_id=1, score=0.9, masks=box_masks([LEFT, LEFT])),
        prediction(video_id=7, category_id=2, score=0.4, masks=box_masks([RIGHT, None])),
    ]
    path = write_burst_results(tmp_path / "burst_results.json", [entries], ground_truth=truth)
    read = parse_burst_results(json.loads(path.read_text()), path=path, ground_truth=truth)
    converted = parse_results(entries, path=PATH, videos=to_ground_truth(truth).videos)
    direct = to_burst_results(converted, ground_truth=truth)
    for own, other in zip(score_burst(truth, read), score_burst(truth, direct), strict=True):
        assert own == other
    assert score_burst(truth, read)[0].groups["all"]["HOTA"] == pytest.approx(1.0)


def test_perfect_results_and_none_at_all() -> None:
    tracks = {"1": (BIRD, [LEFT, LEFT]), "2": (DUMPSTER, [RIGHT, None])}
    truth = _truth(tracks)
    official, masks, open_world = score_burst(truth, _results(truth, tracks))
    for section, figure in ((official, "AP"), (official, "HOTA"), (masks, "HOTA"), (open_world, "OWTA")):
        for group in section.groups.values():
            assert group[figure] == pytest.approx(1.0)
    nothing = BurstFile(split="val", sequences={}, categories=())
    official, _, open_world = score_burst(truth, nothing)
    assert official.groups["all"]["HOTA"] == official.groups["all"]["AP"] == 0.0
    assert open_world.groups["common"]["DetRe"] == 0.0


def test_a_split_without_classes_has_no_figures() -> None:
    tracks = {"1": (BIRD, [LEFT, LEFT])}
    truth = _truth(tracks)
    official, _, open_world = score_burst(truth, _results(truth, tracks))
    assert official.groups["uncommon"]["HOTA"] is None
    assert open_world.groups["uncommon"]["OWTA"] is None


def test_open_world_does_not_look_at_labels() -> None:
    truth = _truth({"1": (BIRD, [LEFT, LEFT])})
    results = _results(truth, {"1": (DUMPSTER, [LEFT, LEFT])})
    assert evaluate_burst(truth, results)[0].hota.hota.mean() == 0.0
    assert evaluate_open_world(truth, results, subset="all").open_world.mean() == pytest.approx(1.0)


def test_at_most_300_detections_of_a_frame_count_the_best() -> None:
    truth = _truth({"1": (BIRD, [LEFT, LEFT])})
    crowd: dict[str, tuple[int, list[Box]]] = {str(number): (BIRD, [RIGHT, None]) for number in range(2, 302)}
    document = _document({"1": (BIRD, [LEFT, LEFT]), **crowd}, score=0.9)
    for frame in document["sequences"][0]["segmentations"]:
        frame["1"]["score"] = 0.1
    results = parse_burst_results(document, path=PATH, ground_truth=truth)
    (bird,) = evaluate_burst(truth, results)
    assert bird.counts.num_predicted == 301  # 300 in the first frame, of which "1" is not one, and the last
    assert bird.hota.true_positives[0] == 1.0


def test_malformed_annotations_are_told() -> None:
    content = _document({"1": (BIRD, [LEFT, LEFT])})
    content["sequences"].append(content["sequences"][0])
    with pytest.raises(AnnotationError, match="sequence HACS/s1: the sequence occurs twice"):
        parse_burst(content, path=PATH)
    content = _document({"1": (BIRD, [LEFT, LEFT])})
    content["sequences"][0]["segmentations"][1]["1"]["rle"] = "0"
    with pytest.raises(AnnotationError, match="sequence HACS/s1, track 1, frame 1: runs add up to"):
        parse_burst(content, path=PATH)
    content["sequences"][0]["height"] = 0
    with pytest.raises(AnnotationError, match="are not a valid frame size"):
        parse_burst(content, path=PATH)


def test_results_of_another_size_are_refused() -> None:
    truth = _truth({"1": (BIRD, [LEFT, LEFT])})
    content = _document({"1": (BIRD, [LEFT, LEFT])})
    content["sequences"][0]["height"] += 1
    with pytest.raises(AnnotationError, match="height and width"):
        parse_burst_results(content, path=PATH, ground_truth=truth)


def _crowded(order_of_frames: list[list[int]]) -> BurstFile:
    """Results of one detection above the limit of a frame, all with one score, in a given order each."""
    boxes = {str(track): (BIRD, [LEFT] * len(order_of_frames)) for track in range(1, 302)}
    written = _document(boxes, score=0.5)
    sequence = written["sequences"][0]
    sequence["segmentations"] = [
        {str(track): frame[str(track)] for track in order}
        for frame, order in zip(sequence["segmentations"], order_of_frames, strict=True)
    ]
    truth = _truth({"1": (BIRD, [LEFT] * len(order_of_frames))})
    return parse_burst_results(written, path=PATH, ground_truth=truth)


def test_at_the_limit_of_detections_the_order_of_each_frame_decides_between_equal_scores() -> None:
    ids = list(range(1, 302))
    shuffled = [*ids[1:200], ids[0], *ids[200:]]
    truth = _truth({"1": (BIRD, [LEFT] * 3)})
    (found,) = evaluate_burst(truth, _crowded([ids, ids[::-1], shuffled]))
    # frames keep 1-300, 301-2, and all but 301: so every track is somewhere, and 301 in one frame only
    assert found.counts.num_predicted == 900
    assert found.counts.num_predicted_ids == 301
    (same,) = evaluate_burst(truth, _crowded([ids, ids, ids]))
    assert same.counts.num_predicted_ids == 300


def test_of_equally_good_matches_the_first_of_the_frame_counts() -> None:
    truth = _truth({"1": (BIRD, [LEFT] * 2)})
    boxes: dict[str, tuple[int, list[Box]]] = {"4": (BIRD, [LEFT] * 2), "5": (BIRD, [LEFT] * 2)}
    hotas = []
    for second in (["4", "5"], ["5", "4"]):
        written = _document(boxes, score=0.5)
        frames = written["sequences"][0]["segmentations"]
        frames[1] = {track: frames[1][track] for track in second}
        results = parse_burst_results(written, path=PATH, ground_truth=truth)
        (found,) = evaluate_burst(truth, results)
        hotas.append(float(found.hota.association.mean()))
    # 2 of 2 frames by one track; or one frame by each of two: 1 / (2 + 2 - 1)
    assert hotas == pytest.approx([1.0, 1 / 3])
