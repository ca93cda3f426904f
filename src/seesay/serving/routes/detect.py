"""Route: boxes of what labels name, in pictures that are sent or in the library."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter
from PIL import Image

from seesay.errors import InputError, LibraryError, PictureNotFound, UnreadableImage
from seesay.finders import detector_of
from seesay.models.detector import Detections, Detector, Selection
from seesay.serving import limits
from seesay.serving.errors import fault_of
from seesay.serving.photos.uploads import check_count
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.requests import DetectRequest, Thing
from seesay.serving.schemas.task_answers import DetectAnswer, Detected, LabelledBox
from seesay.serving.service import Service
from seesay.tasks.detection import select
from seesay.tasks.prompts import TEMPLATES, filled

router = APIRouter(tags=["model"])


@router.post("/v1/detect", response_model_exclude_none=True)
async def detect(request: DetectRequest, service: ServiceDep) -> DetectAnswer:
    """Where in each picture the things are that labels name."""
    labels = list(dict.fromkeys(label.strip() for label in request.labels))
    check_count("pictures", len(request.images), min(service.settings.pictures, limits.DETECT_IMAGES))
    check_count("texts (labels x templates)", len(labels) * len(TEMPLATES), service.settings.texts)
    service.encoder.check_pictures(request.images, "picture")
    prompts = filled(labels)
    await asyncio.to_thread(_check_length, service, prompts)
    images = len(request.images) * (2 * limits.DETECT_PROPOSALS + limits.DETECT_MAP_IMAGES)
    async with service.admitted(len(prompts) + images * limits.TEXTS_PER_IMAGE) as deadline:
        detector = detector_of(service.timed(deadline), proposals=limits.DETECT_PROPOSALS)
        selection = _selection(request, detector.selection)
        results = [await _detected(service, detector, selection, labels, *each) for each in enumerate(request.images)]
    return DetectAnswer(results=results)


def _check_length(service: Service, prompts: list[str]) -> None:
    """Raises InputError for a label that does not fit the model's context: what was cut off would be found, too."""
    truncated = service.model.tokenizer(prompts).truncated
    if truncated.any():
        label, length = int(truncated.argmax()) // len(TEMPLATES) + 1, service.model.tokenizer.spec.context_length
        raise InputError(f"labels: label {label} is longer than the {length} tokens that the model reads; shorten it")


def _selection(request: DetectRequest, own: Selection) -> Selection:
    """A detector's own selection, with what the request wants instead."""
    wanted = {"threshold": request.threshold, "most": request.most}
    return replace(own, **{name: value for name, value in wanted.items() if value is not None})  # type: ignore[arg-type]


async def _detected(
    service: Service, detector: Detector, selection: Selection, labels: Sequence[str], index: int, thing: Thing
) -> Detected:
    """One picture's boxes, or why there are none: a bad picture fails alone, a deadline ends the request."""
    try:
        picture = await service.encoder.picture(thing, f"picture {index + 1}")
        found = await asyncio.to_thread(lambda: select(detector.detect(picture, labels), selection))
    except (UnreadableImage, PictureNotFound, LibraryError) as fault:
        return Detected(index=index, error=fault_of(fault))
    return _answer(index, picture, found, labels)


def _answer(index: int, picture: Image.Image, found: Detections, labels: Sequence[str]) -> Detected:
    boxes = [
        LabelledBox(label=labels[label], score=round(score, 6), box=tuple(round(side, 1) for side in box))
        for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    ]
    return Detected(index=index, width=picture.width, height=picture.height, boxes=boxes)
