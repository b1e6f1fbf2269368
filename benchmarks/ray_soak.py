"""Many short clips through Ray while its workers and its driver are killed, against a plain run. Linux only.

    python -m benchmarks.ray_soak [--clips 1000] [--broken 20] [--workers 2] [--worker-kills 3] ...

Draws the clips, segments them three times, each time into another folder: with a plain run, with Ray, and
with Ray while processes get SIGKILL, started again until all is done. Prints the times and the overhead, and
exits with 1 if a result differs by a byte, is missing or too much, or a broken clip is
not reported. Set OMP_NUM_THREADS=1: the number of threads may change the last digit of a score.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ovvis_cli.batch.journal import FOLDER
from ovvis_cli.diorama.writer import ClipShape, DataSetPlan, write_data_set

SHELL = "from ovvis_cli.app import main; main()"
NAMES = "dog,cat,car"
FRAME_HW, FRAMES = (48, 64), 6
PAUSE_S = 0.2
SOME_FAILED, KILLED = 1, -signal.SIGKILL


@dataclass(kw_only=True)
class Kills:
    """When to kill: after this many finished clips. Each entry is used once."""

    workers: list[int] = field(default_factory=list)
    drivers: list[int] = field(default_factory=list)


def main() -> None:
    """Run, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=1000, help="whole clips")
    parser.add_argument("--broken", type=int, default=20, help="broken clips beside them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worker-kills", type=int, default=3)
    parser.add_argument("--driver-kills", type=int, default=2)
    parser.add_argument("--model", default="instformer-tiny", help="a name of the catalog, or a weights file")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="ovvis-ray-soak-") as name:
        root = Path(name)
        clips = draw_clips(root / "clips", num_whole=options.clips, num_broken=options.broken)
        plain_s = segment(clips, root / "plain", model=options.model, arguments=[], kills=Kills())
        ray = ["--ray", "local", "--workers", str(options.workers)]
        ray_s = segment(clips, root / "ray", model=options.model, arguments=ray, kills=Kills())
        kills = Kills(
            workers=spread(options.worker_kills, over=options.clips),
            drivers=spread(options.driver_kills, over=options.clips),
        )
        killed_s = segment(clips, root / "killed", model=options.model, arguments=ray, kills=kills)
        print(f"plain run: {plain_s:.1f} s, {plain_s / options.clips:.3f} s per clip")
        print(f"with Ray: {ray_s:.1f} s, {100 * (ray_s / plain_s - 1):+.1f} %")
        print(f"with Ray and kills: {killed_s:.1f} s, {100 * (killed_s / plain_s - 1):+.1f} %")
        problems = [
            problem
            for part in ("ray", "killed")
            for problem in differences(root / part, root / "plain", num_broken=options.broken)
        ]
    for problem in problems:
        print(f"PROBLEM: {problem}")
    sys.exit(1 if problems else 0)


def draw_clips(folder: Path, *, num_whole: int, num_broken: int) -> Path:
    """Draw whole clips, and write broken ones beside them; return the folder of all of them."""
    shape = ClipShape(frame_hw=FRAME_HW, num_frames=FRAMES)
    plan = DataSetPlan(split="val", num_videos=num_whole, seed=7, shape=shape, kinds=None, video_format="mp4")
    write_data_set(folder, plan=plan, overwrite=False, on_video=lambda count: None)
    videos = sorted(folder.rglob("*.mp4"))
    clips = videos[0].parent
    for index in range(num_broken):
        content = videos[index % len(videos)].read_bytes()
        (clips / f"broken{index:03}.mp4").write_bytes(content[: len(content) // 3])
    return clips


def segment(clips: Path, output: Path, *, model: str, arguments: list[str], kills: Kills) -> float:
    """Segment all clips, killing processes on the way, until a run ends by itself; return the time [s]."""
    command = ["segment", str(clips), "-c", NAMES, "--model", model, "-o", str(output), "--quiet", *arguments]
    start_s = time.monotonic()
    environment = os.environ | {"RAY_worker_register_timeout_seconds": "600"}  # the machine may be busy
    while True:
        known = worker_ids()
        messages = output.with_suffix(".log")
        with messages.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SHELL, *command],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        while process.poll() is None:
            time.sleep(PAUSE_S)
            num_done = len(list(output.glob("*/record.json")))
            if kills.drivers and num_done >= kills.drivers[0]:
                kills.drivers.pop(0)
                process.kill()
                process.wait()
                break
            busy = worker_ids() - known
            if kills.workers and num_done >= kills.workers[0] and busy:
                kills.workers.pop(0)
                os.kill(min(busy), signal.SIGKILL)
                known |= busy  # wait for the replacement before the next kill
        if process.returncode == KILLED:
            continue
        if process.returncode not in {0, SOME_FAILED}:
            raise RuntimeError(f"exit code {process.returncode}: {messages.read_text()[-2000:]}")
        return time.monotonic() - start_s


def spread(count: int, *, over: int) -> list[int]:
    """Return `count` numbers of finished clips, evenly between none and all."""
    return [over * (index + 1) // (count + 1) for index in range(count)]


def worker_ids() -> set[int]:
    """Return the process ids of the Ray actors of ovvis that are segmenting."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue
        if command.startswith(b"ray::Worker.segment"):
            found.add(int(entry.name))
    return found


def differences(found: Path, expected: Path, *, num_broken: int) -> list[str]:
    """Return what is wrong in a results folder, in words."""
    before, after = contents(expected), contents(found)
    problems = [f"{found.name}: {path} is missing" for path in sorted(before.keys() - after.keys())]
    problems += [f"{found.name}: {path} is too much" for path in sorted(after.keys() - before.keys())]
    problems += [
        f"{found.name}: {path} differs"
        for path in sorted(before.keys() & after.keys())
        if before[path] != after[path]
    ]
    states = [json.loads(path.read_text())["state"] for path in (found / FOLDER / "videos").glob("*.json")]
    if states.count("failed") != num_broken:
        problems.append(f"{found.name}: {states.count('failed')} failures, expected {num_broken}")
    return problems


def contents(folder: Path) -> dict[str, bytes]:
    """Return all result files by relative path, without the journal."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and FOLDER not in path.parts
    }


if __name__ == "__main__":
    main()
