"""Inputs as people have them: what is read, what is assumed, and what is said about it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from ovvis_cli.record.reader import Record
from tests import media
from tests.e2e.conftest import Outcome, Ovvis

pytestmark = pytest.mark.e2e

Segment = Callable[..., Outcome]


@pytest.fixture
def segment(ovvis: Ovvis, weights: Path, tmp_path: Path) -> Segment:
    """Segments inputs for dogs."""

    def run(*arguments: str | Path) -> Outcome:
        same = ("-c", "dog", "--no-distractors", "--model", weights, "-o", tmp_path / "out", "--quiet")
        return ovvis("segment", *arguments, *same)

    return run


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts bytes into standard input."""

    def put(data: bytes) -> None:
        stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)
        monkeypatch.setattr("sys.stdin", stdin)

    return put


def times_of(folder: Path) -> list[float]:
    return [line.time_s for line in Record.open(folder).frames()]


class TestStandardInput:
    def test_a_video_gets_everything_that_a_file_gets(
        self, segment: Segment, clip: Path, tmp_path: Path, standard_input: Callable[[bytes], None]
    ) -> None:
        standard_input(clip.read_bytes())
        assert segment("-", "--save", "overlay,coco").code == 0
        assert Record.open(tmp_path / "out" / "stdin").header.analysed.num_frames == 6
        assert (tmp_path / "out" / "stdin" / "overlay.mp4").exists()

    def test_the_same_bytes_again_are_the_same_result(
        self, segment: Segment, clip: Path, tmp_path: Path, standard_input: Callable[[bytes], None]
    ) -> None:
        for _ in range(2):
            standard_input(clip.read_bytes())
            assert segment("-", "--save", "ytvis").code == 0
        assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == ["stdin"]

    def test_another_video_gets_another_folder(
        self, segment: Segment, clip: Path, tmp_path: Path, standard_input: Callable[[bytes], None]
    ) -> None:
        other = media.write_video(tmp_path / "other.mp4", media.numbered_images(3))
        for path in (clip, other):
            standard_input(path.read_bytes())
            assert segment("-", "--save", "ytvis").code == 0
        folders = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
        assert sorted(Record.open(folder).header.analysed.num_frames for folder in folders) == [3, 6]

    def test_nothing_is_an_error(self, segment: Segment, standard_input: Callable[[bytes], None]) -> None:
        standard_input(b"")
        outcome = segment("-")
        assert (outcome.code, len(outcome.errors)) == (3, 1)
        assert "standard input is empty" in outcome.errors[0]

    def test_what_is_no_video_is_an_error(
        self, segment: Segment, standard_input: Callable[[bytes], None]
    ) -> None:
        standard_input(b"these are words\n" * 100)
        outcome = segment("-")
        assert (outcome.code, len(outcome.errors)) == (3, 1)


