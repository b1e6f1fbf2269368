"""Run a fixture through the product and compare the results: `python tests/parity/check_product.py FOLDER`.

    layout, fill rule -> the authors' checkpoint file -> `ovvis models import`
    frames, class names -> a small data set on disk  -> `ovvis evaluate --rules published` -> results

The pairs of track and class must be the same, scores equal to 1e-4, and masks equal bit for bit where the
official logits are not within rounding of the threshold. Prints one line per property; exits 1 when one falls
short, 2 when the folder cannot be checked.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [entry for entry in (str(ROOT), str(ROOT / "models")) if entry not in sys.path]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from ovvis_cli.app import run as run_command  # noqa: E402
from ovvis_cli.evaluation.predictions import VideoPredictions, read_predictions  # noqa: E402
from ovvis_cli.rle import Rle, decode_rle  # noqa: E402
from ovvis_cli.vocabulary.categories import load_table, table_name  # noqa: E402
from ovvis_models.preprocess import logits_to_original  # noqa: E402
from tests.parity.exact import exact_convolutions  # noqa: E402
from tests.parity.fixture import Fixture, read_fixture  # noqa: E402
from tests.parity.weights_by_name import weights_of_layout  # noqa: E402

SCORE_TOLERANCE = 1e-4
HALF_PRECISION = 2.0**-10  # the fixtures keep mask logits in half precision
CLIP_PREFIX = "clip."  # tensors of a CLIP that the authors' checkpoint does not hold
CLOSED_TABLES = {40: "ytvis2019", 25: "ovis"}  # by number of classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one property of the results compares."""

    name: str
    passed: bool
    remark: str


def check_product(fixture: Fixture, work: Path) -> list[Verdict]:
    """Import, evaluate and compare; everything is written below `work`.

    Raises:
        RuntimeError: a command failed.
    """
    os.environ["OVVIS_HOME"] = str(work / "home")
    model = catalog_name(fixture)
    _run("models", "import", model, *write_checkpoints(fixture, work), "--quiet")
    data = write_data_set(fixture, work / "data")
    with exact_convolutions():
        _run("evaluate", *_options(fixture, work), "--model", model, "--data", data, "--output", work / "out")
    predictions = read_predictions(work / "out" / "videos" / "1.json")
    listed = json.loads((work / "out" / "results.json").read_text())
    return compare_results(fixture, predictions, num_listed=len(listed))


def catalog_name(fixture: Fixture) -> str:
    """Return the catalog's model of a fixture; MinVIS and GenVIS have one per class table."""
    name = str(fixture.case["fixture"])
    if name.startswith("minvis-r50"):
        return f"minvis-r50-{closed_table(fixture)}"
    if name.startswith("genvis"):
        return f"genvis-r50-{closed_table(fixture)}" + ("-semi" if "semionline" in name else "")
    from ovvis_models.catalog import CATALOG

    known = [model for model in CATALOG if name.startswith(model)]
    if not known:
        raise KeyError(f"no model of the catalog for the fixture {name}")
    return max(known, key=len)


def class_names(fixture: Fixture) -> list[str]:
    """Return the names that the data set's categories get."""
    if "class_names" in fixture.case.get("text", {}):
        return list(fixture.case["text"]["class_names"])
    if "text_features" in fixture.arrays:
        return [f"class {number}" for number in range(1, len(fixture.arrays["text_features"]) + 1)]
    table = load_table(table_name(closed_table(fixture)))
    return [category.name for category in table.categories]


def closed_table(fixture: Fixture) -> str:
    """Return the name of the category table of a closed set."""
    model = fixture.case["model"]
    return CLOSED_TABLES[model["classes" if "classes" in model else "num_classes"]]


def write_checkpoints(fixture: Fixture, folder: Path) -> list[Path]:
    """Write the files that the authors publish: their checkpoint, and CLIP where it is a separate file."""
    weights = weights_of_layout(fixture.layout, gains=fixture.case["gain"])
    clip = {name: x for name, x in weights.items() if name.startswith(CLIP_PREFIX)}
    theirs = {name: x for name, x in weights.items() if name not in clip}
    torch.save({"model": theirs, "iteration": 1}, folder / "model_final.pth")
    if not clip:
        return [folder / "model_final.pth"]
    torch.save({name.removeprefix(CLIP_PREFIX): x for name, x in clip.items()}, folder / "clip.pt")
    return [folder / "model_final.pth", folder / "clip.pt"]


def write_data_set(fixture: Fixture, folder: Path) -> Path:
    """Write the frames and categories in the layout of LV-VIS, without ground truth."""
    frames = fixture.arrays["frames"]
    count, height, width = frames.shape[:3]
    names = [f"v1/{index:05d}.png" for index in range(count)]
    for name, frame in zip(names, frames, strict=True):
        path = folder / "val" / "JPEGImages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    video = {"id": 1, "height": height, "width": width, "length": count, "file_names": names}
    categories = [{"id": index + 1, "name": name} for index, name in enumerate(class_names(fixture))]
    document = {"videos": [video], "categories": categories, "annotations": None}
    (folder / "val_instances.json").write_text(json.dumps(document))
    return folder


