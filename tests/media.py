"""Small media files made by code, for tests of everything that reads or writes video.

Frame i of a made video is a plain picture of brightness `level(i)`, so that a decoded frame tells which one
it is (`index_of`) however it was compressed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange

FIRST_LEVEL, LEVEL_STEP, MAX_FRAMES = 10, 4, 60
RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (235, 235, 235)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSpec:
    """How a test video is encoded."""

    rate: Fraction = Fraction(30)
    times_s: Sequence[float] | None = None  # variable frame rate; None for a constant one
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    time_base: Fraction = Fraction(1, 90_000)
    options: dict[str, str] = field(default_factory=dict)
    display_matrix: tuple[int, ...] | None = None
    audio: str | None = None  # codec of the sound, a 440 Hz tone
    audio_rate: int = 44_100
    audio_s: float | None = None  # None for as long as the pictures
    title: str | None = None
    index_first: bool = True  # MP4: False puts the index at the end, where cutting off loses it


ONE = 1 << 16
# as phones write them: how far the stored picture must be turned clockwise
DISPLAY_MATRICES = {
    0: (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    90: (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    180: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    270: (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}
MIRRORED_MATRIX = (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)


def level(index: int) -> int:
    """Brightness of frame `index`."""
    return FIRST_LEVEL + LEVEL_STEP * index


def index_of(image: np.ndarray) -> int:
    """Which frame a decoded picture is; each decoding darkens by up to one level, as swscale cuts off."""
    return round((float(image.mean()) + 1 - FIRST_LEVEL) / LEVEL_STEP)


def numbered_images(num_frames: int, hw: tuple[int, int] = (32, 48), *, noise: int = 0) -> list[np.ndarray]:
    """Pictures that `index_of` tells apart: plain, or with noise of this amplitude to make a file large."""
    if num_frames > MAX_FRAMES:
        raise ValueError(f"at most {MAX_FRAMES} frames can be told apart")
    rng = np.random.default_rng(0)
    return [
        (level(index) + rng.integers(-noise, noise + 1, (*hw, 3))).astype(np.uint8)
        for index in range(num_frames)
    ]


def corner_image(hw: tuple[int, int] = (32, 48)) -> np.ndarray:
    """A picture with its quadrants red, green / blue, white, which shows how it is turned."""
    image = np.empty((*hw, 3), np.uint8)
    half_y, half_x = hw[0] // 2, hw[1] // 2
    image[:half_y, :half_x], image[:half_y, half_x:] = RED, GREEN
    image[half_y:, :half_x], image[half_y:, half_x:] = BLUE, WHITE
    return image


def corners_of(image: np.ndarray) -> str:
    """Names of the quadrants of a decoded `corner_image`: "RGBW" when upright."""
    height, width, _ = image.shape
    colors = {"R": RED, "G": GREEN, "B": BLUE, "W": WHITE}
    centres = [(height // 4, width // 4), (height // 4, 3 * width // 4)]
    centres += [(3 * height // 4, width // 4), (3 * height // 4, 3 * width // 4)]
    return "".join(
        min(colors, key=lambda name: int(np.abs(np.subtract(image[y, x], colors[name], dtype=int)).sum()))
        for y, x in centres
    )


def write_video(path: Path, images: Sequence[np.ndarray], spec: VideoSpec | None = None) -> Path:
    """Encodes uint8 RGB pictures (RGBA where the pixel format has alpha), with a tone if `spec.audio`."""
    spec = spec or VideoSpec()
    flags = {"movflags": "+faststart"} if path.suffix in {".mp4", ".mov"} and spec.index_first else {}
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream(spec.codec, rate=spec.rate, options={"crf": "10"} | spec.options)
        height, width = images[0].shape[:2] if images else (32, 48)
        stream.width, stream.height, stream.pix_fmt = width, height, spec.pix_fmt
        stream.codec_context.time_base = spec.time_base
        if spec.pix_fmt.startswith("gray"):
            stream.codec_context.color_range = ColorRange.JPEG  # swscale makes grey of full range
        if spec.display_matrix:
            stream.set_display_matrix(spec.display_matrix)
        if spec.title:
            container.metadata["title"] = spec.title
        sound = container.add_stream(spec.audio, rate=spec.audio_rate, layout="mono") if spec.audio else None
        container.start_encoding()
        for index, image in enumerate(images):
            time_s = spec.times_s[index] if spec.times_s else index / spec.rate
            frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
            frame.pts, frame.time_base = round(Fraction(time_s) / spec.time_base), spec.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            length_s = len(images) / spec.rate if spec.audio_s is None else spec.audio_s
            _encode_tone(container, sound, length_s=float(length_s))
    return path


def write_audio(path: Path, *, codec: str = "aac", length_s: float = 0.5) -> Path:
    """A tone without a picture."""
    with av.open(str(path), "w") as container:
        _encode_tone(container, container.add_stream(codec, rate=44_100, layout="mono"), length_s=length_s)
    return path


def cut_off(path: Path, *, keep: float) -> Path:
    """Truncates a file to a share of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def scribble(path: Path, *, start: float, length_bytes: int) -> Path:
    """Overwrites bytes in the middle of a file with noise."""
    data = bytearray(path.read_bytes())
    at = int(len(data) * start)
    data[at : at + length_bytes] = np.random.default_rng(0).bytes(length_bytes)
    path.write_bytes(bytes(data))
    return path


def write_images(folder: Path, images: Sequence[np.ndarray], *, names: Sequence[str] | None = None) -> Path:
    """A folder of PNG files, named frame0.png, frame1.png, ... unless named."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        name = names[index] if names else f"frame{index}.png"
        channels = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        if not cv2.imwrite(str(folder / name), cv2.cvtColor(image, channels)):
            raise OSError(f"cannot write {name}")
    return folder


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    """Time in seconds and content of every sound packet of a file."""
    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(container.streams.audio[0])
            if packet.size
        ]


def _encode_tone(container, stream, *, length_s: float) -> None:
    num_samples, chunk = int(length_s * stream.rate), 1024
    for start in range(0, num_samples, chunk):
        times = np.arange(start, min(start + chunk, num_samples)) / stream.rate
        wave = (0.4 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = stream.rate, start, Fraction(1, stream.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_song_with_cover(path: Path) -> Path:
    """A tone with a cover picture, as music players store it: a picture stream, but no video."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 48, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(corner_image(), format="rgb24")))
        container.mux(cover.encode(None))
        _encode_tone(container, sound, length_s=0.5)
    return path
