"""What `ovvis segment` makes of good input."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ovvis_cli.choices import EXPORT_FORMATS
from ovvis_cli.record.reader import Record
from ovvis_cli.video.reader import read_frames
from tests import media
from tests.e2e.conftest import Ovvis, command_environment

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def done(clip: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record folder of one run with everything saved; not to be changed."""
    from ovvis_cli.app import run

    output = tmp_path_factory.mktemp("out")
    arguments = ["-c", "dog,cat", "--no-distractors", "--model", str(weights), "-o", str(output), "--quiet"]
    assert run(["segment", str(clip), *arguments, "--save", "overlay,ytvis,coco,rle"]) == 0
    return output / "street"


def test_record_describes_the_run(done: Path, clip: Path) -> None:
    header = Record.open(done).header
    assert (header.source.path, header.source.num_frames) == (str(clip), 6)
    assert (header.vocabulary.names, header.model.name) == (("dog", "cat"), "instformer-tiny")
    assert header.analysed.num_frames == 6
    assert {track.label for track in header.tracks} <= {"dog", "cat"}
    assert len(header.tracks) >= 1


def test_masks_are_one_line_a_frame_that_pycocotools_reads(done: Path) -> None:
    from pycocotools import mask as coco_mask

    lines = [json.loads(line) for line in (done / "masks.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(6))
    assert lines[3]["time"] == pytest.approx(3 / 30)
    rle = lines[0]["instances"][0]["rle"]
    assert coco_mask.decode(rle).shape == (32, 48)


def test_overlay_keeps_size_times_and_sound(done: Path, clip: Path) -> None:
    before, after = list(read_frames(clip)), list(read_frames(done / "overlay.mp4"))
    assert [frame.time_s for frame in after] == pytest.approx([frame.time_s for frame in before], abs=1e-4)
    assert {frame.image.shape for frame in after} == {(32, 48, 3)}
    assert media.sound_packets(done / "overlay.mp4") != []
    assert any(np.abs(a.image.astype(int) - b.image).max() > 40 for a, b in zip(after, before, strict=True))


def test_ytvis_has_a_mask_or_null_for_every_frame(done: Path) -> None:
    results = json.loads((done / "ytvis.json").read_text())
    assert results != []
    for entry in results:
        assert (len(entry["segmentations"]), entry["category_id"] in (1, 2)) == (6, True)
        assert 0 <= entry["score"] <= 1


def test_coco_loads_in_pycocotools(done: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(done / "coco.json"))
    assert len(coco.imgs) == 6
    annotation = next(iter(coco.anns.values()))
    assert annotation["track_id"] in {track.track_id for track in Record.open(done).header.tracks}
    assert coco.annToMask(annotation).shape == (32, 48)


def test_every_format_is_exported(ovvis: Ovvis, done: Path, tmp_path: Path) -> None:
    outcome = ovvis("export", done, "--format", ",".join(EXPORT_FORMATS), "-o", tmp_path / "all", "--json")
    assert outcome.code == 0
    assert list(outcome.json["files"]) == list(EXPORT_FORMATS)
    assert all(Path(path).exists() for path in outcome.json["files"].values())


def test_finished_work_is_not_done_again(ovvis: Ovvis, done: Path, clip: Path, weights: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.iterdir()}
    same = ("-c", "dog,cat", "--no-distractors", "--model", weights, "-o", done.parent)
    outcome = ovvis("segment", clip, *same, "--save", "overlay,ytvis,coco,rle", "--json")
    assert (outcome.code, outcome.json["inputs"][0]["status"]) == (0, "already done")
    assert {path: path.stat().st_mtime_ns for path in done.iterdir()} == before


def test_other_names_only_relabel(ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path) -> None:
    same = ("--no-distractors", "--model", weights, "-o", tmp_path, "--json")
    ovvis("segment", clip, "-c", "dog", *same)
    masks = (tmp_path / "street" / "masks.jsonl").stat().st_mtime_ns
    outcome = ovvis("segment", clip, "-c", "tree", *same)
    assert outcome.json["inputs"][0]["status"] == "already done"
    assert {track["label"] for track in outcome.json["inputs"][0]["tracks"]} == {"tree"}
    assert (tmp_path / "street" / "masks.jsonl").stat().st_mtime_ns == masks


def test_json_is_one_object_with_tracks_and_files(
    ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = ovvis(
        "segment", clip, "-c", "dog,kite", "--no-distractors", "--model", weights, "-o", tmp_path, "--json"
    )
    (told,) = outcome.json["inputs"]
    assert (outcome.code, told["status"], told["num_frames"], told["damage"]) == (0, "done", 6, None)
    assert set(told["files"]) == {"overlay", "ytvis"}
    assert all(Path(path).is_file() for path in told["files"].values())
    labels = {track["label"] for track in told["tracks"]}
    assert labels | {entry["name"] for entry in told["not_found"]} == {"dog", "kite"}


def test_the_console_shows_tracks_files_and_what_was_not_found(
    ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = ovvis("segment", clip, "-c", "dog,kite", "--no-distractors", "--model", weights, "-o", tmp_path)
    tracks = Record.open(tmp_path / "street").header.tracks
    found = {track.label for track in tracks if track.label}
    assert f"{clip}: {len(tracks)} track" in " ".join(outcome.out.split())
    (missing,) = {"dog", "kite"} - found
    assert f"not found: {missing}" in outcome.out
    assert str(tmp_path / "street" / "overlay.mp4") in outcome.out
    assert re.search(r"6 frames at .* analysis .* s, labels and files .* s, .* s in total", outcome.err)
    assert f"next: ovvis export {tmp_path / 'street'} --format report" in " ".join(outcome.err.split())
    assert "knows only the drawn world" in outcome.err
    assert "ovvis models pull instformer-rfdetr-medium" in outcome.err


def test_a_word_that_the_model_never_read_is_told(
    ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = ovvis("segment", clip, "-c", "dog,oscilloscope", "--model", weights, "-o", tmp_path, "--quiet")
    assert outcome.code == 0
    assert ["oscilloscope" in line for line in outcome.warnings] == [True]
    assert outcome.out == ""


def test_report_and_index_are_written(ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path) -> None:
    same = ("-c", "dog", "--no-distractors", "--model", weights, "-o", tmp_path)
    outcome = ovvis("segment", clip, *same, "--save", "report")
    assert outcome.code == 0
    assert str(tmp_path / "street" / "report.html") in outcome.out
    assert str(tmp_path / "index.html") in " ".join(outcome.err.split())
    relabelled = ovvis(
        "relabel", tmp_path / "street", "-c", "lighthouse", "--no-distractors", "--model", weights
    )
    assert relabelled.code == 0
    for page in ("street/report.html", "index.html"):
        assert "lighthouse" in (tmp_path / page).read_text(encoding="utf-8")


def test_tracks_are_found_by_other_names(ovvis: Ovvis, done: Path, weights: Path, tmp_path: Path) -> None:
    same = ("-c", "lighthouse", "--no-distractors", "--model", weights)
    outcome = ovvis("find", done, *same, "--score-threshold", "0", "--report", tmp_path / "f.html", "--json")
    assert outcome.code == 0
    scores = {track["track"]: track["score"] for track in outcome.json["tracks"]}
    copy = shutil.copytree(done, tmp_path / "copy")
    relabelled = ovvis("relabel", copy, *same, "--save", "csv", "--json").json["tracks"]
    assert scores == pytest.approx({track["track"]: track["score"] for track in relabelled}, abs=1e-4)
    assert "lighthouse" in (tmp_path / "f.html").read_text(encoding="utf-8")
    again = ovvis("find", done, *same, "--report", tmp_path / "f.html")
    assert (again.code, "already exists" in again.err) == (2, True)
    nothing = ovvis("find", done, *same, "--score-threshold", "1")
    assert "no track reaches score 1 (best 0." in nothing.out


def test_overwrite_makes_everything_anew(ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path) -> None:
    same = ("segment", clip, "-c", "dog", "--no-distractors", "--model", weights, "-o", tmp_path, "--quiet")
    assert ovvis(*same).code == 0
    other = ovvis(*same, "--stride", "2")
    assert (other.code, len(other.errors)) == (3, 1)
    assert "--overwrite" in other.errors[0]
    assert ovvis(*same, "--stride", "2", "--overwrite").code == 0
    assert Record.open(tmp_path / "street").header.analysed.num_frames == 3
    results = json.loads((tmp_path / "street" / "ytvis.json").read_text())
    absent = [mask is None for mask in results[0]["segmentations"]]
    assert (len(absent), absent[1::2], all(absent)) == (6, [True] * 3, False)


def test_start_end_and_stride_choose_frames(ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path) -> None:
    chosen = ("--start", "0:00.03", "--end", "0.18", "--stride", "2")
    assert ovvis("segment", clip, "-c", "dog", "--model", weights, "-o", tmp_path, *chosen).code == 0
    record = Record.open(tmp_path / "street")
    assert [frame.frame_index for frame in record.frames()] == [1, 3, 5]
    assert len(list(read_frames(tmp_path / "street" / "overlay.mp4"))) == 5


def test_live_draws_every_frame_of_a_file_while_reading(
    ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path
) -> None:
    same = ("-c", "dog", "--no-distractors", "--model", weights, "-o", tmp_path)
    assert ovvis("segment", clip, *same, "--live").code == 0
    drawn = list(read_frames(tmp_path / "street" / "overlay.mp4"))
    plain = list(read_frames(clip))
    assert len(drawn) == 6
    assert any(np.abs(a.image.astype(int) - b.image).max() > 40 for a, b in zip(drawn, plain, strict=True))


@pytest.mark.parametrize(
    "method",
    [
        ("--tracker", "adjacent"),
        ("--classifier", "masked-crops"),
        ("--rules", "published", "--short-side", "96"),
    ],
)
def test_other_methods_fit_in(
    ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path, method: tuple[str, str]
) -> None:
    chosen = (*method, "--end", "0.1", "--save", "ytvis", "--json")
    outcome = ovvis(
        "segment", clip, "-c", "dog", "--no-distractors", "--model", weights, "-o", tmp_path, *chosen
    )
    assert (outcome.code, len(outcome.json["inputs"][0]["tracks"]) > 0) == (0, True)


def test_a_folder_of_images_is_one_video(ovvis: Ovvis, weights: Path, tmp_path: Path) -> None:
    folder = media.write_images(tmp_path / "holiday", media.numbered_images(3))
    outcome = ovvis("segment", folder, "-c", "dog", "--model", weights, "-o", tmp_path / "out", "--json")
    assert [(told["name"], told["num_frames"]) for told in outcome.json["inputs"]] == [("holiday", 3)]


def test_a_broken_input_does_not_stop_the_others(
    ovvis: Ovvis, clip: Path, weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    media.write_video(folder / "a.mp4", media.numbered_images(2))
    (folder / "b.mp4").write_bytes(b"not a video" * 100)
    media.write_video(folder / "c.mp4", media.numbered_images(2))
    same = ("segment", folder, "-c", "dog", "--model", weights, "-o", tmp_path / "out")
    outcome = ovvis(*same)
    assert outcome.code == 1
    assert [("b.mp4" in line, "1 of 3" in line) for line in outcome.errors] == [(True, False), (False, True)]
    assert "failed" in outcome.out
    assert "b.mp4" in outcome.out.split("failed")[1]
    again = ovvis(*same, "--json", "--quiet")
    statuses = [told["status"] for told in again.json["inputs"]]
    assert (again.code, statuses) == (1, ["already done", "failed", "already done"])
    assert again.json["inputs"][1]["error"]["exit_code"] == 3


def test_segment_imports_no_module_of_the_procedural_world(clip: Path, weights: Path, tmp_path: Path) -> None:
    arguments = ["segment", str(clip), "-c", "dog", "--model", str(weights), "-o", str(tmp_path), "--quiet"]
    script = (
        "import json, sys; from ovvis_cli.app import run;"
        f"code = run({arguments!r});"
        "found = [name for name in sys.modules if name.startswith('ovvis_cli.diorama')];"
        "print(json.dumps([code, found]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=command_environment(), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [0, []]
