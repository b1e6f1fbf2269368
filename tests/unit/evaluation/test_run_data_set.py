"""A model over a data set: results in the official form, resumable, refused where they are of another."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ovvis_cli.data.catalog import DATA_SETS, DataSetFiles, find_files
from ovvis_cli.data.index import load_index
from ovvis_cli.errors import AnnotationError, UsageError, VideoError
from ovvis_cli.evaluation import run
from ovvis_cli.evaluation.predictions import PredictionStore
from ovvis_cli.evaluation.run import RunOptions, RunOutcome, protocol_for, run_data_set
from ovvis_cli.evaluation.session import ScoringRequest, score_files
from ovvis_cli.labelling.class_query import ClassQuery
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.record.schema import VocabularyInfo
from ovvis_cli.vocabulary.names import Vocabulary
from tests.evaluation.building import annotation, box_masks, document, video_entry, write_data_set
from tests.evaluation.fake_engine import TOKEN_DIM, FakeEngine

NUM_VIDEOS, NUM_FRAMES = 3, 5


@pytest.fixture(autouse=True)
def _embeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Class k looks along axis k, so the fake engine's tracks 1 and 2 are a dog and a kite."""

    def query(model: object, vocabulary: Vocabulary, **options: object) -> ClassQuery:
        info = VocabularyInfo(
            names=vocabulary.names,
            category_ids=vocabulary.category_ids,
            distractors=False,
            score_threshold=0.0,
            max_tracks=None,
        )
        embeds = torch.eye(len(vocabulary), TOKEN_DIM)
        return ClassQuery(vocabulary=info, rows=ClassRows(embeds=embeds, logit_scale=20.0))

    monkeypatch.setattr(run, "make_query", query)


@pytest.fixture
def data_set(tmp_path: Path) -> DataSetFiles:
    return _files(tmp_path, ground_truth=True)


def _files(tmp_path: Path, *, ground_truth: bool) -> DataSetFiles:
    videos = [video_entry(number, num_frames=NUM_FRAMES) for number in range(1, NUM_VIDEOS + 1)]
    annotations = []
    for video in videos:
        for category_id, box in ((1, (2, 2, 8, 8)), (2, (20, 10, 6, 10))):
            masks = box_masks([box] * (NUM_FRAMES - 1) + [None])
            annotations.append(
                annotation(len(annotations) + 1, video_id=video["id"], category_id=category_id, masks=masks)
            )
    folder = write_data_set(tmp_path / "data", document(videos, annotations))
    if not ground_truth:
        (folder / "val" / "instances.json").write_text(json.dumps(document(videos, None)))
    return find_files(DATA_SETS["diorama"], folder, split="val")


def _run(
    files: DataSetFiles, output: Path, *, engine: FakeEngine | None = None, **options: Any
) -> RunOutcome:
    limit = options.pop("limit", None)
    wanted = {"batch_size": 2, "num_workers": 1, "overwrite": False, **options}
    index, chosen = load_index(files).first(limit), RunOptions(output=output, **wanted)
    protocol = protocol_for(files, index, engine=engine or FakeEngine(), options=chosen)
    return run_data_set(files, index, protocol=protocol, options=chosen)


def _scores(files: DataSetFiles, results: Path) -> dict[str, Any]:
    request = ScoringRequest(
        annotations=files.annotations, predictions=results, data_set="diorama", limit=None, lenient=False
    )
    return {name: dict(group) for name, group in score_files(request).sections[0].groups.items()}


def test_results_are_official_and_perfect_for_perfect_masks(data_set: DataSetFiles, tmp_path: Path) -> None:
    outcome = _run(data_set, tmp_path / "out")
    entries = json.loads(outcome.results.read_text())
    assert len(entries) == NUM_VIDEOS * 4  # two tracks, two classes
    first = entries[0]
    assert set(first) == {"video_id", "category_id", "score", "segmentations"}
    assert len(first["segmentations"]) == NUM_FRAMES
    assert first["segmentations"][-1] is None
    assert first["score"] == pytest.approx(0.8)
    groups = _scores(data_set, outcome.results)
    for name in ("all", "base", "novel"):
        assert groups[name]["AP"] == pytest.approx(1.0)
        assert groups[name]["AR10_class_agnostic"] == 1.0
        assert groups[name]["label_accuracy"] == 1.0
    assert (outcome.num_videos, outcome.num_frames) == (NUM_VIDEOS, NUM_VIDEOS * NUM_FRAMES)
    assert outcome.seconds_per_frame is not None and outcome.seconds_per_frame > 0
    assert outcome.others == ()


