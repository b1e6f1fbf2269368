"""The report of a video as a file: what it holds, and that it needs nothing else."""

import base64
import json
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.export import ensure_exports
from ovvis_cli.exporters.report.best_frames import best_frames
from ovvis_cli.exporters.report.index_page import update_index, write_index
from ovvis_cli.exporters.report.outlines import outline
from ovvis_cli.exporters.report.page import embedded_json, read_summary
from ovvis_cli.exporters.report.video_report import export_report
from ovvis_cli.video.reader import read_frames
from tests.media import VideoSpec, write_video
from tests.pages import drawn, frames_of
from tests.records import BOARD, DOG, FRAME_HW, NUM_FRAMES, UNKNOWN, masks_of, write_record


def make_video(path, *, num_frames=NUM_FRAMES, hw=FRAME_HW, **spec):
    return write_video(path, [np.full((*hw, 3), 90, np.uint8)] * num_frames, VideoSpec(**spec))


@pytest.fixture
def record(tmp_path):
    return write_record(tmp_path / "results" / "clip", source=make_video(tmp_path / "clip.mp4"))


def video_of(page, folder):
    """The video in a page, as a file."""
    pieces = re.findall(r'class="video">([^<]*)</script>', page.read_text())
    path = folder / "of_the_page.mp4"
    path.write_bytes(b"".join(base64.b64decode(piece) for piece in pieces))
    return path


def test_summary_tells_what_the_record_knows(record, tmp_path):
    done = []
    page = export_report(record, tmp_path / "report.html", progress=done.append)
    summary = read_summary(page)
    tracks = {track["id"]: track for track in summary["tracks"]}
    assert list(tracks) == [DOG, BOARD]  # best first, only labelled ones
    assert (tracks[DOG]["label"], tracks[DOG]["score"], tracks[DOG]["numFrames"]) == (
        "dog",
        0.7654,
        NUM_FRAMES,
    )
    assert tracks[DOG]["runnerUp"] == [{"name": "cat", "score": 0.1235}]
    assert (summary["model"], summary["names"]) == ("instformer-tiny", ["cat", "dog", "skateboard"])
    assert summary["notFound"] == [{"name": "cat", "score": 0.1235}]
    assert (summary["numUnnamed"], summary["settings"]["precision"]) == (1, "fp32")
    assert summary["end"] == pytest.approx(NUM_FRAMES / 30, abs=1e-3)
    assert done == list(range(1, NUM_FRAMES + 1))


def test_page_needs_no_other_file(record, tmp_path):
    text = export_report(record, tmp_path / "report.html").read_text()
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == []
    assert re.findall(r"https?://[^\s\"']+", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "default-src 'none'" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "report.html", "results"]


def test_outlines_are_those_of_the_masks(record, tmp_path):
    frames = frames_of(export_report(record, tmp_path / "report.html"))
    assert [time for time, _ in frames] == pytest.approx(
        [index / 30 for index in range(NUM_FRAMES)], abs=1e-4
    )
    assert [len(instances) for _, instances in frames] == [1 + index % 2 for index in range(NUM_FRAMES)]
    for index, (_, instances) in enumerate(frames):
        for track_id, _, x, y, path in instances:
            mask, found = masks_of(index)[track_id], drawn(path)
            assert (mask & found).sum() / (mask | found).sum() >= 0.9
            assert (x, y) == (np.flatnonzero(mask.any(0))[0], np.flatnonzero(mask.any(1))[0])


def test_video_of_the_page_has_the_frames_and_times(tmp_path):
    times_s = [0.0, 0.04, 0.1, 0.13, 0.2, 0.5, 0.52, 0.6]
    video = make_video(tmp_path / "vfr.mp4", times_s=times_s, audio="aac")
    page = export_report(write_record(tmp_path / "out", source=video), tmp_path / "report.html")
    frames = list(read_frames(video_of(page, tmp_path)))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert [time for time, _ in frames_of(page)] == pytest.approx(times_s, abs=1e-4)


def test_large_video_is_reduced(tmp_path):
    video = make_video(tmp_path / "large.mp4", hw=(802, 1204))
    record = write_record(tmp_path / "out", source=video)
    source = replace(record.header.source, height=802, width=1204)
    tracks = tuple(replace(track, label=None, score=None) for track in record.header.tracks)
    record = record.with_header(replace(record.header, source=source, tracks=tracks))
    masks = record.folder / "masks.jsonl"
    lines = [json.loads(line) | {"instances": []} for line in masks.read_text().splitlines()]
    masks.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    page = export_report(record, tmp_path / "report.html")
    assert next(read_frames(video_of(page, tmp_path))).image.shape == (640, 960, 3)
    assert read_summary(page)["tracks"] == []
    assert read_summary(page)["poster"]["image"].startswith("data:image/jpeg;base64,")


