"""Route: for which parts of an image a text fits it."""

import asyncio

from fastapi import APIRouter

from seesay.serving import limits
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.heat import ExplainAnswer, ExplainRequest
from seesay.tasks.explanation import explain as explained

router = APIRouter(tags=["model"])


@router.post("/v1/explain")
async def explain(request: ExplainRequest, service: ServiceDep) -> ExplainAnswer:
    """A heat map of why a text fits a picture."""
    service.encoder.check_pictures([request.image], "image")
    await asyncio.to_thread(service.encoder.check_length, [request.text], ("{}",))
    async with service.admitted(1 + limits.EXPLAIN_IMAGES * limits.TEXTS_PER_IMAGE) as deadline:
        picture = await service.encoder.picture(request.image, "image")
        found = await asyncio.to_thread(explained, service.timed(deadline), picture, request.text, request.way)
    return ExplainAnswer(width=picture.width, height=picture.height, score=round(found.score, 6), heat=found.rows())
