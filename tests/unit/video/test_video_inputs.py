"""What the arguments of a command stand for, and how results are named."""

from fractions import Fraction
from pathlib import Path

import pytest

from ovvis_cli.errors import UsageError, VideoError
from ovvis_cli.video.inputs import expand_inputs
from ovvis_cli.video.location import parse_location
from ovvis_cli.video.reader import probe, read_frames
from tests import media


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def expanded(*inputs):
    return [(source.location.text, source.name) for source in expand_inputs(inputs)]


def test_files_keep_their_order(here):
    touch("b.mp4", "a.mkv")

    assert expanded("b.mp4", "a.mkv") == [("b.mp4", "b"), ("a.mkv", "a")]


def test_folder_of_videos_in_natural_order_and_its_own_level_only(here):
    touch("in/v10.mp4", "in/v9.MOV", "in/poster.png", "in/.hidden.mp4", "in/deeper/c.mp4", "in/notes.txt")

    assert expanded("in") == [(str(Path("in/v9.MOV")), "v9"), (str(Path("in/v10.mp4")), "v10")]


def test_folder_of_images_is_one_source(here):
    touch("walk/1.png", "walk/2.jpg")

    (source,) = expand_inputs(["walk"])

    assert (source.location.text, source.name, source.location.kind) == ("walk", "walk", "images")


def test_the_current_folder_gives_its_name(here):
    touch("1.png")

    assert expanded(".") == [(".", here.name)]


def test_the_same_file_twice_is_one_source_and_said(here, caplog):
    touch("a/clip.mp4")
    Path("link.mp4").symlink_to("a/clip.mp4")

    assert expanded("a/clip.mp4", "./a/clip.mp4", "a", "link.mp4") == [("a/clip.mp4", "clip")]
    assert [entry.getMessage() for entry in caplog.records] == [
        "./a/clip.mp4 is the same as a/clip.mp4 and is skipped",
        "link.mp4 is the same as a/clip.mp4 and is skipped",
    ]


def test_patterns_that_the_shell_left(here):
    touch("v2.mp4", "v10.mp4", "v.txt")

    assert [location for location, _ in expanded("v*.mp4")] == ["v2.mp4", "v10.mp4"]
    assert expanded("w*.mp4") == [("w*.mp4", "w_")]


def test_a_file_with_a_pattern_in_its_name(here):
    touch("take[1].mp4")

    assert expanded("take[1].mp4") == [("take[1].mp4", "take[1]")]


def test_missing_files_are_passed_on(here):
    (source,) = expand_inputs(["gone.mp4"])

    assert (source.location.text, source.name, source.location.kind) == ("gone.mp4", "gone", "file")


@pytest.mark.parametrize(
    ("location", "kind", "name", "shown"),
    [
        ("0", "camera", "camera-0", "camera 0"),
        ("rtsp://me:pw@cam.local:554/live", "url", "live", "rtsp://cam.local:554/live"),
        ("https://example.org/a/clip.mp4?token=x", "url", "clip", "https://example.org/a/clip.mp4"),
        ("udp://239.0.0.1:1234", "url", "239.0.0.1", "udp://239.0.0.1:1234"),
        ("https://example.org/x.png", "url", "x", "https://example.org/x.png"),
        ("photo.JPG", "images", "photo", "photo.JPG"),
    ],
)
def test_streams_and_cameras(here, location, kind, name, shown):
    assert parse_location(location).kind == kind
    assert expanded(location) == [(location, name)]
    assert parse_location(location).display_name == shown


def test_names_fit_every_file_system(here):
    assert expanded('a<b>:"c|?*.mp4')[0][1] == "a_b___c___"
    assert expanded("...mp4")[0][1] == "video" or expanded("...mp4")[0][1].strip(".")


def test_no_input():
    with pytest.raises(UsageError, match="no input"):
        expand_inputs([])


def write_gif(path, num_frames):
    spec = media.VideoSpec(codec="gif", pix_fmt="rgb8", time_base=Fraction(1, 100), rate=Fraction(10))
    return media.write_video(path, media.numbered_images(num_frames), spec)


def test_a_folder_of_moving_images_is_that_many_videos(here):
    Path("in").mkdir()
    write_gif(Path("in/a.gif"), 3)
    write_gif(Path("in/b.GIF"), 3)

    assert [location for location, _ in expanded("in")] == [str(Path("in/a.gif")), str(Path("in/b.GIF"))]


def test_stills_beside_videos_are_left_out_with_a_word(here, caplog):
    touch("in/v.mp4", "in/1.png", "in/2.png")

    assert expanded("in") == [(str(Path("in/v.mp4")), "v")]
    assert [entry.getMessage() for entry in caplog.records] == [
        "in: the videos are read, 2 images are skipped"
    ]


def test_a_moving_image_among_many_stills_is_named(here, caplog):
    media.write_images(Path("in"), media.numbered_images(3))
    write_gif(Path("in/wave.gif"), 3)

    assert expanded("in") == [("in", "in")]
    assert [entry.getMessage() for entry in caplog.records] == [
        "in: only the first frame of animated images is read: wave.gif"
    ]
    assert len(list(read_frames("in"))) == 4


def test_a_still_gif_is_an_image(here):
    Path("in").mkdir()
    write_gif(Path("in/a.gif"), 1)

    assert [source.location.kind for source in expand_inputs(["in", "in/a.gif"])] == ["images", "images"]


def test_links_to_nothing_are_passed_on_and_named(here):
    touch("in/a.mp4")
    Path("in/b.mp4").symlink_to("gone.mp4")

    assert [location for location, _ in expanded("in")] == [str(Path("in/a.mp4")), str(Path("in/b.mp4"))]
    with pytest.raises(VideoError, match=r"b\.mp4: broken link \(gone\.mp4 does not exist\)"):
        probe("in/b.mp4")


@pytest.mark.parametrize("name", ["clip.mp4", "take 2.mp4", "größe.mp4", "100%.mp4"])
def test_file_addresses_are_paths(here, name):
    touch(name)

    assert expanded((here / name).as_uri()) == [(str(here / name), Path(name).stem)]


def test_a_file_address_of_nothing_is_no_stream(here):
    (source,) = expand_inputs(["file:///gone/clip.mp4"])

    assert (source.location.kind, source.name) == ("file", "clip")
