import numpy as np
import pytest

import ovvis_cli
from ovvis_cli import api, segment
from ovvis_cli.errors import UsageError, VideoError, VocabularyError
from ovvis_cli.inference.engine import Engine

from .conftest import FRAME_HW, NUM_FRAMES, write_images


@pytest.fixture(autouse=True)
def _small_engine(monkeypatch, engine):
    monkeypatch.setattr(api, "start_engine", lambda *_, **__: engine)
    monkeypatch.setattr(api, "default_model", lambda: "instformer-tiny")


def run(video, tmp_path, **options):
    return segment(
        video, **{"classes": ["dog", "cat"], "output": tmp_path / "out", "distractors": False} | options
    )


def as_values(frames):
    return [
        (f.frame_index, f.time_s, f.track_ids.tolist(), f.scores.round(3).tolist(), f.masks.tobytes())
        for f in frames
    ]


def test_importing_the_package_does_not_import_torch():
    import subprocess
    import sys

    code = "import sys, ovvis_cli; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=False, cwd=ovvis_cli.__path__[0] + "/.."
        ).returncode
        == 0
    )


def test_frames_and_result(video, tmp_path):
    segmentation = run(video, tmp_path)
    frames = list(segmentation)
    assert [frame.frame_index for frame in frames] == list(range(NUM_FRAMES))
    assert all(frame.masks.shape == (len(frame.track_ids), *FRAME_HW) for frame in frames)
    assert all(frame.masks.dtype == np.bool_ and frame.scores.dtype == np.float32 for frame in frames)
    record = segmentation.result()
    assert record.folder == tmp_path / "out" / video.name
    assert {track.track_id for track in record.header.tracks} == {
        i for f in frames for i in f.track_ids.tolist()
    }


def test_the_result_alone(video, tmp_path):
    assert run(video, tmp_path, classes="dog, cat").result().header.vocabulary.names == ("dog", "cat")


def test_a_finished_video_is_iterated_from_its_record(video, tmp_path, monkeypatch):
    first = as_values(run(video, tmp_path))
    monkeypatch.setattr(Engine, "encode", None)
    assert as_values(run(video, tmp_path)) == first


def test_a_stopped_video_is_iterated_from_its_beginning(video, tmp_path):
    expected = as_values(run(video, tmp_path / "whole"))
    stopped = run(video, tmp_path, batch_size=2)
    whole = as_values(run(video, tmp_path / "whole2", batch_size=2))
    for _, _ in zip(range(3), stopped, strict=False):
        pass
    stopped.close()
    assert as_values(run(video, tmp_path, batch_size=2)) == whole
    assert [frame[0] for frame in expected] == [frame[0] for frame in whole]


def test_words_that_the_model_never_read_are_logged(video, tmp_path, caplog):
    run(video, tmp_path, classes="dogs, zeppelin").close()
    messages = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    (warning,) = [message for message in messages if "frame rate" not in message]
    assert warning.endswith("never read these words in training, their labels are unreliable: zeppelin")


def test_leaving_the_loop_and_going_on(video, tmp_path):
    segmentation = run(video, tmp_path)
    assert next(iter(segmentation)).frame_index == 0
    assert [frame.frame_index for frame in segmentation] == list(range(1, NUM_FRAMES))
    assert segmentation.result().header.analysed.num_frames == NUM_FRAMES


def test_other_names_relabel(video, tmp_path, monkeypatch):
    before = run(video, tmp_path).result()
    monkeypatch.setattr(Engine, "encode", None)
    after = run(video, tmp_path, classes=["key"]).result()
    assert after.header.vocabulary.names == ("key",)
    assert {track.label for track in after.header.tracks} <= {"key", None}
    assert [t.track_id for t in after.header.tracks] == [t.track_id for t in before.header.tracks]


def test_exports_are_made(video, tmp_path):
    record = run(video, tmp_path, save=["ytvis"]).result()
    assert (record.folder / "ytvis.json").is_file()
    assert record.header.saved == ("ytvis",)


def test_a_closed_segmentation_has_no_result(video, tmp_path):
    segmentation = run(video, tmp_path)
    next(iter(segmentation))
    segmentation.close()
    with pytest.raises(RuntimeError, match="closed or failed"):
        segmentation.result()


def test_impossible_calls(video, tmp_path):
    with pytest.raises(UsageError, match="no class names"):
        run(video, tmp_path, classes=None)
    with pytest.raises(UsageError, match="more than once"):
        run(video, tmp_path, vocabulary="coco")
    with pytest.raises(VocabularyError):
        run(video, tmp_path, classes=["dog", "dog"])
    with pytest.raises(VideoError):
        run(tmp_path / "none.mp4", tmp_path)


def test_two_videos_at_once_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "named_sources", lambda _, output: [None, None])
    with pytest.raises(UsageError, match="2 videos"):
        run(tmp_path, tmp_path)


def test_images_of_odd_sizes(tmp_path):
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", [(1, 1)])
    frames = list(run(tmp_path / "images", tmp_path))
    assert frames[0].masks.shape[1:] == (1, 1)
