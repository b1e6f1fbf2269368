"""Analysing: the record is complete, a stop at any moment changes nothing in it, and errors come through."""

import logging
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from ovvis_cli.errors import RecordError, ResourceError, UsageError
from ovvis_cli.inference import background_writer
from ovvis_cli.inference.engine import Engine
from ovvis_cli.inference.job import AnalyseOptions, plan_job
from ovvis_cli.labelling.class_rows import ClassRows
from ovvis_cli.pipeline import analyse, analyse_frames
from ovvis_cli.record.reader import Record, instance_mask
from ovvis_cli.record.writer import RecordWriter
from ovvis_models.systems.spec import TrackerChoice
from tests import media

from .conftest import EMBED_DIM, FRAME_HW, NUM_FRAMES, write_images

FILES = ("record.json", "masks.jsonl", "tokens.safetensors")


def contents(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def whole(tiny_model, video, query, tmp_path_factory):
    """The record of a run that nobody stopped."""
    engine = Engine(
        model=tiny_model,
        device=torch.device("cpu"),
        precision="fp32",
        tracker=TrackerChoice(name="rollout"),
        classifier="instclip",
        rules="product",
    )
    job = plan_job(str(video), engine=engine, options=AnalyseOptions(batch_size=2))
    folder = tmp_path_factory.mktemp("whole") / "record"
    analyse(job, query=query, folder=folder)
    return folder


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("ovvis")]


def test_the_record_is_complete(whole, job, query):
    record = Record.open(whole)
    header = record.header
    frames = list(record.frames())
    assert [frame.frame_index for frame in frames] == list(range(NUM_FRAMES))
    assert header.fingerprint == job.fingerprint
    assert header.vocabulary == query.vocabulary
    assert header.source.num_frames == header.analysed.num_frames == NUM_FRAMES
    assert (header.source.height, header.source.width) == FRAME_HW
    assert header.source.damage is None

    seen = {}
    for frame in frames:
        for instance in frame.instances:
            seen.setdefault(instance.track_id, []).append(frame.frame_index)
            assert instance_mask(instance).shape == FRAME_HW
    assert len(seen) > 5  # the noise is no film of one object
    assert {track.track_id: track.num_frames for track in header.tracks} == {
        track_id: len(indices) for track_id, indices in seen.items()
    }
    for track in header.tracks:
        assert (track.first_frame, track.last_frame) == (seen[track.track_id][0], seen[track.track_id][-1])

    tokens = record.tokens()
    assert tokens.track_ids.tolist() == [track.track_id for track in header.tracks]
    assert tokens.tokens.shape == (len(header.tracks), EMBED_DIM)
    assert np.allclose(np.linalg.norm(tokens.tokens, axis=1), 1, atol=1e-5)