def compare_results(fixture: Fixture, predictions: VideoPredictions, *, num_listed: int) -> list[Verdict]:
    """Return the verdicts on pairs, scores and masks of the results."""
    ours: dict[tuple[int, int], tuple[float, tuple[Rle | None, ...]]] = {
        (track.track_id - 1, category_id - 1): (score, track.masks)
        for track in predictions.tracks
        for category_id, score in track.labels
    }
    slots, labels = fixture.arrays["query_index"].tolist(), fixture.arrays["labels"].tolist()
    pairs = list(zip(slots, labels, strict=True))
    missing = [pair for pair in pairs if pair not in ours]
    if missing or len(ours) != len(pairs) or num_listed != len(pairs):
        remark = f"{len(missing)} of {len(pairs)} pairs missing, {len(ours)} listed"
        return [Verdict(name="pairs", passed=False, remark=remark)]
    scores = np.array([ours[pair][0] for pair in pairs])
    worst = float(np.abs(scores - fixture.arrays["scores"]).max())
    masks = np.stack([_decoded(ours[pair][1], frame_hw=fixture.frames.shape[1:3]) for pair in pairs])
    return [
        Verdict(name="pairs", passed=True, remark=f"{len(pairs)} the same"),
        Verdict(name="scores", passed=worst <= SCORE_TOLERANCE, remark=f"worst difference {worst:.1e}"),
        _compare_masks(fixture, masks),
    ]


def _compare_masks(fixture: Fixture, masks: np.ndarray) -> Verdict:
    """Compare bits (N, T, H0, W0) where the official logits are clear of the threshold."""
    bits = np.unpackbits(fixture.arrays["masks"], axis=1)[:, : masks[0].size].reshape(masks.shape)
    different = bits.astype(bool) != masks
    undecided = np.stack([_near_threshold(fixture, row) for row in range(len(masks))])
    wrong = int((different & ~undecided).sum())
    remark = f"{wrong} of {masks.size} pixels differ, {int(different.sum())} with those near the threshold"
    return Verdict(name="masks", passed=wrong == 0, remark=remark)


def _near_threshold(fixture: Fixture, row: int) -> np.ndarray:
    """Return which pixels (T, H0, W0) of a listed mask are within rounding of the threshold."""
    kept = fixture.arrays["mask_logits"]
    if "mask_tracks" in fixture.arrays:  # kept once per track
        row = fixture.arrays["mask_tracks"].tolist().index(int(fixture.arrays["query_index"][row]))
    logits = torch.from_numpy(kept[row].astype(np.float64))  # (T, h, w)
    full = logits_to_original(logits, fixture.geometry).abs()
    rounding = logits_to_original(logits.abs() * HALF_PRECISION, fixture.geometry) + SCORE_TOLERANCE
    return (full <= rounding).numpy()


def _decoded(masks: tuple[Rle | None, ...], *, frame_hw: tuple[int, int]) -> np.ndarray:
    empty = np.zeros(tuple(frame_hw), dtype=bool)
    return np.stack([empty if rle is None else decode_rle(rle) for rle in masks])


def _options(fixture: Fixture, work: Path) -> list[str | Path]:
    settings = fixture.case["inference"]
    options: list[str | Path] = ["--dataset", "lvvis", "--rules", "published", "--device", "cpu"]
    options += [
        "--precision",
        "fp32",
        "--quiet",
        "--short-side",
        fixture.case["preprocessing"]["min_size_test"],
    ]
    options += ["--results-per-video", settings["top_k"]]
    if "memory_frames" in settings:
        options += ["--top-k-frames", settings["memory_frames"], "--top-k-chosen", settings["top_k_frames"]]
    if "class_names" not in fixture.case.get("text", {}) and "text_features" in fixture.arrays:
        np.save(work / "text.npy", fixture.arrays["text_features"])
        options += ["--text-embeddings", work / "text.npy"]
    return options


def _run(*arguments: object) -> None:
    code = run_command([str(argument) for argument in arguments])
    if code:
        raise RuntimeError(f"ovvis {' '.join(map(str, arguments))} exited with {code}")


def main(arguments: list[str]) -> int:
    """Check one folder, print the verdicts, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        fixture = read_fixture(options.folder)
    except (OSError, ValueError, KeyError) as error:
        print(f"{options.folder}: no readable fixture: {error}", file=sys.stderr)
        return 2
    with TemporaryDirectory(prefix="ovvis-parity-") as work:
        try:
            verdicts = check_product(fixture, Path(work))
        except (KeyError, RuntimeError) as error:
            print(f"{options.folder}: cannot be checked: {error}", file=sys.stderr)
            return 2
    for verdict in verdicts:
        print(f"{verdict.name:8} {'ok' if verdict.passed else 'SHORT':6} {verdict.remark}")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
