"""What HTML pages hold, for tests of those that write them."""

import json
import re

import cv2
import numpy as np

from tests.records import FRAME_HW


def frames_of(page):
    """The list of outlines in a page."""
    return json.loads(re.search(r'id="frames">(.*?)</script>', page.read_text(), re.DOTALL)[1])


def drawn(path_text, hw=FRAME_HW):
    """The mask that an SVG path of M, l and z fills by the even-odd rule."""
    lines = []
    for line in re.findall(r"M([^M]*?)z", path_text):
        start, *steps = re.split("l", line)
        numbers = [int(number) for number in " ".join([start, *steps]).split()]
        points = np.array(numbers).reshape(-1, 2)
        lines.append(np.cumsum(points, axis=0).astype(np.int32))
    mask = np.zeros(hw, np.uint8)
    cv2.fillPoly(mask, lines, 1)
    return mask.astype(bool)
