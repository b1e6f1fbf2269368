"""Photographs with masks: reading a folder, and the training frames that are made of it."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovvis_cli.errors import UsageError
from ovvis_cli.photographs.frames import draw_frame, drawn_frame, make_pool
from ovvis_cli.photographs.source import read_folder, split

HW = (96, 128)


@pytest.fixture
def folder(tmp_path):
    """Twelve grey photographs, each with one bright rectangle that is labelled."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for index in range(12):
        pixels = np.full((*HW, 3), 90, np.uint8)
        mask = np.zeros(HW, np.uint8)
        mask[20:76, 30:94] = 1
        pixels[mask > 0] = (20, 40, 230)  # BGR
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), pixels)
        code = coco_mask.encode(np.asfortranarray(mask))
        images.append({"id": index, "file_name": f"{index}.png", "width": HW[1], "height": HW[0]})
        annotations.append(
            {
                "id": index,
                "image_id": index,
                "category_id": 1,
                "segmentation": {"size": list(HW), "counts": code["counts"].decode()},
            }
        )
    table = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "box"}]}
    (tmp_path / "instances.json").write_text(json.dumps(table))
    return tmp_path


def test_a_folder_is_read_with_masks_and_names(folder):
    photographs = read_folder(folder, complete=True)
    assert len(photographs) == 12
    assert photographs[0].names == ("box",)
    assert photographs[0].masks().shape == (1, *HW)
    assert tuple(photographs[0].image()[40, 40]) == (230, 40, 20), "RGB"


def test_every_tenth_photograph_is_held_out(folder):
    train, held_out = split(read_folder(folder, complete=True))
    assert len(train) == 11
    assert [photograph.path.name for photograph in held_out] == ["9.png"]


def test_a_folder_without_its_table_is_refused_in_one_line(tmp_path):
    with pytest.raises(UsageError, match="instances.json"):
        read_folder(tmp_path, complete=True)


@pytest.mark.parametrize("complete", [True, False])
def test_frames_keep_masks_on_their_objects_and_say_what_is_unlabelled(folder, complete):
    pool = make_pool([(read_folder(folder, complete=complete), 1.0, 1.0)])
    pasted = 0
    for number in range(12):
        frame = draw_frame(np.random.default_rng(number), pool, frame_hw=(64, 96))
        assert frame.image.shape == (64, 96, 3)
        assert len(frame.masks) == len(frame.names)
        pasted += len(frame.masks) > 1
        for mask in frame.masks:
            inside = frame.image[cv2.erode(mask.astype(np.uint8), np.ones((5, 5))) > 0].astype(int)
            if len(inside):
                assert np.median(inside[:, 0] - inside[:, 2]) > 30, "the objects are red"
        labelled = frame.masks.any(axis=0)
        assert not (frame.unlabelled & labelled).any()
        if not complete:
            assert (frame.unlabelled | labelled).all()
    assert pasted, "some frames have a pasted object"


def test_the_same_number_gives_the_same_frame(folder):
    pool = make_pool([(read_folder(folder, complete=True), 1.0, 1.0)])
    one, two = (draw_frame(np.random.default_rng(5), pool, frame_hw=(64, 96)) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.masks, two.masks)


def test_drawn_frames_are_labelled_completely():
    frame = drawn_frame(np.random.default_rng(2), frame_hw=(96, 128))
    assert frame.image.shape == (96, 128, 3)
    assert len(frame.masks) == len(frame.names) > 0
    assert not frame.unlabelled.any()
    assert (frame.masks.sum(axis=0) <= 1).all(), "visible parts do not overlap"


def test_cut_outs_of_frequent_names_do_not_dominate(folder):
    photographs = read_folder(folder, complete=True)
    rare = replace(photographs[0], names=("rare",))
    pool = make_pool([([rare, *photographs[1:10]], 1.0, 1.0)])
    names = [pool.photographs[index].names[number] for index, number in pool.cutouts]
    share = sum(w for w, name in zip(pool.cutout_weights, names, strict=True) if name == "rare")
    assert share == pytest.approx(1 / (1 + 9**0.5))
