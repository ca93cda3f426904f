"""Boxes as COCO's tools read them."""

import json

import numpy as np

from seesay.models.detector import Detections
from seesay.tasks.boxes import from_sized
from seesay.tasks.coco import coco_document
from tests.evaluation.test_detection import detections


def test_a_document_holds_every_box() -> None:
    found = [
        detections([[1, 2, 5, 10], [0, 0, 3, 3]], [0.9, 0.4], [1, 0]),
        Detections.none(),
        detections([[0, 0, 7, 7]], [1], [1]),
    ]
    document = json.loads(json.dumps(coco_document(["a.jpg", "b.jpg", "c.jpg"], [(20, 10)] * 3, found, ["dog", "cat"])))
    assert [image["file_name"] for image in document["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert document["images"][0] == {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}
    assert document["categories"] == [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    assert [entry["id"] for entry in document["annotations"]] == [1, 2, 3]
    assert [(entry["image_id"], entry["category_id"]) for entry in document["annotations"]] == [(1, 2), (1, 1), (3, 2)]
    assert document["annotations"][0]["bbox"] == [1, 2, 4, 8]
    assert document["annotations"][0]["area"] == 32
    back = from_sized(np.asarray([entry["bbox"] for entry in document["annotations"]]))
    np.testing.assert_allclose(back, np.concatenate([each.boxes for each in found]))
