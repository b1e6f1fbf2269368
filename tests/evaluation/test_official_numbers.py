"""Every number of the official evaluators, and every word about broken files."""

import json
from pathlib import Path

import numpy as np
import pytest

from ovvis_cli.data.burst_conversion import to_ground_truth
from ovvis_cli.data.results import read_results
from ovvis_cli.evaluation.burst.evaluator import evaluate_burst
from ovvis_cli.evaluation.rules import RULES, RulesName
from ovvis_cli.evaluation.ytvis import evaluate_tracks
from tests.evaluation.broken import BrokenFile, broken_files, outcome_of
from tests.evaluation.cases import cases_of
from tests.evaluation.comparison import compare
from tests.evaluation.figures import match_details, read_pair
from tests.evaluation.figures_burst import read_burst_pair, sequence_details

pytestmark = pytest.mark.parity

FIXTURES = Path(__file__).with_name("fixtures")
_NUM_NUMBERS = {  # so that none is left out unseen
    "ytvis2019": 327,
    "ytvis2021": 326,
    "ovis": 378,
    "lvvis": 417,
    "uvo": 116,
    "burst": 3797,
    "quirks": 1368,
    "quirks_burst": 540,
    "fuzz": 1158,
}

# what the message must hold, from "a_user_should_be_told"
_TOLD = {
    "p01_truncated": ["p01_truncated.json", "not valid JSON", "line 1 column 558", "interrupted"],
    "p02_empty_file": ["the file is empty"],
    "p03_not_json": ["p03_not_json.json", "not valid JSON", "line 1 column 1"],
    "p05_object_instead_of_list": ["results must be a list", "an object", '"results"'],
    "p07_list_of_numbers": ["entry 0 is a number", "an object was expected"],
    "p08_missing_video_id": ["entry 1: key video_id is missing"],
    "p09_missing_category_id": ["entry 1: key category_id is missing"],
    "p10_missing_score": ["entry 2: key score is missing"],
    "p11_missing_segmentations_first": ["entry 0: key segmentations is missing"],
    "p12_missing_segmentations_later": ["entry 3: key segmentations is missing"],
    "p13_unknown_video": ["entry 2: video_id 999 is not in the annotation file (known: 3, 8)"],
    "p14_video_id_is_text": ["entry 0: video_id must be an integer"],
    "p15_unknown_category": ["entry 1", "41"],
    "p16_category_zero_based": ["category_id 0", "0-based"],
    "p17_category_is_text": ["entry 0: category_id must be an integer"],
    "p18_score_nan": ["entry 0: score is not a finite number"],
    "p19_score_infinite": ["entry 0: score is not a finite number"],
    "p20_score_null": ["entry 0: score must be a number"],
    "p21_score_is_text": ["entry 0: score must be a number"],
    "p23_segmentations_is_object": ["entry 0: segmentations must be a list with one item per frame"],
    "p24_too_few_segmentations": ["entry 0: 2 segmentations, video 3 has 3 frames"],
    "p25_too_many_segmentations": ["entry 0: 4 segmentations, video 3 has 3 frames"],
    "p26_rle_of_wrong_size": ["entry 0, frame 0: mask size [12, 16] but video 3 is [24, 32]"],
    "p27_rle_size_swapped": ["entry 0, frame 0: mask size [32, 24] but video 3 is [24, 32] (height first)"],
    "p28_counts_not_decodable": ["entry 0, frame 1: counts cannot be decoded"],
    "p29_counts_too_short": ["entry 0, frame 1: runs add up to", "less than 768 pixels"],
    "p30_counts_too_long": ["entry 0, frame 0: runs add up to 4096, more than 768 pixels"],
    "p31_counts_is_bytes_repr": ["entry 0, frame 0: counts cannot be decoded", "starts with b'", "str()"],
    "p32_counts_missing": ["entry 0, frame 0: counts is missing"],
    "p33_size_missing": ["entry 0, frame 0: size is missing"],
    "p39_segmentations_empty_list": ["entry 0: 0 segmentations, video 3 has 3 frames"],
    "p40_negative_run": ["entry 0, frame 0: negative run length"],
    "g01_truncated": ["g01_truncated.json", "not valid JSON", "line 1 column 701"],
    "g02_list_instead_of_object": ["must be an object with videos, categories, annotations"],
    "g03_annotations_null": ["no public ground truth", "submit them to the server"],
    "g04_annotations_missing": ["no public ground truth", "submit them to the server"],
    "g05_videos_missing": ["key videos is missing"],
    "g06_categories_missing": ["key categories is missing"],
    "g07_duplicate_annotation_ids": ["annotation id 11 occurs twice"],
    "g08_duplicate_video_ids": ["video id 3 occurs twice"],
    "g09_annotation_of_unknown_video": ["annotation 15: video_id 77 is not in videos"],
    "g10_annotation_of_unknown_category": ["annotation 12: category_id 99 is not in categories"],
    "g11_missing_areas": ["annotation 11: key areas is missing: computed from the masks"],
    "g12_missing_iscrowd": ["annotation 11: key iscrowd is missing: taken as 0"],
    "g13_too_few_segmentations": ["annotation 11: 2 segmentations, video 3 has 3 frames"],
    "g14_rle_of_wrong_size": ["annotation 11, frame 0: mask size [32, 24] but video 3 is [24, 32]"],
    "g15_polygon_of_two_points": ["annotation 11, frame 0: a polygon needs at least 3 points"],
    "g16_polygon_of_odd_length": ["annotation 11, frame 0", "odd number of coordinates"],
    "g17_annotation_id_zero": ["annotation 0", "count a correct prediction as wrong"],
    "g18_length_disagrees_with_file_names": ["video 3: length 7 but 3 file_names"],
    "b01_lengths_disagree": ["sequence HACS/s1: 2 segmentations but 3 annotated_image_paths"],
    "b02_track_without_category": ["sequence HACS/s1: track 2 has no category"],
    "b03_wrong_split": ["split test does not match val"],
    "b04_rle_null": ["sequence HACS/s1, frame 0, track 1: rle is null; leave the entry out"],
    "b05_track_id_not_a_number": ["sequence HACS/s1: track id x is not an integer"],
    "b06_no_sequences": ["key sequences is missing"],
    "b07_unknown_sequence": ["HACS/nowhere"],
}


