"""Routes about the library: searching it, looking through it, its pictures, tags, folders, map."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from seesay.errors import InputError, PictureNotFound, PictureUnavailable, UnreadableImage
from seesay.library import Library
from seesay.library.search.encode import PartVectors
from seesay.serving import limits
from seesay.serving.batching import in_time
from seesay.serving.photos import photos
from seesay.serving.photos.archive import archive
from seesay.serving.photos.filenames import attachment
from seesay.serving.photos.summary import summary
from seesay.serving.photos.thumbnails import small
from seesay.serving.photos.uploads import check_count
from seesay.serving.schemas.answers import (
    BrowseAnswer,
    Changed,
    CopiesAnswer,
    Failed,
    FailuresAnswer,
    IndexingState,
    ItemAnswer,
    LibraryAnswer,
    MapAnswer,
    PlaceCount,
    SearchAnswer,
    TagCount,
    TagsAnswer,
    Working,
)
from seesay.serving.schemas.requests import BrowseRequest, ExportRequest, SearchRequest, TagsRequest, Thing
from seesay.serving.service import Service

Described = dict[int | str, dict[str, Any]]
JPEG: Described = {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}}
FILE: Described = {200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
ZIP: Described = {200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}}
EXPORT = {  # the route reads its body itself, because it takes two kinds
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ExportRequest.model_json_schema()},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"ids": {"type": "string", "examples": ["0a1b2c3d4e5f,1a2b3c4d5e6f"]}},
                }
            },
        },
    }
}
FOREVER = "private, max-age=31536000, immutable"  # an id is its content's
PICTURE_ID = re.compile(r"[0-9a-f]{12}")


def routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["library"])
    library = service.photos

    async def jpeg(work: Callable[[], bytes]) -> Response:
        """In a thread that decodes. Whatever is wrong with the file, it is not the client's fault."""
        try:
            with service.metrics.stage("thumbnail"):
                made = await asyncio.get_running_loop().run_in_executor(service.decoders, work)
        except UnreadableImage as fault:
            raise PictureUnavailable(f"the picture cannot be read: {fault.reason}") from None
        return Response(made, media_type="image/jpeg", headers={"Cache-Control": FOREVER})

    @router.post("/v1/search", response_model=SearchAnswer, response_model_exclude_none=True)
    async def search(asked: SearchRequest) -> Response:
        """The pictures or texts nearest to a query of words, pictures sent along, and pictures of the library; without a
        query, the pictures that pass the filters, by date."""
        begin = time.perf_counter()
        given = [Thing(image=image) for image in asked.pictures.values()]
        phrased = service.phrased(asked.query)
        async with service.admitted(1 + service.cost(given) + sum(map(len, phrased.values()))) as deadline:
            sent = await service.encode(given, deadline, "picture")
            vectors: dict[str, np.ndarray] = {}
            for name, row in zip(asked.pictures, sent.rows, strict=True):
                if isinstance(row, Exception):
                    raise row
                vectors[name] = row
            parts = PartVectors(vectors, await service.encode_words(phrased, deadline))
            with service.metrics.stage("search"):
                page = await library.run(lambda lib: photos.search_page(lib, asked, parts))
        took = round(1e3 * (time.perf_counter() - begin), 1)
        answer = SearchAnswer(results=page.results, nothing=page.nothing, next=page.next, took_ms=took)
        # Written here: FastAPI would validate all hits again first.
        return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")

    @router.post("/v1/browse")
    async def browse(asked: BrowseRequest) -> BrowseAnswer:
        """Every picture that passes the filters, in columns."""
        async with service.admitted(1):
            return await library.run(lambda lib: photos.browse(lib, asked))

    @router.get("/v1/items/{name}", response_model_exclude_none=True)
    async def item(name: str) -> ItemAnswer:
        """What is known of one picture, and every file that holds it."""
        return await library.run(lambda lib: photos.described(lib, name))

    @router.get("/v1/items/{name}/thumbnail", response_class=Response, responses=JPEG)
    async def thumbnail(
        name: str, px: Annotated[int, Query(description=f"longer side: {limits.THUMBNAIL_PX}")] = 320
    ) -> Response:
        """A JPEG of one of three sizes, kept by the server."""
        if px not in limits.THUMBNAIL_PX:
            raise InputError(f"px: expected one of {', '.join(map(str, limits.THUMBNAIL_PX))}, got {px}")
        if not PICTURE_ID.fullmatch(name):  # it becomes a file's name
            raise PictureNotFound("the library holds no picture with this id")
        kept = await asyncio.to_thread(service.thumbnails.kept, name, px)
        if kept is not None:
            return Response(kept, media_type="image/jpeg", headers={"Cache-Control": FOREVER})
        path = await library.run(lambda lib: photos.file_of(lib, name))
        return await jpeg(lambda: service.thumbnails.make(name, px, path))

    @router.get("/v1/items/{name}/image", response_class=Response, responses=JPEG)
    async def image(name: str) -> Response:
        """A JPEG of at most 2048 pixels, upright, without EXIF."""
        path = await library.run(lambda lib: photos.file_of(lib, name))
        return await jpeg(lambda: small(path, limits.VIEW_PX))

    @router.get("/v1/items/{name}/file", response_class=FileResponse, responses=FILE)
    async def file(name: str) -> FileResponse:
        """The file itself, as a download."""
        path = await library.run(lambda lib: photos.file_of(lib, name))
        return Download(path, media_type="application/octet-stream", headers={"Content-Disposition": attachment(path.name)})

    @router.post("/v1/export", response_class=StreamingResponse, responses=ZIP, openapi_extra=EXPORT)
    async def export(request: Request) -> StreamingResponse:
        """A ZIP of the files: JSON {"ids": [...]}, or a form with the field ids, commas between. Files that are not there now
        are left out."""
        ids = await _ids(request)
        if not 1 <= len(ids) <= limits.EXPORTED_IMAGES:
            raise InputError(f"ids: expected 1 to {limits.EXPORTED_IMAGES}, got {len(ids)}")
        async with service.admitted(1):
            found = await library.run(lambda lib: photos.files_of(lib, ids))
        headers = {"Content-Disposition": attachment("pictures.zip"), "Cache-Control": "no-store"}
        stream: Iterator[bytes] = archive(found)
        return StreamingResponse(stream, media_type="application/zip", headers=headers)

    @router.get("/v1/tags")
    async def tags() -> TagsAnswer:
        """Every tag, and how many pictures have it."""
        async with service.admitted(1):
            counts = await library.run(lambda lib: lib.tags.counts())
        return TagsAnswer(tags=[TagCount(tag=tag, pictures=count) for tag, count in counts.items()])

    @router.post("/v1/tags")
    async def tag(asked: TagsRequest) -> Changed:
        """Adds tags to pictures, and takes others from them: at most 10,000 tags of pictures in all."""
        changes = len(asked.ids) * (len(asked.add) + len(asked.remove))
        check_count("tags of pictures (ids x tags)", changes, limits.TAG_CHANGES)

        def work(lib: Library, deadline: float) -> int:
            paths, changed = [], 0
            for name in asked.ids:
                in_time(deadline)
                paths += [file.path for file in photos.item(lib, name).files[:1]]
            for tag in asked.add:
                in_time(deadline)
                changed += lib.tags.add(tag, *paths)
            for tag in asked.remove:
                in_time(deadline)
                changed += lib.tags.remove(tag, *paths)
            return changed

        async with service.admitted(1 + changes // limits.TAG_CHANGES_PER_TEXT) as deadline:
            return Changed(changed=await library.run(lambda lib: work(lib, deadline)))

    @router.get("/v1/library")
    async def about() -> LibraryAnswer:
        """What the library holds, to choose from, and how far indexing is."""
        told = await library.run(lambda lib: summary(lib, service.model))
        names = service.gazetteer.names(told["places"])
        places = [PlaceCount(name=name, **vars(place)) for name, place in zip(names, told["places"], strict=True)]
        return LibraryAnswer(**told | {"places": places}, indexing=service.indexing.state())

    @router.post("/v1/index", status_code=202)
    async def index() -> IndexingState:
        """Looks for new, changed and deleted pictures in the folders that were indexed before."""
        await library.run(lambda lib: lib.check_exists())
        service.indexing.start()
        return service.indexing.state()

    @router.get("/v1/failures")
    async def failures() -> FailuresAnswer:
        """Files that could not be read, and why."""

        def work(lib: Library) -> list[Failed]:
            names = photos.folders(lib)
            told = [(*names.shown(path), reason) for path, reason, _ in lib.failures()]
            return [Failed(folder=folder, name=name, reason=reason) for folder, name, reason in told]

        return FailuresAnswer(failures=await library.run(work))

    @router.get("/v1/duplicates", response_model=CopiesAnswer, responses={202: {"model": Working}})
    async def duplicates() -> Response:
        """Pictures that are there more than once, in groups, the largest first; 202 while they are looked for. Nothing is
        deleted."""
        groups, looking = await library.run(service.copies.get)
        if groups is None:
            return JSONResponse(Working().model_dump(), 202)
        return Response(CopiesAnswer(looking=looking, groups=groups).model_dump_json(), media_type="application/json")

    @router.get("/v1/map", response_model=MapAnswer, responses={202: {"model": Working}})
    async def chart(language: Literal["en", "zh"] = "en") -> JSONResponse:
        """Pictures in two dimensions, alike ones together, in named groups; 202 while the first one is drawn. What changes
        meanwhile is on the next, which is drawn while this one is shown."""
        made, drawing = await library.run(lambda lib: service.charts.get(lib, language))
        if made is None:
            return JSONResponse(Working().model_dump(), 202)
        return JSONResponse({**made.places, "chart": made.name, "drawing": drawing})

    @router.get("/v1/map/sheet", response_class=Response, responses=JPEG)
    async def sheet(
        language: Literal["en", "zh"] = "en",
        chart: Annotated[str | None, Query(description="that of the map; without it the newest")] = None,
    ) -> Response:
        """A JPEG with a tile for each picture of the map."""
        made = service.charts.kept(chart) or (await library.run(lambda lib: service.charts.get(lib, language)))[0]
        if made is None:
            raise PictureNotFound("the map is being drawn")
        return Response(made.sheet, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return router


class Download(FileResponse):
    """A file or a range of it. A range of something else than bytes is as none, and one that makes no sense as one that is not
    there (RFC 9110, 14.2)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [each for each in scope["headers"] if each[0] != b"range" or each[1].strip().lower().startswith(b"bytes")]

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                size = self.headers["content-length"]
                message = {**message, "status": 416, "headers": [(b"content-range", f"bytes */{size}".encode())]}
            await send(message)

        await super().__call__({**scope, "headers": headers}, receive, told)


async def _ids(request: Request) -> list[str]:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            form = parse_qs((await request.body()).decode())
        except (UnicodeDecodeError, ValueError):
            raise InputError("expected a form with the field ids") from None
        return [name for name in form.get("ids", [""])[0].split(",") if name]
    try:
        said = await request.json()
        ids = said["ids"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError('expected JSON such as {"ids": ["0a1b2c3d4e5f"]}') from None
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise InputError("ids: expected a list of ids")
    return ids
