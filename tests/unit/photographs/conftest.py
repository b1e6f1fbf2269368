"""A folder of photographs as COCO describes it."""

import json

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

HW = (240, 400)
BOX = (slice(100, 230), slice(20, 140))  # rows and columns of the object


@pytest.fixture
def photograph_folder(tmp_path):
    """Ten grey photographs, each with a red rectangle that is named "box"."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    mask = np.zeros(HW, np.uint8)
    mask[BOX] = 1
    code = coco_mask.encode(np.asfortranarray(mask))
    segmentation = {"size": list(HW), "counts": code["counts"].decode()}
    pixels = np.full((*HW, 3), 90, np.uint8)
    pixels[BOX] = (20, 40, 230)  # BGR
    for index in range(10):
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), pixels)
        images.append({"id": index, "file_name": f"{index}.png", "width": HW[1], "height": HW[0]})
        annotations.append({"id": index, "image_id": index, "category_id": 1, "segmentation": segmentation})
    table = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "box"}]}
    (tmp_path / "instances.json").write_text(json.dumps(table))
    return tmp_path