def test_stride_and_part_of_a_video(tmp_path):
    record = write_record(tmp_path / "out", source=make_video(tmp_path / "clip.mp4"), frames=[1, 4], stride=3)
    frames = frames_of(export_report(record, tmp_path / "report.html"))
    assert [(round(time * 30), len(instances)) for time, instances in frames] == [
        (0, 0),
        (1, 2),
        (4, 1),
        (7, 0),
    ]


def test_one_frame(tmp_path):
    video = make_video(tmp_path / "clip.mp4", num_frames=1)
    page = export_report(write_record(tmp_path / "out", source=video, frames=[0]), tmp_path / "report.html")
    assert len(frames_of(page)) == 1


def test_text_of_a_record_is_never_markup(record, tmp_path):
    evil = "</script><script>alert(1)</script>"
    tracks = tuple(replace(track, label=evil if track.label else None) for track in record.header.tracks)
    vocabulary = replace(record.header.vocabulary, names=(evil,), category_ids=(1,))
    record = record.with_header(replace(record.header, tracks=tracks, vocabulary=vocabulary))
    page = export_report(record, tmp_path / "report.html")
    assert "alert(1)</script>" not in page.read_text()
    assert read_summary(page)["names"] == [evil]
    assert "<" not in embedded_json({"a<b": "</script>"})


def test_failed_report_leaves_no_file(record, tmp_path):
    gone = replace(record.header.source, num_frames=None)
    masks = record.folder / "masks.jsonl"
    masks.write_text(masks.read_text().replace('"frame":7', '"frame":70'))
    record = replace(record, header=replace(record.header, source=gone))
    with pytest.raises(RecordError, match="ends before frame 70"):
        export_report(record, tmp_path / "new" / "report.html")
    assert list((tmp_path / "new").iterdir()) == []


def test_best_frame_is_where_score_and_area_are_large(record):
    best = best_frames(record, track_ids={DOG, BOARD})
    assert {track_id: found.frame_index for track_id, found in best.items()} == {DOG: 0, BOARD: 1}
    assert UNKNOWN not in best


def test_outline_of_parts_and_holes():
    mask = np.zeros((40, 60), bool)
    mask[5:25, 10:40] = True
    mask[10:20, 15:30] = False
    mask[35:38, 50:55] = True
    found = outline(mask, tolerance_px=1.0)
    assert found.path.count("M") == 3
    assert found.main_box_xywh == (10, 5, 30, 20)
    assert outline(np.zeros((4, 4), bool), tolerance_px=1.0).path == ""


def test_memory_does_not_grow_with_the_video(tmp_path):
    def peak_bytes(num_frames):
        path = tmp_path / f"{num_frames}.mp4"
        images = (np.random.default_rng(0).integers(0, 255, (*FRAME_HW, 3)).astype(np.uint8),) * num_frames
        record = write_record(
            tmp_path / f"out{num_frames}", source=write_video(path, images), frames=range(num_frames)
        )
        tracemalloc.start()
        export_report(record, tmp_path / "report.html")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(20)  # imports and caches
    assert peak_bytes(400) < peak_bytes(40) + 300_000


def test_index_shows_records_with_and_without_report(record, tmp_path):
    other = write_record(record.folder.parent / "other", source=tmp_path / "clip.mp4")
    ensure_exports(record, ["report"])
    (record.folder.parent / "broken").mkdir()
    (record.folder.parent / "broken" / "record.json").write_text("{}")
    path = write_index(record.folder.parent)
    entries = json.loads(re.search(r'id="entries">(.*?)</script>', path.read_text(), re.DOTALL)[1])
    broken, with_report, without = entries
    assert "masks.jsonl" in broken["error"]
    assert (with_report["report"], without["report"]) == ("clip/report.html", None)
    assert with_report["names"] == {"dog": 1, "skateboard": 1}
    assert all(track["crop"].startswith("data:image/jpeg") for track in with_report["tracks"])
    assert (without["folder"], without["poster"]) == (other.folder.name, None)


def test_index_is_written_again_only_where_there_is_one(record):
    results = record.folder.parent
    assert update_index(results) is None
    write_index(results)
    assert update_index(results) == results / "index.html"
