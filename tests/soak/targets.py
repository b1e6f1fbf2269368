"""What is done with a damaged file of each kind. Only `OvvisError`s may come out.

A target makes sound files in a folder, damages one of them, and gives the path to `check`. A file that ever
broke ovvis is kept as `broken/KIND/SEED/PATH` and checked in every test run.
"""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests import media
from tests.records import write_record
from tests.soak.mutation import mutated_bytes, mutated_json

FIXTURES = Path(__file__).parents[1] / "evaluation" / "fixtures"
RECORD_FILES = ("record.json", "masks.jsonl", "tokens.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One kind of file."""

    make: Callable[[Path], list[Path]]  # writes the sound files into a folder; those that may be damaged
    check: Callable[[Path], None]  # reads a damaged file, which lies among the sound ones

    def damage(self, folder: Path, *, seed: int) -> Path:
        """Write the files, damage one, and return its path."""
        rng = random.Random(seed)
        path = rng.choice(self.make(folder))
        is_json = path.suffix in {".json", ".jsonl"}
        path.write_bytes((mutated_json if is_json else mutated_bytes)(path.read_bytes(), rng))
        return path


def _make_videos(folder: Path) -> list[Path]:
    images = media.numbered_images(8, noise=4)
    mpeg4 = media.VideoSpec(codec="mpeg4", time_base=Fraction(1, 30_000))  # it has no finer one
    made = [
        media.write_video(folder / "a.mp4", images, media.VideoSpec(audio="aac")),
        media.write_video(folder / "b.mkv", images),
        media.write_video(folder / "c.avi", images, mpeg4),
        media.write_video(folder / "d.ts", images),
        media.write_video(folder / "e.mov", images, media.VideoSpec(codec="mjpeg", pix_fmt="yuvj420p")),
        media.write_video(folder / "f.webm", images, media.VideoSpec(codec="libvpx-vp9")),
    ]
    made.append(folder / "g.gif")
    _write_gif(made[-1])
    return made


def _check_video(path: Path) -> None:
    from ovvis_cli.exporters.overlay import export_overlay
    from ovvis_cli.video.inputs import expand_inputs
    from ovvis_cli.video.reader import probe, read_frames
    from tests.records import source_info

    for source in expand_inputs([str(path)]):
        probe(source.location)
        for _ in read_frames(source.location):
            pass
    record = write_record(path.parent / f"{path.stem}-record", source=path)
    assert source_info(path).size_bytes == path.stat().st_size
    export_overlay(record, record.folder / "overlay.mp4")


def _make_images(folder: Path) -> list[Path]:
    from PIL import Image

    paths = []
    for index, suffix in enumerate((".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm", ".gif")):
        path = folder / f"{index:03}{suffix}"
        Image.fromarray(media.numbered_images(8, noise=8)[index]).save(path)
        paths.append(path)
    return paths


def _check_image(path: Path) -> None:
    from ovvis_cli.video.inputs import expand_inputs
    from ovvis_cli.video.reader import probe, read_frames

    for given in (path.parent, path):
        for source in expand_inputs([str(given)]):
            probe(source.location)
            for _ in read_frames(source.location):
                pass


def _make_record(folder: Path) -> list[Path]:
    video = media.write_video(folder / "clip.mp4", media.numbered_images(8))
    write_record(folder / "record", source=video)
    return [folder / "record" / name for name in RECORD_FILES]


def _check_record(path: Path) -> None:
    from ovvis_cli.exporters.export import EXPORTERS, ensure_exports
    from ovvis_cli.exporters.summary import summary_json, summary_table
    from ovvis_cli.inference.result_names import named_sources
    from ovvis_cli.record.reader import Record

    folder = path.parent
    named_sources([str(folder.parent / "clip.mp4")], output=folder.parent)
    record = Record.open(folder)
    summary_table(record.header)
    summary_json(record.header)
    record.tokens()
    ensure_exports(record, EXPORTERS)


def _make_annotations(folder: Path) -> list[Path]:
    made = []
    for name in ("ytvis2019", "lvvis", "burst"):
        (folder / name).mkdir(parents=True)
        for file in ("ground_truth.json", "predictions.json"):
            shutil.copyfile(FIXTURES / name / file, folder / name / file)
            made.append(folder / name / file)
    return made


def _check_annotations(path: Path) -> None:
    from ovvis_cli.evaluation.session import ScoringRequest, score_files

    request = ScoringRequest(
        annotations=path.parent / "ground_truth.json",
        predictions=path.parent / "predictions.json",
        data_set=None,
        limit=None,
        lenient=False,
    )
    score_files(request)


def _write_gif(path: Path) -> None:
    from PIL import Image

    first, *others = [Image.fromarray(image) for image in media.numbered_images(4)]
    first.save(path, save_all=True, append_images=others, duration=40)


TARGETS: dict[str, Target] = {
    "video": Target(make=_make_videos, check=_check_video),
    "image": Target(make=_make_images, check=_check_image),
    "record": Target(make=_make_record, check=_check_record),
    "annotations": Target(make=_make_annotations, check=_check_annotations),
}
