"""Routes: the library's images as a list, and one of them with its thumbnail, view and file."""

import asyncio
import re
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from seesay.errors import InputError, PictureNotFound, PictureUnavailable, UnreadableImage
from seesay.serving import limits
from seesay.serving.download import Download
from seesay.serving.photos import photos
from seesay.serving.photos.thumbnails import scaled_jpeg
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.routes.media import FILE, FOREVER, JPEG
from seesay.serving.schemas.answers import BrowseAnswer, ItemAnswer
from seesay.serving.schemas.requests import BrowseRequest
from seesay.serving.service import Service

PICTURE_ID = re.compile(r"[0-9a-f]{12}")

router = APIRouter(tags=["library"])


@router.post("/v1/browse")
async def browse(request: BrowseRequest, service: ServiceDep) -> BrowseAnswer:
    """Every picture that passes the filters, in columns."""
    async with service.admitted(1):
        return await service.photos.run(lambda library: photos.browse(library, request))


@router.get("/v1/items/{name}", response_model_exclude_none=True)
async def item(name: str, service: ServiceDep) -> ItemAnswer:
    """One picture's facts, and every file that holds it."""
    return await service.photos.run(lambda library: photos.described(library, name))


@router.get("/v1/items/{name}/thumbnail", response_class=Response, responses=JPEG)
async def thumbnail(
    name: str, service: ServiceDep, px: Annotated[int, Query(description=f"longer side: {limits.THUMBNAIL_PX}")] = 320
) -> Response:
    """A JPEG of one of three sizes, cached by the server."""
    if px not in limits.THUMBNAIL_PX:
        raise InputError(f"px: expected one of {', '.join(map(str, limits.THUMBNAIL_PX))}, got {px}")
    if not PICTURE_ID.fullmatch(name):  # it becomes part of a file's name
        raise PictureNotFound("the library holds no picture with this id")
    cached = await asyncio.to_thread(service.thumbnails.cached, name, px)
    if cached is not None:
        return _jpeg(cached)
    path = await service.photos.run(lambda library: photos.file_of(library, name))
    return _jpeg(await _decoded(service, lambda: service.thumbnails.make(name, px, path)))


@router.get("/v1/items/{name}/image", response_class=Response, responses=JPEG)
async def image(name: str, service: ServiceDep) -> Response:
    """A JPEG of at most 2048 pixels, auto-rotated, without EXIF."""
    path = await service.photos.run(lambda library: photos.file_of(library, name))
    return _jpeg(await _decoded(service, lambda: scaled_jpeg(path, limits.VIEW_PX)))


@router.get("/v1/items/{name}/file", response_class=FileResponse, responses=FILE)
async def file(name: str, service: ServiceDep) -> FileResponse:
    """The file itself, as a download."""
    return Download(await service.photos.run(lambda library: photos.file_of(library, name)))


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": FOREVER})


async def _decoded(service: Service, make: Callable[[], bytes]) -> bytes:
    """Runs in a decoding thread. A file that cannot be read is not the client's fault, so UnreadableImage becomes
    PictureUnavailable."""
    try:
        with service.metrics.stage("thumbnail"):
            return await asyncio.get_running_loop().run_in_executor(service.decoders, make)
    except UnreadableImage as fault:
        raise PictureUnavailable(f"the picture cannot be read: {fault.reason}") from None
