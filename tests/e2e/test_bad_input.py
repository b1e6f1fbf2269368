"""Every kind of bad input: one clear line, the right exit code, and what can be used is used."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ovvis_cli.record.reader import Record
from tests import media
from tests.e2e.conftest import Outcome, Ovvis

pytestmark = pytest.mark.e2e

Segment = Callable[..., Outcome]


@pytest.fixture
def segment(ovvis: Ovvis, weights: Path, tmp_path: Path) -> Segment:
    """Segments one input for dogs; other options may be added."""

    def run(source: str | Path, *options: str | Path) -> Outcome:
        same = ("-c", "dog", "--model", weights, "-o", tmp_path / "out", "--save", "overlay,ytvis", "--quiet")
        return ovvis("segment", source, *same, *options)

    return run


def assert_one_line(outcome: Outcome, *, code: int, words: str) -> None:
    assert outcome.code == code, outcome.err
    assert [words in line for line in outcome.err.splitlines() if not line.startswith("warning: ")] == [True]
    assert outcome.err.splitlines()[-1].startswith("error: ")
    assert outcome.out == ""


def video_with_sizes(path: Path, *sizes_hw: tuple[int, int]) -> Path:
    """An MPEG transport stream whose frames change their size midway."""
    parts = []
    for number, hw in enumerate(sizes_hw):
        part = media.write_video(path.with_name(f"part{number}.ts"), media.numbered_images(3, hw))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


class TestFilesThatCannotBeUsed:
    def test_no_such_file(self, segment: Segment, tmp_path: Path) -> None:
        media.write_video(tmp_path / "street.mp4", media.numbered_images(1))
        outcome = segment(tmp_path / "streat.mp4")
        assert_one_line(outcome, code=3, words="no such file (did you mean")

    def test_not_a_video(self, segment: Segment, tmp_path: Path) -> None:
        (tmp_path / "x.mp4").write_text("these are words\n" * 100)
        assert_one_line(segment(tmp_path / "x.mp4"), code=3, words="x.mp4")

    def test_empty_file(self, segment: Segment, tmp_path: Path) -> None:
        (tmp_path / "x.mp4").touch()
        assert_one_line(segment(tmp_path / "x.mp4"), code=3, words="x.mp4")

    def test_audio_only(self, segment: Segment, tmp_path: Path) -> None:
        path = media.write_audio(tmp_path / "song.m4a")
        assert_one_line(segment(path), code=3, words="song.m4a")

    def test_zero_frames(self, segment: Segment, tmp_path: Path) -> None:
        path = media.write_video(tmp_path / "x.mp4", [], media.VideoSpec(audio="aac", audio_s=0.2))
        assert_one_line(segment(path), code=3, words="x.mp4")

    def test_empty_folder(self, segment: Segment, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert_one_line(segment(tmp_path / "empty"), code=3, words="no video and no image in this folder")

    def test_no_frame_in_the_range(self, segment: Segment, clip: Path) -> None:
        assert_one_line(segment(clip, "--start", "9:00"), code=2, words="no frame")


class TestOddFilesThatCan:
    @pytest.mark.parametrize(
        ("hw", "spec"),
        [
            pytest.param((1, 1), media.VideoSpec(codec="ffv1", pix_fmt="yuv444p"), id="1x1"),
            pytest.param((33, 49), media.VideoSpec(codec="ffv1", pix_fmt="yuv444p"), id="odd sizes"),
            pytest.param((32, 48), media.VideoSpec(codec="ffv1", pix_fmt="yuv420p10le"), id="10 bits"),
            pytest.param((32, 48), media.VideoSpec(codec="ffv1", pix_fmt="gray"), id="grey"),
            pytest.param((32, 48), media.VideoSpec(times_s=[0.0, 0.04, 1.5]), id="variable frame rate"),
        ],
    )
    def test_every_frame_is_used(
        self, segment: Segment, tmp_path: Path, hw: tuple[int, int], spec: media.VideoSpec
    ) -> None:
        path = media.write_video(tmp_path / "x.mkv", media.numbered_images(3, hw), spec)
        outcome = segment(path, "--no-distractors")
        assert (outcome.code, outcome.err) == (0, "")
        header = Record.open(tmp_path / "out" / "x").header
        assert (header.source.height, header.source.width, header.analysed.num_frames) == (*hw, 3)

    def test_alpha(self, segment: Segment, tmp_path: Path) -> None:
        images = [np.dstack([image, np.full((32, 48), 128, np.uint8)]) for image in media.numbered_images(2)]
        folder = media.write_images(tmp_path / "frames", images)
        assert segment(folder).code == 0
        assert Record.open(tmp_path / "out" / "frames").header.analysed.num_frames == 2

    def test_a_rotated_phone_video_is_upright(self, segment: Segment, tmp_path: Path) -> None:
        spec = media.VideoSpec(display_matrix=media.DISPLAY_MATRICES[90])
        path = media.write_video(tmp_path / "phone.mp4", media.numbered_images(2), spec)
        assert segment(path, "--no-distractors").code == 0
        record = Record.open(tmp_path / "out" / "phone")
        assert (record.header.source.height, record.header.source.width) == (48, 32)
        assert next(record.frames()).instances[0].rle.size_hw == (48, 32)

    def test_a_truncated_video_is_used_as_far_as_it_goes(self, segment: Segment, tmp_path: Path) -> None:
        path = media.write_video(tmp_path / "x.mp4", media.numbered_images(12, noise=20))
        outcome = segment(media.cut_off(path, keep=0.6))
        assert outcome.code == 0
        assert [("x.mp4" in line, "missing" in line) for line in outcome.warnings] == [(True, True)]
        assert 0 < Record.open(tmp_path / "out" / "x").header.analysed.num_frames < 12

    def test_a_size_that_changes_midway_is_told(self, segment: Segment, tmp_path: Path) -> None:
        path = video_with_sizes(tmp_path / "x.ts", (32, 48), (64, 96))
        outcome = segment(path, "--no-distractors")
        assert outcome.code == 0
        assert "resized" in " ".join(outcome.warnings)
        sizes = {line.instances[0].rle.size_hw for line in Record.open(tmp_path / "out" / "x").frames()}
        assert sizes == {(32, 48)}


class TestNames:
    def test_none_given(self, ovvis: Ovvis, clip: Path) -> None:
        assert_one_line(ovvis("segment", clip), code=2, words='--classes "a,b"')

    @pytest.mark.parametrize(
        ("classes", "code", "words"),
        [
            ("", 3, "no class names"),
            ("dog,,cat", 3, "class name 2 in --classes is empty"),
            ("dog,cat,Dog", 3, "repeated"),
            ("dog\x07", 3, "unprintable"),
        ],
    )
    def test_impossible(self, ovvis: Ovvis, clip: Path, classes: str, code: int, words: str) -> None:
        assert_one_line(ovvis("segment", clip, "--classes", classes), code=code, words=words)

    def test_two_sources_of_names(self, ovvis: Ovvis, clip: Path) -> None:
        outcome = ovvis("segment", clip, "-c", "dog", "--vocabulary", "coco")
        assert_one_line(outcome, code=2, words="more than once")

    def test_unknown_table(self, ovvis: Ovvis, clip: Path) -> None:
        outcome = ovvis("segment", clip, "--vocabulary", "lviss")
        assert_one_line(outcome, code=2, words="unknown vocabulary 'lviss'")

    def test_missing_file(self, ovvis: Ovvis, clip: Path, tmp_path: Path) -> None:
        outcome = ovvis("segment", clip, "--classes-file", tmp_path / "names.txt")
        assert_one_line(outcome, code=3, words="names.txt")

    def test_four_thousand(self, ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path) -> None:
        (tmp_path / "names.txt").write_text("\n".join(f"dog number {i}" for i in range(4000)))
        names = ("--classes-file", tmp_path / "names.txt", "--model", weights, "-o", tmp_path / "out")
        outcome = ovvis("segment", clip, *names, "--end", "0.1", "--save", "ytvis", "--quiet")
        assert outcome.code == 0
        assert len(Record.open(tmp_path / "out" / "street").header.vocabulary.names) == 4000


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--tracker", "rolout"], "did you mean rollout?"),
            (["--classifier", "crops"], "'crops' is not one of"),
            (["--device", "cud"], "did you mean cuda?"),
            (["--precision", "int8"], "'int8' is not one of"),
            (["--save", "overlay,ytvs"], "did you mean ytvis?"),
            (["--stride", "0"], "--stride"),
            (["--batch-size", "many"], "--batch-size"),
            (["--score-threshold", "1.5"], "--score-threshold"),
            (["--start", "soon"], "--start: 'soon' is not a valid time"),
            (["--clases", "dog"], "--classes"),
        ],
    )
    def test_unknown_values(self, ovvis: Ovvis, clip: Path, options: list[str], words: str) -> None:
        assert_one_line(ovvis("segment", clip, "-c", "dog", *options), code=2, words=words)

    def test_unknown_command(self, ovvis: Ovvis) -> None:
        assert_one_line(ovvis("segmnt", "x.mp4"), code=2, words="segment")

    def test_no_input(self, ovvis: Ovvis) -> None:
        assert_one_line(ovvis("segment", "-c", "dog"), code=2, words="INPUT")

    def test_a_device_that_is_not_there(self, segment: Segment, clip: Path) -> None:
        import torch

        missing = "mps" if not torch.backends.mps.is_available() else "cuda"
        assert_one_line(segment(clip, "--device", missing), code=5, words="torch does not find this device")


class TestModels:
    def model_error(self, ovvis: Ovvis, clip: Path, tmp_path: Path, model: str | Path) -> Outcome:
        return ovvis("segment", clip, "-c", "dog", "--model", model, "-o", tmp_path / "out", "--quiet")

    def test_unknown(self, ovvis: Ovvis, clip: Path, tmp_path: Path) -> None:
        outcome = self.model_error(ovvis, clip, tmp_path, "instformer-tin")
        assert_one_line(outcome, code=4, words="unknown model 'instformer-tin'")

    def test_without_weights(self, ovvis: Ovvis, clip: Path, tmp_path: Path) -> None:
        outcome = self.model_error(ovvis, clip, tmp_path, "instformer-r50")
        assert_one_line(outcome, code=4, words="not installed")

    def test_missing_file(self, ovvis: Ovvis, clip: Path, tmp_path: Path) -> None:
        outcome = self.model_error(ovvis, clip, tmp_path, tmp_path / "gone.safetensors")
        assert_one_line(outcome, code=4, words="gone.safetensors")

    @pytest.mark.parametrize("damage", ["truncated", "noise", "empty"])
    def test_corrupt_file(self, ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path, damage: str) -> None:
        path = tmp_path / "bad.safetensors"
        whole = weights.read_bytes()
        noise = np.random.default_rng(0).bytes(len(whole) // 8)
        path.write_bytes({"truncated": whole[: len(whole) // 2], "noise": noise, "empty": b""}[damage])
        outcome = self.model_error(ovvis, clip, tmp_path, path)
        assert_one_line(outcome, code=4, words="bad.safetensors")

    def test_another_network(self, ovvis: Ovvis, clip: Path, tmp_path: Path) -> None:
        import torch
        from safetensors.torch import save_file

        path = tmp_path / "other.safetensors"
        save_file({"backbone.weight": torch.zeros(3)}, path, metadata={"model": "instformer-tiny"})
        outcome = self.model_error(ovvis, clip, tmp_path, path)
        assert_one_line(outcome, code=4, words="another network")


class TestOutput:
    def test_below_a_file(self, segment: Segment, clip: Path, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("a file, no folder")
        assert_one_line(segment(clip), code=5, words=str(tmp_path / "out"))

    def test_where_nothing_can_be_written(self, ovvis: Ovvis, clip: Path, weights: Path) -> None:
        if not Path("/proc/self").is_dir():
            pytest.skip("needs a file system that refuses folders even to root")
        outcome = ovvis("segment", clip, "-c", "dog", "--model", weights, "-o", "/proc/nowhere", "--quiet")
        assert_one_line(outcome, code=5, words="/proc/nowhere")

    def test_full(
        self, segment: Segment, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import resource

        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))  # the first files fit, then none does
        try:
            outcome = segment(clip, "--no-distractors")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (outcome.code, len(outcome.errors)) == (5, 1)
        assert segment(clip, "--no-distractors").code == 0
        assert Record.open(tmp_path / "out" / "street").header.analysed.num_frames == 6