def test_scores_are_class_probability_times_object_score(data_set: DataSetFiles, tmp_path: Path) -> None:
    entries = json.loads(_run(data_set, tmp_path / "out").results.read_text())
    logits = np.array([20.0, 0.0])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    own = [entry["score"] for entry in entries if entry["video_id"] == 1]
    np.testing.assert_allclose(own, np.repeat(0.8 * probabilities, 2), rtol=1e-5)


def test_a_stopped_run_goes_on_and_gives_the_same(data_set: DataSetFiles, tmp_path: Path) -> None:
    whole = _run(data_set, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _run(data_set, tmp_path / "out", engine=FakeEngine(stop_after=2))
    assert not (tmp_path / "out" / "results.json").exists()
    rest = FakeEngine()
    resumed = _run(data_set, tmp_path / "out", engine=rest)
    assert rest.num_segmenters == 1
    assert resumed.results.read_bytes() == whole.results.read_bytes()
    assert _scores(data_set, resumed.results) == _scores(data_set, whole.results)


def test_a_video_half_written_is_run_again(data_set: DataSetFiles, tmp_path: Path) -> None:
    _run(data_set, tmp_path / "out")
    whole = (tmp_path / "out" / "results.json").read_bytes()
    videos = tmp_path / "out" / "videos"
    (videos / ".2.partial.json").write_text((videos / "2.json").read_text()[:100])
    (videos / "2.json").unlink()
    _run(data_set, tmp_path / "out")
    assert (tmp_path / "out" / "results.json").read_bytes() == whole


def test_results_of_something_else_are_not_taken_over(data_set: DataSetFiles, tmp_path: Path) -> None:
    _run(data_set, tmp_path / "out")
    other = FakeEngine(sha256="1" * 64)
    with pytest.raises(UsageError, match="holds results of another model"):
        _run(data_set, tmp_path / "out", engine=other)
    _run(data_set, tmp_path / "out", engine=other, overwrite=True)
    assert other.num_segmenters == NUM_VIDEOS


def test_limit_runs_the_first_videos_and_results_are_kept(data_set: DataSetFiles, tmp_path: Path) -> None:
    first = _run(data_set, tmp_path / "out", limit=1)
    assert {entry["video_id"] for entry in json.loads(first.results.read_text())} == {1}
    engine = FakeEngine()
    _run(data_set, tmp_path / "out", engine=engine)
    assert engine.num_segmenters == NUM_VIDEOS - 1


def test_batches_and_workers_do_not_change_results(data_set: DataSetFiles, tmp_path: Path) -> None:
    first = _run(data_set, tmp_path / "a", batch_size=1, num_workers=1)
    second = _run(data_set, tmp_path / "b", batch_size=64, num_workers=3)
    assert first.results.read_bytes() == second.results.read_bytes()


def test_only_the_best_pairs_of_a_video_are_kept(data_set: DataSetFiles, tmp_path: Path) -> None:
    few = replace(data_set, spec=replace(data_set.spec, max_entries=2))
    entries = json.loads(_run(few, tmp_path / "out").results.read_text())
    assert [entry["category_id"] for entry in entries] == [1, 2] * NUM_VIDEOS


def test_a_missing_frame_is_told_with_its_name(data_set: DataSetFiles, tmp_path: Path) -> None:
    (data_set.frames / "v2" / "00003.jpg").unlink()
    with pytest.raises(VideoError, match=r"cannot read the frame .*v2/00003.jpg"):
        _run(data_set, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "videos").iterdir()) == ["1.json"]


def test_a_damaged_result_is_told_with_its_name(data_set: DataSetFiles, tmp_path: Path) -> None:
    _run(data_set, tmp_path / "out")
    path = tmp_path / "out" / "videos" / "1.json"
    content = json.loads(path.read_text())
    del content["tracks"][0]["labels"]
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=r"1\.json: damaged"):
        _run(data_set, tmp_path / "out")


def test_private_ground_truth_gives_archives(tmp_path: Path) -> None:
    files = _files(tmp_path, ground_truth=False)
    outcome = _run(files, tmp_path / "out")
    names = ["submission.zip", "submission_base.zip", "submission_novel.zip"]
    assert [path.name for path in outcome.others] == names
    for path, wanted in zip(outcome.others, ({1, 2}, {1}, {2}), strict=True):
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == ["results.json"]
            entries = json.loads(archive.read("results.json"))
        assert {entry["category_id"] for entry in entries} == wanted


def test_the_store_keeps_what_it_was_given(data_set: DataSetFiles, tmp_path: Path) -> None:
    _run(data_set, tmp_path / "out")
    fingerprint = json.loads((tmp_path / "out" / "videos" / "1.json").read_text())["fingerprint"]
    store = PredictionStore(tmp_path / "out", fingerprint=fingerprint)
    loaded = store.load(1)
    store.save(loaded)
    assert store.load(1) == loaded
    assert [label for track in loaded.tracks for label in track.labels][0][0] == 1
