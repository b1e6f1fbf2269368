"""The report and the index in a real browser: every control does what it says."""

from pathlib import Path

import numpy as np
import pytest

from ovvis_cli.exporters.export import ensure_exports
from ovvis_cli.exporters.report.index_page import write_index
from ovvis_cli.search.find import Hit
from ovvis_cli.search.page import write_find_page
from tests.browser import browser
from tests.media import write_video
from tests.records import BOARD, DOG, FRAME_HW, NUM_FRAMES, write_record

__all__ = ["browser"]

pytestmark = pytest.mark.e2e

STATE = """() => ({
  picture: document.getElementById("canvas").toDataURL(),
  text: document.body.innerText,
  time: document.getElementById("video").currentTime.toFixed(3),
  paused: document.getElementById("video").paused,
  rate: document.getElementById("video").playbackRate,
  rows: [...document.querySelectorAll(".track")].map((row) => row.hidden),
})"""
NUM_COLORED = """() => {
  const canvas = document.getElementById("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, index) => index % 4 === 3 && value > 0).length;
}"""
CONTROLS = {  # of the report; a value for those that are not clicked
    "#play": None,
    "#back": None,
    "#forward": None,
    "#seek": 0.2,
    "#masks": None,
    "#outlines": None,
    "#labels": None,
    "#speed": "0.5",
    "summary": None,
    "#none": None,
    "#all": None,  # after "#none"
    "#name": "skate",
    "#score": 0.6,
    ".track input": None,
    ".crop": None,
    ".timeline": None,
}
KEYS = [" ", "ArrowLeft", "ArrowRight", "m", "o", "l"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records with reports, and their index."""
    folder = tmp_path_factory.mktemp("results")
    for name in ("clip", "walk"):
        images = [np.full((*FRAME_HW, 3), 90, np.uint8)] * NUM_FRAMES
        record = write_record(folder / name, source=write_video(folder / f"{name}.mp4", images))
        ensure_exports(record, ["report"])
    write_index(folder)
    return folder


@pytest.fixture(scope="module")
def context(browser):
    return browser.new_context(viewport={"width": 900, "height": 700})


@pytest.fixture
def open_page(context):
    """Opens a page of a file, and checks that it asked for nothing outside itself and made no error."""
    asked, errors = [], []
    page = context.new_page()

    def opened(path, fragment=""):
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri() + fragment)
        return page

    yield opened
    page.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert errors == []


@pytest.fixture
def report(open_page, results):
    """The report, ready: the video is loaded and its third frame is shown."""
    page = open_page(results / "clip" / "report.html")
    wait_until(page, "video.readyState >= 2")
    page.locator("#seek").fill(str(3 / 30))
    settle(page)
    return page


def wait_until(page, expression):
    """As Playwright's `wait_for_function`, which evaluates text in the page, what the page does not allow."""
    for _ in range(400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never true: {expression}")


def settle(page):
    """Wait until the picture of the last seek is shown."""
    wait_until(page, "!video.seeking")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def operate(page, selector):
    control, value = page.locator(selector).first, CONTROLS[selector]
    if selector == "#speed":
        control.select_option(value)
    elif value is not None:
        control.fill(str(value))
    else:
        control.click()
    settle(page)


def test_every_control_of_the_page_is_in_the_list(report):
    found = report.evaluate(
        """(known) => [...document.querySelectorAll("button, input, select, summary, a, .timeline")]
            .filter((control) => !known.some((selector) => control.matches(selector)))
            .map((control) => control.outerHTML)""",
        list(CONTROLS),
    )
    assert found == []


def test_no_control_does_nothing(report):
    for selector in CONTROLS:
        before = report.evaluate(STATE)
        operate(report, selector)
        assert report.evaluate(STATE) != before, selector
        report.evaluate("video.pause()")
        report.locator("#name").fill("")
        report.locator("#score").fill("0")
        for box in ("#masks", "#outlines", "#labels"):
            report.locator(box).check()


@pytest.mark.parametrize("focus", ["#seek", "#masks", "body"])
def test_no_key_does_nothing(report, focus):
    for key in KEYS:
        if key == " " and focus == "#masks":  # presses the box itself
            continue
        report.locator(focus).focus()
        before = report.evaluate(STATE)
        report.keyboard.press(key)
        settle(report)
        assert report.evaluate(STATE) != before, key
        report.evaluate("video.pause()")


def test_keys_are_letters_in_a_text_field(report):
    report.locator("#name").focus()
    report.keyboard.type("mol ")
    assert report.locator("#name").input_value() == "mol "
    assert report.locator("#masks").is_checked()


def test_every_control_is_reached_by_the_keyboard(report):
    reached = set()
    for _ in range(40):
        report.keyboard.press("Tab")
        reached |= set(
            report.evaluate(
                "(known) => known.filter((selector) => document.activeElement.matches(selector))",
                list(CONTROLS),
            )
        )
    assert set(CONTROLS) - reached == {".timeline"}  # for the mouse; #seek is the same for the keyboard
    names = report.evaluate(
        """() => [...document.querySelectorAll("button, input, select")].map((control) =>
            control.getAttribute("aria-label") || control.labels?.[0]?.innerText || control.innerText)"""
    )
    assert all(names)


def test_tracks_are_switched_on_and_off(report):
    both = report.evaluate(NUM_COLORED)
    report.get_by_label(f"Show dog #{DOG}").uncheck()
    without_dog = report.evaluate(NUM_COLORED)
    report.locator("#none").click()
    nothing = report.evaluate(NUM_COLORED)
    report.locator("#all").click()
    assert (both > without_dog > nothing == 0, report.evaluate(NUM_COLORED)) == (True, both)


def test_filters_by_name_and_score(report):
    def shown():
        return report.locator(".track:visible .name").all_inner_texts()

    assert shown() == [f"dog #{DOG}", f"skateboard #{BOARD}"]
    report.locator("#name").fill("DOG")
    assert (shown(), report.locator("#count").inner_text()) == ([f"dog #{DOG}"], "1 of 2 tracks")
    report.locator("#name").fill("")
    everything = report.evaluate(NUM_COLORED)
    report.locator("#score").fill("0.6")  # the skateboard has 0.5
    assert shown() == [f"dog #{DOG}"]
    assert 0 < report.evaluate(NUM_COLORED) < everything
    report.locator("#score").fill("0.9")
    assert (shown(), report.evaluate(NUM_COLORED)) == ([], 0)


@pytest.mark.parametrize("frame_index", [0, 1, 4, 7])
def test_seeking_shows_the_masks_of_that_frame(report, frame_index):
    for box in ("#labels", "#outlines"):
        report.locator(box).uncheck()
    report.locator("#seek").fill(f"{frame_index / 30:.6f}")
    settle(report)
    assert report.evaluate("video.currentTime") == pytest.approx(frame_index / 30, abs=2e-3)
    left = report.evaluate(
        """() => {
          const canvas = document.getElementById("canvas");
          const [width, y] = [canvas.width, Math.round(canvas.height * 6 / 32)];
          const { data } = canvas.getContext("2d").getImageData(0, y, width, 1);
          return data.findIndex((value, index) => index % 4 === 3 && value > 0) / 4 / width * 48;
        }"""
    )
    assert left == pytest.approx(2.5 + frame_index, abs=0.3)  # the dog walks right, a pixel a frame


def test_playing_moves_video_and_masks(report):
    report.locator("#seek").fill("0")
    settle(report)
    before = report.evaluate(STATE)
    report.locator("#play").click()
    wait_until(report, "video.currentTime > 0.1")
    wait_until(report, "video.paused")  # it has reached the end
    after = report.evaluate(STATE)
    assert after["picture"] != before["picture"]
    assert report.locator("#play").inner_text() == "Play"


def test_play_is_also_pause(report):
    report.evaluate("byId('speed').value = 0.25, byId('speed').dispatchEvent(new Event('change'))")
    report.evaluate("byId('play').click()")
    wait_until(report, "byId('play').textContent === 'Pause' || video.ended")
    report.evaluate("video.currentTime = 0, video.play().catch(() => 0), byId('play').click()")
    wait_until(report, "byId('play').textContent === 'Play'")
    assert report.evaluate("video.paused && !video.ended")


def test_the_crop_leads_to_the_best_frame(report):
    report.get_by_label(f"Go to the best frame of skateboard #{BOARD}").click()
    settle(report)
    assert report.evaluate("video.currentTime") == pytest.approx(1 / 30, abs=2e-3)
    selected = report.locator(".track[aria-current=true] .name").all_inner_texts()
    assert selected == [f"skateboard #{BOARD}"]


def test_address_opens_a_track(open_page, results):
    page = open_page(results / "clip" / "report.html", f"#track={BOARD}")
    wait_until(page, "video.currentTime > 0.03")
    assert page.locator(".track[aria-current=true] .name").inner_text() == f"skateboard #{BOARD}"


def test_scores_names_and_settings_are_shown(report):
    text = report.locator(".track").first.inner_text()
    assert "score 0.77, object 0.80" in text
    assert "runner-up: cat 0.12" in text
    report.locator("summary").click()
    settings = report.locator("#settings").inner_text()
    assert "instformer-tiny" in settings
    assert "precision" in settings
    assert "not found: cat (best score 0.12)" in report.locator("#notes").inner_text()


def test_index_filters_and_orders(open_page, results):
    page = open_page(results / "index.html")

    def shown():
        return page.locator(".video:visible h2").all_inner_texts()

    assert (shown(), page.locator("#count").inner_text()) == (["clip", "walk"], "2 of 2 videos, 4 tracks")
    page.locator("#name").fill("walk")
    assert shown() == ["walk"]
    page.locator("#name").fill("skate")
    assert (shown(), page.locator(".crops a:visible").count()) == (["clip", "walk"], 2)
    page.locator("#score").fill("0.6")
    assert shown() == []
    page.locator("#name").fill("")
    assert page.locator(".crops a:visible").count() == 2
    page.evaluate("entry = videos[1]; entry.tracks = entry.tracks.slice(0, 1)")
    page.locator("#order").select_option("tracks")
    assert page.locator(".video h2").all_inner_texts() == ["clip", "walk"]


def test_index_leads_to_a_track_in_its_report(open_page, results):
    page = open_page(results / "index.html")
    page.get_by_label(f"skateboard #{BOARD}").nth(1).click()
    page.wait_for_selector(".track[aria-current=true]")
    assert page.url.endswith(f"/walk/report.html#track={BOARD}")
    assert page.locator(".track[aria-current=true] .name").inner_text() == f"skateboard #{BOARD}"


def test_page_of_a_search_filters_and_leads_to_reports(open_page, results):
    hits = [
        Hit(
            score=score,
            name=name,
            record=results / folder,
            video=f"{folder}.mp4",
            track_id=track_id,
            first_time_s=0.0,
            last_time_s=0.2,
            num_frames=8,
        )
        for score, name, folder, track_id in ((0.9, "dog", "clip", DOG), (0.4, "board", "walk", BOARD))
    ]
    write_find_page(results / "found.html", hits=hits, names=("dog", "board"), num_tracks=100)
    page = open_page(results / "found.html")
    shown = page.locator(".hit:visible h2")
    assert shown.all_inner_texts() == [f"clip #{DOG}", f"walk #{BOARD}"]
    assert page.locator("#count").inner_text() == "2 of the best 2 tracks of 100"
    assert page.locator(".hit img").count() == 2
    page.locator("#score").fill("0.5")
    assert shown.all_inner_texts() == [f"clip #{DOG}"]
    page.locator("#score").fill("0")
    page.locator("#name").fill("walk")
    assert shown.all_inner_texts() == [f"walk #{BOARD}"]
    page.locator(".hit:visible h2 a").click()
    page.wait_for_selector(".track[aria-current=true]")
    assert page.url.endswith(f"/walk/report.html#track={BOARD}")
