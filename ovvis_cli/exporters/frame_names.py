"""File names of frames. Those of a video are named as in a CVAT video task, so that tools find them."""

from pathlib import PurePath

from ovvis_cli.record.schema import FrameLine


def image_name(frame: FrameLine) -> str:
    """Return the file name of a frame: that of its image, or `frame_000012.jpg`, counted from 0."""
    return f"frame_{frame.frame_index:06d}.jpg" if frame.image is None else frame.image.name


def image_stem(frame: FrameLine) -> str:
    """Return the file name of a frame without its suffix."""
    return PurePath(image_name(frame)).stem
