"""Names sorted as people read them."""

import random

import pytest

from ovvis_cli.video.natural_order import in_natural_order


@pytest.mark.parametrize(
    "names",
    [
        ["9", "10", "a", "Frame1.png", "frame9.png", "frame9b.png", "frame10.png"],
        pytest.param(["0.05.png", "0.1.png", "0.15.png", "1.0.png", "10.0.png"], id="decimals"),
        pytest.param(["t-0.25s.jpg", "t-0.5s.jpg", "t-1.75s.jpg"], id="decimals inside a name"),
        pytest.param(["1.png", "1.5.png", "2.png"], id="whole numbers among decimals"),
        pytest.param(["v1.1.mp4", "v1.9.mp4", "v1.10.mp4", "v2.1.mp4"], id="versions"),
        pytest.param(["2024.1.2.png", "2024.01.05.png", "2024.01.10.png"], id="dates"),
        pytest.param(["clip1.3gp", "clip2.3gp", "clip10.3gp"], id="digits in the suffix"),
        pytest.param(["1700000000123456788.png", "1700000000123456789.png"], id="nanoseconds"),
        pytest.param([], id="nothing"),
    ],
)
def test_order(names):
    shuffled = names[:]
    random.Random(0).shuffle(shuffled)

    assert in_natural_order(shuffled, key=str) == names
    assert in_natural_order(reversed(names), key=str) == names
