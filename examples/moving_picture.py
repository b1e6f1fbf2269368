"""Turns an overlay video into a small moving picture for a web page (animated WebP).

ovvis segment examples/park.mp4 --classes "dog,skateboard" --model instformer-tiny
python examples/moving_picture.py ovvis-out/park/overlay.mp4 docs/park.webp
"""

import argparse
from pathlib import Path

from PIL import Image

from ovvis_cli.video.reader import read_frames


def main() -> None:
    """Write every second frame, at the speed of the video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--stride", type=int, default=2, help="write every N-th frame")
    parser.add_argument("--quality", type=int, default=60, help="of WebP, 0 to 100")
    options = parser.parse_args()
    frames = list(read_frames(options.video, stride=options.stride))
    images = [Image.fromarray(frame.image) for frame in frames]
    times_ms = [round(1000 * frame.time_s) for frame in frames]
    steps_ms = [later - earlier for earlier, later in zip(times_ms, times_ms[1:], strict=False)]
    durations_ms = [*steps_ms, steps_ms[-1] if steps_ms else 1000]
    images[0].save(
        options.picture,
        save_all=True,
        append_images=images[1:],
        duration=durations_ms,
        loop=0,
        quality=options.quality,
        method=6,
    )
    print(f"{options.picture}: {len(images)} frames, {options.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
