"""A colour a track: fixed for ever, and well apart."""

import cv2
import numpy as np
import pytest

from ovvis_cli.exporters.colors import text_color, track_color


def test_colors_are_frozen():
    assert [track_color(track_id) for track_id in (0, 1, 2, 3, 1000)] == [
        (66, 163, 253),
        (240, 87, 77),
        (42, 221, 164),
        (182, 124, 254),
        (25, 157, 221),
    ]


def lab(color):
    return cv2.cvtColor(np.array([[color]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def test_first_tracks_differ_well():
    labs = np.array([lab(track_color(track_id)) for track_id in range(1, 11)])
    distances = np.linalg.norm(labs[:, None] - labs[None], axis=-1) + 1000 * np.eye(len(labs))
    assert distances.min() > 18  # a difference of 2 is just noticeable


@pytest.mark.parametrize("track_id", range(60))
def test_text_is_readable_on_every_tag(track_id):
    color = track_color(track_id)
    assert all(0 <= value <= 255 for value in color)

    def luminance(rgb):
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(rgb) / 255]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    high, low = sorted((luminance(color), luminance(text_color(color))), reverse=True)
    assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG AA
