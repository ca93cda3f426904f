"""Route: images that the library holds more than once."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import CopiesAnswer, Working

router = APIRouter(tags=["library"])


@router.get("/v1/duplicates", response_model=CopiesAnswer, responses={202: {"model": Working}})
async def duplicates(service: ServiceDep) -> Response:
    """Pictures that the library holds more than once, in groups, the largest first; 202 while they are first compared.
    Nothing is deleted."""
    groups, looking = await service.photos.run(service.copies.get)
    if groups is None:
        return JSONResponse(Working().model_dump(), 202)
    return Response(CopiesAnswer(looking=looking, groups=groups).model_dump_json(), media_type="application/json")
