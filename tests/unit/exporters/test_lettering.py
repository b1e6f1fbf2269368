"""Labels in any script are readable, or told; two names never look the same."""

import itertools
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from ovvis_cli.exporters import lettering, system_fonts
from ovvis_cli.exporters.drawing import DrawnInstance, Painter
from ovvis_cli.exporters.lettering import Lettering, missing_signs
from ovvis_cli.exporters.overlay import export_overlay
from tests.media import VideoSpec, write_video
from tests.records import FRAME_HW, NUM_FRAMES, write_record

NAMES = [
    "dog", "cat", "Straße", "собака", "σκύλος", "շուն", "ձուկ", "ძაღლი", "כלב", "חתול",
    "كلب", "قطة", "แมว", "หมู", "गाय", "घर", "நாய்", "犬", "猫", "いぬ", "개", "🐶", "🐱",
    "👍", "👍🏽", "🇩🇪", "🇫🇷", "👨\u200d👩\u200d👧", "👨👩👧", "ẍ̃", "x",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _forget_fonts() -> Iterator[None]:
    _clear_caches()
    yield
    _clear_caches()


def _clear_caches() -> None:
    for cached in (system_fonts.font_for, system_fonts._font_files, lettering._face):
        cached.cache_clear()


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare server."""
    monkeypatch.setattr(system_fonts, "_folders", lambda: iter(()))


@pytest.fixture(params=["fonts of this machine", "no fonts"])
def fonts(request: pytest.FixtureRequest) -> None:
    if request.param == "no fonts":
        request.getfixturevalue("no_fonts")


def picture(name: str, *, width: int = 640) -> np.ndarray:
    mask = np.zeros((120, width), bool)
    mask[60:100, 20:300] = True
    one = DrawnInstance(track_id=1, caption=name, mask=mask, box_xywh=(20, 60, 280, 40))
    return Painter(frame_hw=(120, width)).draw(np.zeros((120, width, 3), np.uint8), [one])


@pytest.mark.usefixtures("fonts")
def test_no_two_names_look_the_same() -> None:
    pictures = {name: picture(name) for name in NAMES}
    same = [pair for pair in itertools.combinations(NAMES, 2) if np.array_equal(*map(pictures.get, pair))]
    assert same == []


@pytest.mark.usefixtures("fonts")
def test_one_spelling_of_a_letter_looks_like_the_other() -> None:
    np.testing.assert_array_equal(picture("caf\u00e9"), picture("cafe\u0301"))


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_letters_are_told_by_number_and_pictures_by_name() -> None:
    shown = {name: [run.text for run in lettering._runs(name)] for name in NAMES}
    assert shown["แมว"] == ["[0E41 0E21 0E27]"]
    assert shown["🐶"] == ["[dog face]"]
    assert shown["👨\u200d👩\u200d👧"] == ["[man + woman + girl]"]
    assert shown["🇩🇪"] == ["[d e]"]
    assert shown["كلب"] == ["[0643 0644 0628]"]  # letters that would have to join
    assert shown["כלב"] == ["בלכ"]  # the built-in font has them, but draws from the left
    assert shown["犬"] == ["犬"]
    assert shown["dog"] == ["dog"]


@pytest.mark.usefixtures("no_fonts")
def test_words_from_the_right_stay_in_order_within_a_caption() -> None:
    runs = lettering._runs("כלב גדול #3  0.91")
    assert [run.text for run in runs] == ["לודג בלכ", " #3  0.91"]


@pytest.mark.usefixtures("no_fonts")
def test_one_warning_names_all_letters_that_no_font_has(caplog: pytest.LogCaptureFixture) -> None:
    letters = Lettering()
    letters.warn_of_missing(["แมว #1", "dog #2", "🐶 #3", "\u200d👍"])
    canvas = np.zeros((40, 200, 3), np.uint8)
    letters.draw(canvas, "แมว #1", baseline_xy=(2, 30), text_px=12, color=(255, 255, 255))
    (message,) = [record.getMessage() for record in caplog.records]
    for sign in ("แ (U+0E41)", "ม (U+0E21)", "ว (U+0E27)", "🐶 (U+1F436)", "👍 (U+1F44D)", "OVVIS_FONTS"):
        assert sign in message
    assert "dog" not in message


@pytest.mark.usefixtures("no_fonts")
def test_an_overlay_warns_once_of_all_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    video = write_video(tmp_path / "c.mp4", [np.full((*FRAME_HW, 3), 90, np.uint8)] * NUM_FRAMES, VideoSpec())
    record = write_record(tmp_path / "out", source=video)
    monkeypatch.setattr("ovvis_cli.exporters.overlay.caption", lambda track: f"{'แห'[track.track_id % 2]}")
    export_overlay(record, tmp_path / "overlay.mp4")
    (message,) = [entry.getMessage() for entry in caplog.records]
    assert "แ (U+0E41)" in message
    assert "ห (U+0E2B)" in message


@pytest.fixture
def font_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with Pillow's own font, as the only one."""
    default = ImageFont.load_default(20)
    assert isinstance(default, ImageFont.FreeTypeFont)
    assert isinstance(default.path, BytesIO)
    (tmp_path / "Aileron.ttf").write_bytes(default.path.getvalue())
    (tmp_path / "A-damaged-emoji.ttf").write_bytes(b"no font")
    monkeypatch.setattr(system_fonts, "_folders", lambda: iter([tmp_path]))


@pytest.mark.usefixtures("font_folder")
def test_letters_that_the_built_in_font_lacks_come_from_a_font_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lettering, "_is_built_in", lambda sign: sign not in "gx")
    assert missing_signs("dog x") == []
    runs = lettering._runs("gx xg dog")
    fonts = [None if run.font is None else run.font.path.name for run in runs]
    assert [run.text for run in runs] == ["gx xg", " do", "g"]
    assert fonts == ["Aileron.ttf", None, "Aileron.ttf"]
    font = runs[0].font
    assert font is not None
    drawn, ascent = font.picture("gx", text_px=24, color=(10, 20, 30))
    assert drawn.shape[2] == 4
    assert 0 < ascent < drawn.shape[0]  # g goes below the base line
    assert drawn[..., 3].max() == 255
    assert abs(drawn.shape[1] - font.width_px("gx", text_px=24)) <= 3


@pytest.mark.usefixtures("font_folder")
def test_text_at_the_border_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_is_built_in", lambda sign: False)
    canvas = np.zeros((20, 30, 3), np.uint8)
    for baseline in ((-8, 10), (25, 10), (5, 2), (5, 25), (500, 500), (-500, 5)):
        Lettering().draw(canvas, "dog", baseline_xy=baseline, text_px=16, color=(255, 255, 255))
    assert canvas.any()


def test_fonts_of_a_chosen_folder_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OVVIS_FONTS", str(tmp_path))
    assert next(iter(system_fonts._folders())) == tmp_path
