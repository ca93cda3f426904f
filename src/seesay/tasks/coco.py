"""Boxes as a document of COCO's format (Lin and others 2014), which tools for annotation and evaluation read."""

from collections.abc import Sequence
from typing import Any

from seesay.models.detector import Detections
from seesay.tasks.boxes import area, to_sized


def coco_document(
    names: Sequence[str], sizes: Sequence[tuple[int, int]], found: Sequence[Detections], labels: Sequence[str]
) -> dict[str, Any]:
    """Pictures' file names, their sizes (width, height) and their boxes -> `images`, `annotations` and `categories`.

    All ids count from 1. A box is [x, y, width, height] in pixels. An annotation has its `score`, too, as in COCO's results, so
    that the list of annotations can be evaluated as it is.
    """
    annotations: list[dict[str, Any]] = []
    for image, each in enumerate(found, start=1):
        for box, size, score, label in zip(to_sized(each.boxes), area(each.boxes), each.scores, each.labels, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label) + 1,
                    "bbox": [round(float(side), 2) for side in box],
                    "area": round(float(size), 2),
                    "iscrowd": 0,
                    "score": round(float(score), 6),
                }
            )
    images = [
        {"id": number, "file_name": name, "width": width, "height": height}
        for number, (name, (width, height)) in enumerate(zip(names, sizes, strict=True), start=1)
    ]
    categories = [{"id": number, "name": label} for number, label in enumerate(labels, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}
