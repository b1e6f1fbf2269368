"""Independent checks of an installation, from package versions to a run of the embedded model."""

import importlib.metadata
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ovvis_cli.errors import ModelError, OvvisError, ResourceError, as_ovvis_error

PACKAGES: Final = (
    "torch",
    "open_clip_torch",
    "timm",
    "safetensors",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "av",
    "pycocotools",
    "typer",
    "rich",
)
_EMBEDDED: Final = "instformer-tiny"
_SAMPLE_HW: Final = (96, 160)
_SAMPLE_FRAMES: Final = 5

CheckName = Literal["packages", "device", "video", "cache", "weights", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Outcome of one check; `error` is None if it passed."""

    name: CheckName
    detail: str
    error: OvvisError | None


def versions() -> dict[str, str]:
    """Return the versions of Python and of all required packages; "missing" if one is not installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def run_checks() -> Iterator[Check]:
    """Run every check in turn, even if earlier ones failed."""
    checks: tuple[tuple[CheckName, Callable[[], str]], ...] = (
        ("packages", _check_packages),
        ("device", _check_device),
        ("video", _check_video),
        ("cache", _check_cache),
        ("weights", _check_weights),
        ("model", _check_model),
    )
    for name, check in checks:
        yield _run_check(name, check)


def _run_check(name: CheckName, check: Callable[[], str]) -> Check:
    try:
        return Check(name=name, detail=check(), error=None)
    except Exception as error:  # noqa: BLE001 - any exception is a failed check
        shown = as_ovvis_error(error) or ResourceError(f"{type(error).__name__}: {error}")
        return Check(name=name, detail="", error=shown)


def _check_packages() -> str:
    missing = [name for name, version in versions().items() if version == "missing"]
    if missing:
        raise ResourceError(f"not installed: {', '.join(missing)}", hint="reinstall ovvis with pip")
    import cv2
    import torch

    from ovvis_cli.video.writer import OverlayWriter  # noqa: F401 - checks that PyAV's libraries load

    return f"Python {platform.python_version()}, torch {torch.__version__}, OpenCV {cv2.__version__}"


def _check_device() -> str:
    import torch

    devices = [f"CPU with {torch.get_num_threads()} threads"]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        devices.append(f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
        torch.zeros(1, device=f"cuda:{index}")  # an incompatible driver fails only here
    if torch.backends.mps.is_available():
        devices.append("Apple GPU")
    return "; ".join(devices)


def _check_video() -> str:
    import numpy as np

    from ovvis_cli.video.reader import read_frames
    from ovvis_cli.video.writer import OverlayWriter

    height, width = _SAMPLE_HW
    with tempfile.TemporaryDirectory(prefix="ovvis-doctor-") as folder:
        path = Path(folder) / "sample.mp4"
        with OverlayWriter(path, width=width, height=height) as writer:
            for index in range(_SAMPLE_FRAMES):
                writer.write(np.full((height, width, 3), 40 * index, dtype=np.uint8), time_s=index / 25)
        levels = [int(frame.image.mean()) for frame in read_frames(path)]
    if len(levels) != _SAMPLE_FRAMES or any(abs(level - 40 * i) > 6 for i, level in enumerate(levels)):
        raise ResourceError(
            f"H.264 frames differ after writing and reading: {levels}",
            hint="reinstall the package av with pip",
        )
    return "H.264 can be written and read"


def _check_cache() -> str:
    from ovvis_cli.vocabulary.cache import TextCache

    folder = TextCache().folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="doctor-") as file:
            file.write(b"ovvis")
    except OSError as error:
        raise ResourceError(
            f"cannot write the cache {folder}: {error.strerror}",
            hint="set XDG_CACHE_HOME to another folder; without a cache every run encodes its names again",
        ) from error
    return f"{folder} is writable"


def _check_weights() -> str:
    from ovvis_cli.model_store.installed import weights_file
    from ovvis_models.catalog import CATALOG
    from ovvis_models.weights import weights_hash

    found = []
    for spec in CATALOG.values():
        path = weights_file(spec)
        if path is None:
            continue
        sha256 = weights_hash(path)
        if spec.weights is not None and spec.weights.sha256 not in (None, sha256):
            raise ModelError(
                f"the weights of {spec.name} are damaged: SHA-256 {sha256[:12]}...",
                hint="reinstall ovvis",
            )
        found.append(f"{spec.name} ({sha256[:12]})")
    if not found:
        raise ModelError("no weights of any model are installed", hint="reinstall ovvis with pip")
    return ", ".join(found)


def _check_model() -> str:
    import torch

    from ovvis_models.loading import load, segmenter_for

    segmenter = segmenter_for(load(_EMBEDDED))
    frames = torch.zeros((1, *_SAMPLE_HW, 3), dtype=torch.uint8)
    start_s = time.perf_counter()
    segmenter.step(segmenter.encode(frames)[0], [0])
    segmenter.finish()
    return f"{_EMBEDDED} processed one frame in {time.perf_counter() - start_s:.2f} s"
