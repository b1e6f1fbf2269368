"""`record.to_supervision(frame)`."""

import numpy as np
import pytest

pytest.importorskip("supervision", reason="supervision is not installed: make test-tools")
import supervision

pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_instance(case):
    names = case.record.header.vocabulary.names
    for frame in case.record.frames():
        detections = case.record.to_supervision(frame)
        wanted = case.truth[frame.frame_index]
        assert isinstance(detections, supervision.Detections)
        assert len(detections) == len(wanted)
        assert detections.tracker_id.tolist() == list(wanted)
        assert detections.data["class_name"].tolist() == [case.labels[track_id] for track_id in wanted]
        assert [names[index] for index in detections.class_id] == detections.data["class_name"].tolist()
        np.testing.assert_allclose(detections.confidence, [case.scores[track_id] for track_id in wanted])
        for row, mask in enumerate(wanted.values()):
            np.testing.assert_array_equal(detections.mask[row], mask)
            assert detections.area[row] == mask.sum()
        np.testing.assert_array_equal(
            detections.xyxy, supervision.mask_to_xyxy(detections.mask) + [0, 0, 1, 1]
        )  # supervision's own boxes end at the last pixel, ovvis's behind it


def test_annotators_draw_it(case):
    frame = next(iter(case.record.frames()))
    height, width = case.record.header.source.height, case.record.header.source.width
    image = np.zeros((height, width, 3), np.uint8)
    drawn = supervision.MaskAnnotator().annotate(image.copy(), case.record.to_supervision(frame))
    changed = (drawn != image).any(axis=2)
    masks = case.truth[frame.frame_index].values()
    np.testing.assert_array_equal(changed, np.any(list(masks), axis=0) if masks else changed & False)
