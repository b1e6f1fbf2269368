"""The overlay: the same frames, size, times and sound as the source, with the tracks drawn on them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ovvis_cli.errors import RecordError
from ovvis_cli.exporters.colors import track_color
from ovvis_cli.exporters.drawing import DrawnInstance, Painter
from ovvis_cli.exporters.overlay import caption, export_overlay
from ovvis_cli.rle import encode_masks, rle_box
from ovvis_cli.video.reader import probe, read_frames
from tests.media import VideoSpec, write_video
from tests.records import DOG, FRAME_HW, NUM_FRAMES, masks_of, write_record

GREY = 90


def make_video(path, **spec):
    return write_video(path, [np.full((*FRAME_HW, 3), GREY, np.uint8)] * NUM_FRAMES, VideoSpec(**spec))


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "clip.mp4")


def drawn_frames(path):
    """Which frames of an overlay differ from the plain grey of its source."""
    return [int(np.abs(frame.image.astype(int) - GREY).max()) > 40 for frame in read_frames(path)]


def test_same_frames_size_and_times(tmp_path):
    times_s = [0.0, 0.04, 0.1, 0.13, 0.2, 0.5, 0.52, 0.6]
    video = make_video(tmp_path / "vfr.mp4", times_s=times_s, audio="aac")
    record = write_record(tmp_path / "out", source=video)
    done = []
    path = export_overlay(record, tmp_path / "overlay.mp4", progress=done.append)
    frames = list(read_frames(path))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert {frame.image.shape for frame in frames} == {(*FRAME_HW, 3)}
    assert probe(path).has_audio
    assert done == list(range(1, NUM_FRAMES + 1))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out", "overlay.mp4", "vfr.mp4"]


def test_only_labelled_tracks_are_drawn(tmp_path, video):
    record = write_record(tmp_path / "out", source=video)
    header = record.header
    tracks = tuple(replace(track, label=None, score=None) for track in header.tracks)
    unlabelled = record.with_header(replace(header, tracks=tracks))
    path = export_overlay(unlabelled, tmp_path / "overlay.mp4")
    assert drawn_frames(path) == [False] * NUM_FRAMES


def test_frames_without_a_line_are_untouched(tmp_path, video):
    record = write_record(tmp_path / "out", source=video, frames=[3, 4])
    assert drawn_frames(export_overlay(record, tmp_path / "o.mp4")) == [index in (3, 4) for index in range(8)]


def test_stride_does_not_flicker(tmp_path, video):
    record = write_record(tmp_path / "out", source=video, frames=[1, 4], stride=3)
    drawn = drawn_frames(export_overlay(record, tmp_path / "o.mp4"))
    assert drawn == [False] + [True] * 6 + [False]


def test_part_of_a_video(tmp_path, video):
    record = write_record(tmp_path / "out", source=video, frames=[3, 4, 5])
    analysed = replace(record.header.analysed, start_s=0.09, end_s=0.19)
    record = record.with_header(replace(record.header, analysed=analysed))
    frames = list(read_frames(export_overlay(record, tmp_path / "o.mp4")))
    assert len(frames) == 3
    assert frames[-1].time_s - frames[0].time_s == pytest.approx(2 / 30, abs=1e-3)


def test_moved_and_changed_and_missing_video(tmp_path, video):
    record = write_record(tmp_path / "out", source=video)
    moved = video.rename(tmp_path / "moved.mp4")
    with pytest.raises(RecordError, match="missing: .*--source"):
        export_overlay(record, tmp_path / "o.mp4")
    assert len(list(read_frames(export_overlay(record, tmp_path / "o.mp4", source=moved)))) == NUM_FRAMES
    other = make_video(tmp_path / "other.mp4", rate=Fraction(10), audio="aac")
    with pytest.raises(RecordError, match="is not the video that was analysed"):
        export_overlay(record, tmp_path / "o2.mp4", source=other)
    assert not (tmp_path / "o2.mp4").exists()


def test_record_that_is_longer_than_the_video(tmp_path, video):
    record = write_record(tmp_path / "out", source=video)
    shorter = write_video(video, [np.full((*FRAME_HW, 3), GREY, np.uint8)] * 5)
    info = replace(record.header.source, size_bytes=shorter.stat().st_size)
    record = record.with_header(replace(record.header, source=info))
    with pytest.raises(RecordError, match="ends before frame 5"):
        export_overlay(record, tmp_path / "o.mp4")
    assert not (tmp_path / "o.mp4").exists()


def test_stream_cannot_be_read_again(tmp_path, video):
    record = write_record(tmp_path / "out", source=video)
    record = record.with_header(replace(record.header, source=replace(record.header.source, kind="stream")))
    with pytest.raises(RecordError, match="--live"):
        export_overlay(record, tmp_path / "o.mp4")


def test_caption(tmp_path, video):
    record = write_record(tmp_path / "out", source=video)
    assert caption(record.header.tracks[0]) == "dog #1  0.77"


def drawn_instance(mask, *, track_id=1, text="dog #1  0.91"):
    (rle,) = encode_masks(mask[None])
    return DrawnInstance(track_id=track_id, caption=text, mask=mask, box_xywh=rle_box(rle))


def test_fill_is_translucent_and_inside_only():
    image = np.full((200, 300, 3), 100, np.uint8)
    mask = np.zeros((200, 300), dtype=bool)
    mask[60:160, 50:250] = True
    drawn = Painter(frame_hw=(200, 300)).draw(image, [drawn_instance(mask)])
    expected = np.array(track_color(1)) * 0.45 + 100 * 0.55
    np.testing.assert_allclose(drawn[110, 150], expected, atol=1)
    np.testing.assert_array_equal(drawn[190, 150], (100, 100, 100))
    np.testing.assert_allclose(drawn[60, 200], track_color(1), atol=40)  # the contour
    assert (image == 100).all()


@pytest.mark.parametrize("hw", [(1, 1), (2, 7), (16, 16), (40, 400), (480, 640)])
@pytest.mark.parametrize(
    "text", ["dog #1  0.91", "größter anzunehmender Hund im ganzen Land #123  0.91", "犬 #7  1.00"]
)
def test_any_frame_size_and_text(hw, text):
    masks = [np.zeros(hw, dtype=bool) for _ in range(3)]
    masks[0][:] = True
    masks[1][0, 0] = True
    masks[2][-1, -1] = True
    instances = [
        drawn_instance(mask, track_id=number, text=text) for number, mask in enumerate(masks, start=1)
    ]
    drawn = Painter(frame_hw=hw).draw(np.zeros((*hw, 3), np.uint8), instances)
    assert drawn.shape == (*hw, 3)
    assert drawn.any()


def test_tags_stay_in_the_frame_and_apart():
    hw = (240, 320)
    painter = Painter(frame_hw=hw)
    boxes = [(300, 0, 20, 20), (300, 5, 20, 20), (0, 230, 30, 10), (150, 100, 60, 60), (152, 102, 60, 60)]
    placed = []
    for box in boxes:
        rect = painter._free_place(box, size_wh=(90, 16), placed=placed)
        assert 0 <= rect.x <= hw[1] - 90
        assert 0 <= rect.y <= hw[0] - 16
        assert not any(rect.overlaps(other) for other in placed)
        placed.append(rect)


def test_the_mask_is_drawn_where_it_is(tmp_path, video):
    record = write_record(tmp_path / "out", source=video)
    frame = next(iter(read_frames(export_overlay(record, tmp_path / "o.mp4"))))
    assert np.abs(frame.image[masks_of(0)[DOG]].astype(int) - GREY).mean() > 20