class TestFrameRate:
    def test_an_assumed_rate_is_said(self, segment: Segment, tmp_path: Path) -> None:
        folder = media.write_images(tmp_path / "shots", media.numbered_images(3))
        outcome = segment(folder, "--save", "ytvis")
        assert [("shots" in line, "25 frames per second" in line) for line in outcome.warnings] == [
            (True, True)
        ]
        assert times_of(tmp_path / "out" / "shots") == [0, 0.04, 0.08]

    @pytest.mark.parametrize(("rate", "step_s"), [("2", 0.5), ("30000/1001", 1001 / 30000), ("0.1", 10)])
    def test_fps_sets_it_in_the_record_and_the_overlay(
        self, segment: Segment, tmp_path: Path, rate: str, step_s: float
    ) -> None:
        folder = media.write_images(tmp_path / "shots", media.numbered_images(3))
        outcome = segment(folder, "--fps", rate, "--save", "overlay,csv")
        assert (outcome.code, outcome.err) == (0, "")
        expected = pytest.approx([0, step_s, 2 * step_s], abs=1e-5)
        assert times_of(tmp_path / "out" / "shots") == expected
        from ovvis_cli.video.reader import read_frames

        frames = read_frames(tmp_path / "out" / "shots" / "overlay.mp4")
        assert [frame.time_s for frame in frames] == expected

    def test_another_rate_is_another_result(self, segment: Segment, tmp_path: Path) -> None:
        folder = media.write_images(tmp_path / "shots", media.numbered_images(2))
        assert segment(folder, "--save", "ytvis", "--fps", "5").code == 0
        assert segment(folder, "--save", "ytvis", "--fps", "6").code == 3
        assert segment(folder, "--save", "ytvis", "--fps", "6", "--overwrite").code == 0

    def test_fps_for_what_has_times_is_said_to_be_unused(
        self, segment: Segment, clip: Path, tmp_path: Path
    ) -> None:
        outcome = segment(clip, "--fps", "5", "--save", "ytvis")
        assert ["--fps is ignored" in line for line in outcome.warnings] == [True]
        assert times_of(tmp_path / "out" / "street")[-1] == pytest.approx(5 / 30, abs=1e-5)

    @pytest.mark.parametrize("rate", ["0", "-3", "fast", "1/0", "nan", "inf", ""])
    def test_an_impossible_rate(self, segment: Segment, clip: Path, rate: str) -> None:
        outcome = segment(clip, "--fps", rate)
        assert outcome.code == 2
        assert "is not a frame rate" in outcome.errors[0]


class TestImages:
    @pytest.mark.parametrize("damaged", [[0], [3], [0, 3], [1, 2]])
    def test_damaged_images_are_named_in_the_record_and_on_the_console(
        self, segment: Segment, tmp_path: Path, damaged: list[int]
    ) -> None:
        folder = media.write_images(tmp_path / "shots", media.numbered_images(4))
        names = [f"frame{index}.png" for index in damaged]
        for name in names:
            media.cut_off(folder / name, keep=0.5)
        outcome = segment(folder, "--fps", "25", "--save", "coco")
        assert outcome.code == 0
        (line,) = outcome.warnings
        assert line.endswith(f"{4 - len(damaged)} of 4 images read, damaged: {', '.join(names)}")
        record = Record.open(tmp_path / "out" / "shots")
        assert record.header.source.damaged_images == tuple(names)
        listed = json.loads((record.folder / "coco.json").read_text())["images"]
        assert [image["file_name"] for image in listed] == [
            f"frame{index}.png" for index in range(4) if index not in damaged
        ]

    def test_only_damaged_images(self, segment: Segment, tmp_path: Path) -> None:
        folder = media.write_images(tmp_path / "shots", media.numbered_images(2))
        for path in folder.iterdir():
            path.write_bytes(b"no image")
        outcome = segment(folder)
        assert (outcome.code, len(outcome.errors)) == (3, 1)
        assert "no image is readable" in outcome.errors[0]

    def test_a_renamed_image_is_another_input(self, segment: Segment, tmp_path: Path) -> None:
        folder = media.write_images(tmp_path / "shots", media.numbered_images(2))
        assert segment(folder, "--fps", "25", "--save", "coco").code == 0
        (folder / "frame0.png").rename(folder / "frame00.png")
        assert segment(folder, "--fps", "25", "--save", "coco").code == 3  # needs --overwrite

    def test_live_fits_images_of_several_sizes(self, segment: Segment, tmp_path: Path) -> None:
        folder = tmp_path / "shots"
        folder.mkdir()
        for index, hw in enumerate([(32, 48), (48, 32), (64, 64)]):
            cv2.imwrite(str(folder / f"{index}.png"), media.corner_image(hw))
        assert segment(folder, "--fps", "25", "--live", "--save", "overlay,coco").code == 0
        assert (tmp_path / "out" / "shots" / "overlay.mp4").exists()


def test_a_second_picture_stream_is_said_to_be_left_out(segment: Segment, tmp_path: Path) -> None:
    import av

    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for stream in streams:
            for image in media.numbered_images(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    outcome = segment(path, "--save", "ytvis")
    assert ["another video stream is ignored" in line for line in outcome.warnings] == [True]
