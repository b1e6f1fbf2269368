"""Reading what is broken or no video: one clear line, and every frame that can be saved."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ovvis_cli.errors import VideoError, exit_code_of
from ovvis_cli.video.reader import ReadReport, probe, read_frames
from ovvis_cli.video.writer import OverlayWriter
from tests import media


def refused(path) -> str:
    """The error of `probe`, after checking that reading gives the same."""
    with pytest.raises(VideoError) as at_probe:
        probe(path)
    with pytest.raises(VideoError) as at_read:
        list(read_frames(path))
    assert str(at_probe.value) == str(at_read.value)
    assert exit_code_of(at_probe.value) == 3
    assert "\n" not in str(at_probe.value)
    return str(at_probe.value)


def test_missing_file_suggests_names_nearby(tmp_path):
    media.write_video(tmp_path / "holiday.mp4", media.numbered_images(1))

    assert refused(tmp_path / "holyday.mp4").endswith(
        f"holyday.mp4: no such file (did you mean {tmp_path / 'holiday.mp4'}?)"
    )
    assert "no such file" in refused(tmp_path / "else.mp4")
    assert "does not exist either" in refused(tmp_path / "none" / "clip.mp4")


@pytest.mark.parametrize("name", ["notes.txt", "notes.mp4", "notes"])
def test_text_is_not_a_video(tmp_path, name):
    path = tmp_path / name
    path.write_text("not a video\n" * 200)

    assert f"{name}: not a video" in refused(path)


def test_subtitles_are_not_a_video(tmp_path):
    path = tmp_path / "clip.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")

    assert "clip.srt: not a video" in refused(path)


def test_empty_file(tmp_path):
    path = tmp_path / "clip.mp4"
    path.touch()

    assert "clip.mp4: the file is empty" in refused(path)


def test_audio_only(tmp_path):
    assert "song.m4a: contains only sound" in refused(media.write_audio(tmp_path / "song.m4a"))


def test_a_cover_picture_is_no_video(tmp_path):
    path = media.write_song_with_cover(tmp_path / "song.mp3")

    assert "song.mp3: contains only sound" in refused(path)


def test_a_title_in_an_unknown_encoding_stops_nothing(tmp_path):
    path = media.write_video(tmp_path / "clip.mkv", media.numbered_images(3), media.VideoSpec(title="TITLE"))
    path.write_bytes(path.read_bytes().replace(b"TITLE", b"\xff\xfe\xfa\x80\x81"))

    assert len(list(read_frames(path))) == 3


def test_damaged_sound_does_not_spoil_the_overlay(tmp_path):
    spec = media.VideoSpec(audio="mp2", audio_s=1.0)
    path = media.write_video(tmp_path / "clip.ts", media.numbered_images(30), spec)
    data = bytearray(path.read_bytes())
    for start in range(len(data) // 3, len(data) - 400, 1000):
        data[start + 20 : start + 80] = b"\x55" * 60
    path.write_bytes(bytes(data))

    with OverlayWriter(tmp_path / "out.mp4", width=48, height=32, source=path) as writer:
        for index, image in enumerate(media.numbered_images(30)):
            writer.write(image, time_s=index / 30)

    assert writer.sound == ("transcoded",)
    assert len(list(read_frames(tmp_path / "out.mp4"))) == 30


def test_zero_frames(tmp_path):
    path = media.write_video(tmp_path / "none.mp4", [], media.VideoSpec(audio="aac", audio_s=0.5))

    assert "none.mp4: no" in refused(path) or "none.mp4: contains only sound" in refused(path)


def test_folder_without_media(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "notes.txt").write_text("x")

    message = refused(tmp_path)

    assert "no video and no image in this folder" in message and "inner" in message


@pytest.mark.parametrize("keep", [0.4, 0.7, 0.9])
def test_truncated_video_gives_what_decodes_and_says_what_is_lost(tmp_path, keep):
    path = noisy_video(tmp_path / "cut.mp4")
    media.cut_off(path, keep=keep)
    report = ReadReport()

    indices = [media.index_of(frame.image) for frame in read_frames(path, report=report)]

    assert 5 < len(indices) < 60
    assert report.frames_decoded == len(indices) and report.expected_frames == 60
    assert report.damaged
    assert report.lost_s == pytest.approx(2.0 - len(indices) / 30, abs=0.1)
    assert f"{len(indices)} of 60 frames decoded" in report.message()
    assert "are missing" in report.message()


def test_truncated_before_its_index_is_refused(tmp_path):
    spec = media.VideoSpec(index_first=False)
    path = media.write_video(tmp_path / "cut.mp4", media.numbered_images(30), spec)
    media.cut_off(path, keep=0.5)

    assert "cut.mp4: not a video, or truncated before its index" in refused(path)


def test_noise_in_the_middle_is_skipped_and_counted(tmp_path):
    path = noisy_video(tmp_path / "bad.mp4")
    media.scribble(path, start=0.5, length_bytes=3000)
    report = ReadReport()

    frames = list(read_frames(path, report=report))

    assert len(frames) > 30
    assert frames[-1].time_s > 1.8
    assert report.errors > 0 and report.first_error
    assert "damaged" in report.message()


def test_stopping_early_is_not_a_loss(tmp_path):
    path = media.write_video(tmp_path / "clip.mp4", media.numbered_images(60))
    report = ReadReport()

    assert len(list(read_frames(path, end_s=0.5, report=report))) == 15
    assert not report.damaged


@pytest.mark.parametrize("name", ["clip.mkv", "clip.ts", "clip.mp4"])
def test_sound_longer_than_the_picture_is_not_a_loss(tmp_path, name):
    spec = media.VideoSpec(audio="aac", audio_s=4.0)
    path = media.write_video(tmp_path / name, media.numbered_images(30), spec)
    report = ReadReport()

    assert len(list(read_frames(path, report=report))) == 30
    assert not report.damaged


def test_camera_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    assert refused("97").startswith("camera 97: cannot be opened")


def test_unreachable_address_hides_the_password():
    message = refused("http://me:secret@127.0.0.1:9/clip.mp4")

    assert "http://127.0.0.1:9/clip.mp4: cannot be opened" in message
    assert "secret" not in message


def test_web_address_is_read_like_a_file(tmp_path):
    media.write_video(tmp_path / "clip.mp4", media.numbered_images(10))
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/clip.mp4"

        assert probe(url).kind == "video"
        assert [media.index_of(frame.image) for frame in read_frames(url)] == list(range(10))
        assert "missing.mp4: cannot be opened" in refused(url.replace("clip", "missing"))

        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def noisy_video(path):
    """60 large frames, every one a key frame, so that a broken one spoils no other."""
    images = media.numbered_images(60, (64, 96), noise=20)
    return media.write_video(path, images, media.VideoSpec(options={"g": "1"}))
