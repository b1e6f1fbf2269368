"""Resident memory of `ovvis segment` while it processes a long drawn video. Linux only.

    python -m benchmarks.memory [--frames 3000] [--size 480x854] [--every 500]

The video plays a short drawn scene forward and backward. Every so many recorded frames, prints the mean of
five readings two seconds apart.
"""

import argparse
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from ovvis_cli.benchmarking.workload import drawn_video
from ovvis_cli.diorama.scene import FRAMES_PER_S
from ovvis_cli.video.reader import read_frames
from ovvis_cli.video.writer import OverlayWriter

SHELL = "from ovvis_cli.app import main; main()"
NAMES = "dog,skateboard,cat,car"
READINGS, PAUSE_S = 5, 2.0
SCENE_FRAMES = 40


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--size", default="480x854")
    parser.add_argument("--every", type=int, default=500)
    options = parser.parse_args()
    height, width = (int(side) for side in options.size.split("x"))
    with TemporaryDirectory() as name:
        video = long_video(Path(name), frame_hw=(height, width), num_frames=options.frames)
        arguments = ["segment", str(video), "--classes", NAMES, "-o", name, "--save", "ytvis", "--quiet"]
        masks = Path(name) / video.stem / "masks.jsonl"
        process = subprocess.Popen([sys.executable, "-c", SHELL, *arguments])
        awaited, readings = options.every, list[float]()
        while process.poll() is None:
            time.sleep(PAUSE_S)
            num_frames = masks.read_bytes().count(b"\n") if masks.is_file() else 0
            if num_frames >= awaited and (resident := resident_mib(process.pid)) is not None:
                readings.append(resident)
            if len(readings) == READINGS:
                print(f"{num_frames} frames: {mean(readings):.0f} MiB", flush=True)
                awaited, readings = awaited + options.every, []
    sys.exit(process.returncode)


def long_video(folder: Path, *, frame_hw: tuple[int, int], num_frames: int) -> Path:
    """Write an MP4 of any length while holding only one scene in memory."""
    scene = [
        frame.image for frame in read_frames(drawn_video(folder, frame_hw=frame_hw, num_frames=SCENE_FRAMES))
    ]
    path = folder / "long.mp4"
    with OverlayWriter(path, height=frame_hw[0], width=frame_hw[1]) as writer:
        for number, image in enumerate(islice(cycle([*scene, *scene[-2:0:-1]]), num_frames)):
            writer.write(image, time_s=number / FRAMES_PER_S)
    return path


def resident_mib(process_id: int) -> float | None:
    """Return the resident memory of a process, or None if it has just ended."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except FileNotFoundError:
        return None
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024 if "VmRSS" in lines else None


if __name__ == "__main__":
    main()
