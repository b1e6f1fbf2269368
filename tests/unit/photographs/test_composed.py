"""Videos composed of cut-out objects and photographed backgrounds."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from typer.testing import CliRunner

from ovvis_cli.app import app
from ovvis_cli.diorama.scene import film
from ovvis_cli.errors import UsageError
from ovvis_cli.photographs.composed import cutout_kinds, free_area, photographed_world
from ovvis_cli.photographs.source import read_folder


@pytest.fixture
def photographs(photograph_folder):
    return read_folder(photograph_folder, complete=True)


def test_masks_follow_the_cut_out_over_a_background_without_objects(photographs):
    world = photographed_world(photographs)
    assert [kind.name for kind in world.kinds] == ["box"]
    clip = film(
        np.random.default_rng(3),
        cast=world.kinds * 2,
        frame_hw=(120, 200),
        frame_indices=range(0, 12, 4),
        background=world.background,
    )
    assert clip.masks.shape == (3, 2, 120, 200)
    red = clip.frames[..., 0].astype(int) - clip.frames[..., 2]
    objects = clip.masks.any(axis=1)
    assert objects.any()
    assert np.median(red[objects]) > 60, "masks lie on the red objects"
    away = ~np.stack([cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) > 0 for mask in objects])
    assert np.abs(red[away]).max() < 60, "the background shows no red object"


def test_the_free_area_shows_no_object(photographs):
    area = free_area(photographs[0])
    assert area is not None
    assert not photographs[0].masks()[0][area].any()


def test_an_object_at_the_edge_of_its_photograph_is_not_cut_out(photographs):
    height, width = photographs[0].size_hw
    cut_off = np.zeros((height, width), np.uint8)
    cut_off[100:, 20:140] = 1
    code = coco_mask.encode(np.asfortranarray(cut_off))
    with pytest.raises(UsageError, match="edge"):
        cutout_kinds([replace(photographs[0], codes=(code,))])


def test_photographs_full_of_objects_give_no_background(photographs):
    height, width = photographs[0].size_hw
    code = coco_mask.encode(np.asfortranarray(np.ones((height, width), np.uint8)))
    full = replace(photographs[0], codes=(*photographs[0].codes, code), names=("box", "wall"))
    with pytest.raises(UsageError, match="without objects"):
        photographed_world([full])


def test_the_command_writes_a_data_set_of_the_names_in_the_folder(photograph_folder, tmp_path):
    arguments = ["diorama", str(tmp_path / "out"), "--photographs", str(photograph_folder), "--videos", "2"]
    result = CliRunner().invoke(app, [*arguments, "--size", "64x96", "--frames", "2", "--quiet"])
    assert result.exit_code == 0, result.output
    table = json.loads((tmp_path / "out" / "val" / "instances.json").read_text())
    assert [entry["name"] for entry in table["categories"]] == ["box"]
    assert len(table["videos"]) == 2
    assert (tmp_path / "out" / "val" / "JPEGImages" / table["videos"][0]["file_names"][1]).is_file()
