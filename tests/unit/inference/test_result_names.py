"""Result folders: named after their video, the same in every run, whatever else is in the list."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ovvis_cli.inference.result_names import named_sources
from ovvis_cli.record.recorded_source import recorded_source
from ovvis_cli.record.writer import RecordWriter
from tests.records import source_info, write_record


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for number, name in enumerate(names):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))


def names(*inputs):
    return [source.name for source in named_sources(inputs, output=Path("out"))]


def run(*inputs):
    """The names of a run that leaves a finished record of each input."""
    sources = named_sources(inputs, output=Path("out"))
    for source in sources:
        folder = Path("out") / source.name
        if not folder.exists():
            write_record(folder, source=source.location.path.absolute())
    return [source.name for source in sources]


def test_a_video_alone_has_its_own_name(here):
    touch("camA/clip.mp4")

    assert names("camA/clip.mp4") == ["clip"]


def test_equal_names_get_the_name_of_their_folder(here):
    touch("camA/clip.mp4", "camB/clip.mp4", "camC/other.mp4")

    assert names("camA/clip.mp4", "camB/clip.mp4", "camC/other.mp4") == ["camA-clip", "camB-clip", "other"]
    assert names("camB/clip.mp4", "camC/other.mp4", "camA/clip.mp4") == ["camB-clip", "other", "camA-clip"]


def test_one_name_with_several_suffixes(here):
    touch("a/clip.mp4", "a/clip.mkv", "a/Clip.mov")

    found = names("a/clip.mp4", "a/clip.mkv", "a/Clip.mov")

    assert found == ["a-clip.mp4", "a-clip.mkv", "a-Clip.mov"]


def test_equal_names_in_folders_of_equal_names(here):
    touch("x/day/clip.mp4", "y/day/clip.mp4")

    found = names("x/day/clip.mp4", "y/day/clip.mp4")

    assert len(set(found)) == 2 and all(name.startswith("clip-") for name in found)
    assert found == names("x/day/clip.mp4", "y/day/clip.mp4")
    assert found[::-1] == names("y/day/clip.mp4", "x/day/clip.mp4")


def test_a_video_that_is_added_changes_no_other_name(here):
    touch("camB/clip.mp4", "camC/clip.mp4")
    before = run("camB/clip.mp4", "camC/clip.mp4")
    touch("camA/clip.mp4")

    assert run("camA/clip.mp4", "camB/clip.mp4", "camC/clip.mp4") == ["camA-clip", *before]


def test_a_video_finds_its_result_alone_and_in_any_list(here):
    touch("camA/clip.mp4", "camB/clip.mp4")

    assert run("camB/clip.mp4") == ["clip"]
    assert run("camA/clip.mp4") == ["camA-clip"]
    assert run("camA/clip.mp4", "camB/clip.mp4") == ["camA-clip", "clip"]
    assert run("camB/clip.mp4") == ["clip"]


def test_a_moved_video_finds_its_result(here):
    touch("old/clip.mp4")
    run("old/clip.mp4")
    Path("new").mkdir()
    Path("old/clip.mp4").rename("new/clip.mp4")

    assert names("new/clip.mp4") == ["clip"]


def test_another_video_in_the_place_of_a_moved_one_gets_its_own_folder(here):
    touch("old/clip.mp4")
    run("old/clip.mp4")
    Path("old/clip.mp4").unlink()
    touch("new/other.mp4", "new/clip.mp4")

    assert names("new/clip.mp4") == ["new-clip"]


def test_a_changed_file_keeps_its_folder(here):
    touch("clip.mp4")
    run("clip.mp4")
    Path("clip.mp4").write_bytes(b"another recording")

    assert names("clip.mp4") == ["clip"]


def test_an_unfinished_result_is_found_by_its_checkpoint(here):
    touch("camA/clip.mp4", "camB/clip.mp4")
    info = source_info(Path("camB/clip.mp4").absolute())
    with RecordWriter(Path("out/clip"), fingerprint="f", source=info) as writer:
        writer.resume()
        writer.checkpoint({"state": torch.zeros(1)}, 0)

    assert recorded_source(Path("out/clip")).path == info.path
    assert names("camA/clip.mp4", "camB/clip.mp4") == ["camA-clip", "clip"]


def test_a_damaged_record_is_nobodys(here):
    touch("clip.mp4")
    run("clip.mp4")
    Path("out/clip/record.json").write_text("{")

    assert recorded_source(Path("out/clip")) is None
    assert names("clip.mp4") == ["clip"]


def test_links_give_their_own_names(here):
    touch("store/9f3a.mp4", "store/77c1.mp4")
    Path("links").mkdir()
    Path("links/holiday.mp4").symlink_to("../store/9f3a.mp4")
    Path("links/wedding.mp4").symlink_to("../store/77c1.mp4")
    Path("album").symlink_to("links")

    assert names("links") == ["holiday", "wedding"]
    assert names("album") == ["holiday", "wedding"]
    assert run("links") == ["holiday", "wedding"]


def test_linked_folder_of_images(here):
    touch("store/7/1.png", "store/7/2.png")
    Path("walk").symlink_to("store/7")

    assert names("walk") == names("walk/") == names("./walk/.") == ["walk"]


@pytest.mark.parametrize("name", ["take 2 (final)", "v1.2.3", "犬の散歩", "größe", "-x"])
def test_dots_spaces_and_letters_stay(here, name):
    touch(f"in/{name}.mp4")

    assert names(f"in/{name}.mp4") == [name]


def test_streams_of_one_name_get_that_of_their_host(here):
    assert names("rtsp://cam1/live", "rtsp://cam2/live", "0") == ["cam1-live", "cam2-live", "camera-0"]


def test_records_of_before_with_resolved_paths_are_found(here):
    touch("store/9f3a.mp4")
    Path("holiday.mp4").symlink_to("store/9f3a.mp4")
    record = write_record(Path("out/9f3a"), source=Path("store/9f3a.mp4").absolute())
    source = replace(record.header.source, path=str(Path("store/9f3a.mp4").resolve()))
    record.with_header(replace(record.header, source=source))

    assert names("store/9f3a.mp4") == ["9f3a"]