def test_tracks_that_no_asked_name_won_are_kept_without_a_label(job, query, whole, tmp_path):
    tokens = Record.open(whole).tokens()
    rows = [0, len(tokens.tokens) // 3, 2 * len(tokens.tokens) // 3, len(tokens.tokens) - 1]
    class_rows = ClassRows(embeds=torch.from_numpy(tokens.tokens[rows]), logit_scale=1e5)
    record = analyse(job, query=replace(query, rows=class_rows), folder=tmp_path / "r")
    labels = {track.track_id: track.label for track in record.header.tracks}
    assert [labels[int(tokens.track_ids[row])] for row in rows] == ["dog", "cat", None, None]
    assert all(track.runner_up for track in record.header.tracks if track.label is None)


def test_frames_are_told_in_order(job, query, tmp_path):
    told = []
    analyse(job, query=query, folder=tmp_path / "r", on_frame=told.append)
    assert [frame.num_analysed for frame in told] == list(range(1, NUM_FRAMES + 1))
    assert [frame.result.frame_index for frame in told] == list(range(NUM_FRAMES))
    assert all(frame.frame.image.shape == (*FRAME_HW, 3) for frame in told)
    assert not any(frame.labels for frame in told)


def test_live_frames_carry_provisional_labels(engine, video, query, tmp_path):
    job = plan_job(str(video), engine=engine, options=AnalyseOptions(batch_size=100, live=True))
    told = []
    analyse(job, query=query, folder=tmp_path / "r", on_frame=told.append)
    for frame in told:
        assert set(frame.result.track_ids.tolist()) <= frame.labels.keys()


def test_a_kill_at_any_moment_changes_nothing(job, query, whole, tmp_path, monkeypatch):
    """What a killed process leaves is the folder as it was at that moment: one copy a written line."""
    moments = []
    append, checkpoint = RecordWriter.append, RecordWriter.checkpoint

    def remember(writer):
        moments.append(tmp_path / f"moment{len(moments)}")
        shutil.copytree(writer.folder, moments[-1])

    def appending(writer, line):
        append(writer, line)
        remember(writer)

    def checkpointing(writer, state, next_frame, **fixed):
        checkpoint(writer, state, next_frame, **fixed)
        remember(writer)

    monkeypatch.setattr(RecordWriter, "append", appending)
    monkeypatch.setattr(RecordWriter, "checkpoint", checkpointing)
    analyse(job, query=query, folder=tmp_path / "r")
    monkeypatch.undo()

    expected = contents(whole)
    assert contents(tmp_path / "r") == expected
    assert len(moments) == NUM_FRAMES + 4
    for folder in moments:
        with (folder / "masks.jsonl").open("ab") as masks:
            masks.write(b'{"frame": 99, "ti')  # and a line that was half written
        analyse(job, query=query, folder=folder)
        assert contents(folder) == expected


def test_resuming_does_not_compute_finished_batches_again(job, query, whole, tmp_path, monkeypatch):
    frames = analyse_frames(job, query=query, folder=tmp_path / "r")
    for _ in range(4):
        next(frames)
    frames.close()

    told = []
    analyse(job, query=query, folder=tmp_path / "r", on_frame=told.append)
    assert [frame.num_analysed for frame in told] == list(range(5, NUM_FRAMES + 1))
    assert contents(tmp_path / "r") == contents(whole)


def test_an_error_of_the_networks_keeps_what_was_done(job, query, whole, tmp_path, monkeypatch):
    predict = Engine.encode
    calls = []

    def failing(engine, segmenter, images):
        calls.append(len(images))
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return predict(engine, segmenter, images)

    monkeypatch.setattr(Engine, "encode", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        analyse(job, query=query, folder=tmp_path / "r")
    calls.clear()
    monkeypatch.setattr(Engine, "encode", predict)
    told = []
    analyse(job, query=query, folder=tmp_path / "r", on_frame=told.append)
    assert told[0].num_analysed == 5
    assert contents(tmp_path / "r") == contents(whole)


@pytest.mark.parametrize("failing_line", [0, 3, NUM_FRAMES - 1])
def test_an_error_of_the_writing_thread_comes_through(job, query, whole, tmp_path, monkeypatch, failing_line):
    append = RecordWriter.append

    def full(writer, line):
        if line.frame_index == failing_line:
            raise ResourceError("no space left")
        append(writer, line)

    monkeypatch.setattr(RecordWriter, "append", full)
    with pytest.raises(ResourceError, match="no space left"):
        analyse(job, query=query, folder=tmp_path / "r")
    assert not (tmp_path / "r" / "record.json").exists()
    monkeypatch.undo()
    analyse(job, query=query, folder=tmp_path / "r")
    assert contents(tmp_path / "r") == contents(whole)


def test_writing_overlaps_with_computing(job, query, tmp_path, monkeypatch):
    """The first batch is not written before the second is computed: one after the other would never end."""
    computing = threading.Event()
    predict, encode = Engine.encode, background_writer.encode_frame

    def predicting(engine, segmenter, images):
        if predicting.called:
            computing.set()
        predicting.called = True
        return predict(engine, segmenter, images)

    def encoding(result, *, time_s, image):
        assert computing.wait(timeout=30)
        return encode(result, time_s=time_s, image=image)

    predicting.called = False
    monkeypatch.setattr(Engine, "encode", predicting)
    monkeypatch.setattr(background_writer, "encode_frame", encoding)
    analyse(job, query=query, folder=tmp_path / "r")


def test_a_finished_record_is_not_computed_again(job, query, whole, tmp_path, monkeypatch):
    shutil.copytree(whole, tmp_path / "r")
    monkeypatch.setattr(Engine, "encode", None)
    record = analyse(job, query=query, folder=tmp_path / "r")
    assert contents(tmp_path / "r") == contents(whole)
    assert record.header.fingerprint == job.fingerprint


def test_other_settings_need_overwrite(engine, video, query, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "r")
    other = plan_job(str(video), engine=engine, options=AnalyseOptions(batch_size=2, stride=3))
    with pytest.raises(RecordError, match="finished record"):
        analyse(other, query=query, folder=tmp_path / "r")
    record = analyse(other, query=query, folder=tmp_path / "r", overwrite=True)
    assert [frame.frame_index for frame in record.frames()] == [0, 3, 6]
    assert record.header.analysed.stride == 3


@pytest.mark.parametrize("options", [{"start_s": 0.1}, {"end_s": 0.1}, {"stride": 2}])
def test_parts_of_a_video(engine, video, query, tmp_path, options):
    job = plan_job(str(video), engine=engine, options=AnalyseOptions(batch_size=2, **options))
    record = analyse(job, query=query, folder=tmp_path / "r")
    indices = [frame.frame_index for frame in record.frames()]
    expected = {"start_s": [3, 4, 5, 6], "end_s": [0, 1, 2], "stride": [0, 2, 4, 6]}  # 25 images a second
    assert indices == expected[next(iter(options))]
    assert job.num_frames_estimate in {len(indices), len(indices) + 1}
    assert record.header.source.num_frames == NUM_FRAMES


def test_a_range_without_frames(engine, video, query, tmp_path):
    job = plan_job(str(video), engine=engine, options=AnalyseOptions(start_s=100.0))
    with pytest.raises(UsageError, match="no frame"):
        analyse(job, query=query, folder=tmp_path / "r")


def test_one_frame(engine, query, tmp_path):
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", [(9, 7)])
    job = plan_job(str(tmp_path / "images"), engine=engine)
    record = analyse(job, query=query, folder=tmp_path / "r")
    assert len(list(record.frames())) == 1


def test_frames_of_a_video_that_change_size_are_resized_and_told_once(engine, query, tmp_path, caplog):
    parts = [
        media.write_video(tmp_path / f"{hw[0]}.ts", media.numbered_images(3, hw))
        for hw in [(40, 56), (80, 60)]
    ]
    (tmp_path / "clip.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    job = plan_job(str(tmp_path / "clip.ts"), engine=engine, options=AnalyseOptions(batch_size=3))
    with caplog.at_level(logging.WARNING):
        record = analyse(job, query=query, folder=tmp_path / "r")
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert warnings == ["clip.ts: frames of 60x80 from 0.10 s on are resized to the first size, 56x40"]
    sizes = {instance.rle.size_hw for frame in record.frames() for instance in frame.instances}
    assert sizes == {(40, 56)}


def test_images_keep_their_names_and_sizes(engine, query, tmp_path):
    (tmp_path / "images").mkdir()
    sizes = [(40, 56)] * 2 + [(80, 60)] * 4 + [(20, 28), (40, 56)]
    write_images(tmp_path / "images", sizes)
    job = plan_job(str(tmp_path / "images"), engine=engine, options=AnalyseOptions(batch_size=3))
    frames = list(analyse(job, query=query, folder=tmp_path / "r").frames())
    assert [frame.image.name for frame in frames] == [f"{index:03}.png" for index in range(8)]
    assert [frame.image.size_hw for frame in frames] == sizes
    assert all(
        instance.rle.size_hw == hw
        for frame, hw in zip(frames, sizes, strict=True)
        for instance in frame.instances
    )
    assert len({instance.rle.size_hw for frame in frames for instance in frame.instances}) == 3


def test_a_stop_among_images_of_several_sizes_changes_nothing(engine, query, tmp_path):
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", [(40, 56)] * 2 + [(80, 60)] * 4 + [(20, 28)])
    job = plan_job(str(tmp_path / "images"), engine=engine, options=AnalyseOptions(batch_size=3))
    analyse(job, query=query, folder=tmp_path / "whole")
    for num_frames in range(1, 7):
        frames = analyse_frames(job, query=query, folder=tmp_path / f"r{num_frames}")
        for _ in range(num_frames):
            next(frames)
        frames.close()
        analyse(job, query=query, folder=tmp_path / f"r{num_frames}")
        assert contents(tmp_path / f"r{num_frames}") == contents(tmp_path / "whole")


def test_damage_is_reported_by_a_resumed_run_too(engine, query, tmp_path):
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", [FRAME_HW] * 5)
    (tmp_path / "images" / "001.png").write_bytes(b"no image")
    job = plan_job(str(tmp_path / "images"), engine=engine, options=AnalyseOptions(batch_size=1))
    whole = analyse(job, query=query, folder=tmp_path / "whole")
    assert [frame.frame_index for frame in whole.frames()] == [0, 2, 3, 4]
    assert whole.header.source.damage == "4 of 5 images read, damaged: 001.png"
    assert whole.header.source.damaged_images == ("001.png",)

    frames = analyse_frames(job, query=query, folder=tmp_path / "r")
    for _ in range(3):
        next(frames)
    frames.close()
    analyse(job, query=query, folder=tmp_path / "r")
    assert contents(tmp_path / "r") == contents(tmp_path / "whole")


def test_fingerprints_tell_runs_apart(engine, video, job):
    def of(changed_engine=engine, **options):
        plan = plan_job(
            str(video), engine=changed_engine, options=AnalyseOptions(**{"batch_size": 2} | options)
        )
        return plan.fingerprint

    spec = engine.model.spec
    association = replace(spec.association, duplicate_overlap=0.5)
    other_numbers = replace(engine.model, spec=replace(spec, association=association))
    prints = [
        job.fingerprint,
        of(start_s=0.04),
        of(end_s=0.2),
        of(stride=2),
        of(batch_size=3),
        of(replace(engine, tracker=TrackerChoice(name="adjacent"))),
        of(replace(engine, precision="bf16")),
        of(replace(engine, model=replace(engine.model, weights_sha256="cd" * 32))),
        of(replace(engine, model=other_numbers)),
    ]
    assert len(set(prints)) == len(prints)
    assert of() == job.fingerprint


def test_streams_are_never_the_same_twice(job):
    stream = replace(job, session=1)
    assert stream.fingerprint != job.fingerprint
    assert stream.fingerprint != replace(job, session=2).fingerprint


def test_batch_size_must_be_positive():
    with pytest.raises(UsageError, match="--batch-size 0"):
        AnalyseOptions(batch_size=0)