@pytest.mark.parametrize("folder", _NUM_NUMBERS)
def test_every_number_of_the_official_evaluators(folder: str) -> None:
    cases = list(cases_of(FIXTURES / folder))
    numbers = [number for case in cases for number in case.numbers]
    wrong = [f"{case.name} {number}" for case in cases for number in case.numbers if not number.agrees]
    assert not wrong, "\n".join(wrong[:20])
    assert len(numbers) == _NUM_NUMBERS[folder]


@pytest.mark.parametrize("broken", broken_files(FIXTURES / "malformed"), ids=lambda broken: broken.name)
@pytest.mark.timeout(20)
def test_broken_files_get_verdict_message_and_numbers(broken: BrokenFile) -> None:
    outcome = outcome_of(broken)
    told = " | ".join((outcome.error, *outcome.warnings))
    assert outcome.fits(broken.expected), told
    assert "\n" not in told
    missing = [part for part in _TOLD.get(broken.name, []) if part not in told]
    assert not missing, told
    if broken.expected == "error":
        assert broken.name in _TOLD
    wrong = [number for number in compare(broken.metrics, outcome.metrics) if not number.agrees]
    assert not wrong


def test_the_index_of_broken_files_is_whole() -> None:
    assert len(broken_files(FIXTURES / "malformed")) == 65


@pytest.mark.parametrize(
    ("folder", "key", "rules"),
    [
        ("ytvis2019", "ytvos", "ytvis"),
        ("ytvis2021", "ytvos", "ytvis"),
        ("ovis", "ovis", "ovis"),
        ("lvvis", "lvvis", "lvvis"),
        ("uvo", "uvo", "uvo"),
        ("burst", "papers_ap", "burst-papers"),
    ],
)
def test_every_overlap_and_match(folder: str, key: str, rules: RulesName) -> None:
    expected = json.loads((FIXTURES / folder / "details.json").read_text())[key]
    if folder == "burst":
        path = FIXTURES / folder
        truth = to_ground_truth(read_burst_pair(path)[0])
        predictions = read_results(path / "predictions.json", videos=truth.videos)
    else:
        truth, predictions = read_pair(FIXTURES / folder)
    ours = match_details(evaluate_tracks(truth, predictions, rules=RULES[rules]))
    found = {(entry["video_id"], entry["category_id"]): entry for entry in ours}
    with_objects = [entry for entry in expected if entry["gt_id_file_order"]]
    assert len(with_objects) == len(found) > 5
    for entry in with_objects:
        own = found[entry["video_id"], entry["category_id"]]
        for name, value in entry.items():
            if np.size(value) or np.size(own[name]):
                np.testing.assert_allclose(own[name], value, rtol=0, atol=1e-12, err_msg=name)


def test_hota_of_every_sequence() -> None:
    expected = json.loads((FIXTURES / "burst" / "details.json").read_text())["official_per_sequence"]
    truth, results = read_burst_pair(FIXTURES / "burst")
    ours = sequence_details(truth, evaluate_burst(truth, results))
    num_compared = 0
    for sequence, classes in expected.items():
        for name, figures in classes.items():
            for figure, value in figures.items():
                if figure != "Count":
                    assert ours[sequence][name][figure] == pytest.approx(value, abs=1e-9), (sequence, name)
                    num_compared += 1
    assert num_compared > 100
