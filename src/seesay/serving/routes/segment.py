"""Route: which of some labels each part of an image shows."""

import asyncio
import base64
import io

from fastapi import APIRouter
from PIL import Image

from seesay.finders import segmenter_of
from seesay.models.segmenter import MOST_LABELS, Segmentation
from seesay.serving import limits
from seesay.serving.photos.uploads import check_count
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.masks import Segment, SegmentAnswer, SegmentRequest
from seesay.tasks.segmentation import BACKGROUND, TEMPLATES

router = APIRouter(tags=["model"])


@router.post("/v1/segment")
async def segment(request: SegmentRequest, service: ServiceDep) -> SegmentAnswer:
    """Which label each part of a picture shows, as a mask."""
    labels = list(dict.fromkeys(label.strip() for label in request.labels))
    check_count("labels", len(labels), MOST_LABELS)
    phrases = len(BACKGROUND if request.background is None else request.background)
    texts = (len(labels) + phrases) * len(TEMPLATES)
    check_count("texts ((labels + background) x templates)", texts, service.settings.texts)
    service.encoder.check_pictures([request.image], "image")
    await asyncio.to_thread(service.encoder.check_length, [*labels, *(request.background or ())], TEMPLATES)
    async with service.admitted(texts + limits.SEGMENT_IMAGES * limits.TEXTS_PER_IMAGE) as deadline:
        picture = await service.encoder.picture(request.image, "image")
        model = service.timed(deadline)
        segmenter = segmenter_of(model, background=request.background, threshold=request.threshold)
        return await asyncio.to_thread(lambda: _answer(segmenter.segment(picture, labels)))


def _answer(found: Segmentation) -> SegmentAnswer:
    height, width = found.mask.shape
    stream = io.BytesIO()
    Image.fromarray(found.mask).save(stream, "PNG")
    segments = [
        Segment(label=label, value=value, score=round(score, 6), share=round(share, 6))
        for value, (label, score, share) in enumerate(
            zip(found.labels, found.scores.tolist(), found.shares.tolist(), strict=True)
        )
    ]
    return SegmentAnswer(
        width=width,
        height=height,
        segments=segments,
        none=round(found.none, 6),
        mask="data:image/png;base64," + base64.b64encode(stream.getvalue()).decode(),
    )
