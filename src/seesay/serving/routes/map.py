"""Routes: the map of the library, its sheet of thumbnails, and how far it is drawn."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from seesay.errors import PictureNotFound
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.routes.media import JPEG
from seesay.serving.schemas.answers import MapAnswer, MapProgress, Working

router = APIRouter()


@router.get("/v1/map", response_model=MapAnswer, responses={202: {"model": Working}}, tags=["library"])
async def chart(service: ServiceDep, language: Literal["en", "zh"] = "en") -> JSONResponse:
    """Pictures in two dimensions, similar ones close together, in named groups; 202 while the first map is drawn. Later changes
    appear on the next map, which is drawn while this one is shown."""
    newest, drawing = await service.photos.run(lambda library: service.charts.get(library, language))
    if newest is None:
        return JSONResponse(Working().model_dump(), 202)
    return JSONResponse({**newest.places, "chart": newest.name, "drawing": drawing})


@router.get("/v1/map/sheet", response_class=Response, responses=JPEG, tags=["library"])
async def sheet(
    service: ServiceDep,
    language: Literal["en", "zh"] = "en",
    chart: Annotated[str | None, Query(description="the map's id; default: the newest map")] = None,
) -> Response:
    """A JPEG with a tile for each picture of the map."""
    drawn = service.charts.kept(chart)
    if drawn is None:
        drawn, _ = await service.photos.run(lambda library: service.charts.get(library, language))
    if drawn is None:
        raise PictureNotFound("the map is being drawn")
    return Response(drawn.sheet, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get("/v1/map/progress", tags=["collection"])
async def progress(service: ServiceDep, language: Literal["en", "zh"] = "en") -> MapProgress:
    """How far the current map is drawn, for clients that wait while /v1/map answers 202. It starts nothing."""
    drawing, share = service.charts.progress(language)
    return MapProgress(drawing=drawing, share=round(share, 3))
