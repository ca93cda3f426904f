"""A search over HTTP: the query's words and images are encoded in shared batches, then the library is searched."""

from dataclasses import dataclass

import numpy as np

from seesay.serving.photos import photos
from seesay.serving.schemas.answers import Found, Nothing
from seesay.serving.schemas.requests import SearchRequest, Thing
from seesay.serving.service import Service


@dataclass(frozen=True)
class HitPage:
    """cursor: for the next page, where there may be one. nothing: why the first page has no hits."""

    hits: list[Found]
    cursor: str | None
    nothing: Nothing | None


async def search_library(service: Service, request: SearchRequest) -> HitPage:
    """Raises InputError for a malformed query, UnreadableImage for an image that was sent along."""
    images = [Thing(image=image) for image in request.pictures.values()]
    phrased = service.encoder.phrased(request.query)
    async with service.admitted(1 + service.encoder.cost(images) + sum(map(len, phrased.values()))) as deadline:
        rows = (await service.encoder.encode(images, deadline, "picture")).rows
        vectors: dict[str, np.ndarray] = {}
        for name, row in zip(request.pictures, rows, strict=True):
            if isinstance(row, Exception):
                raise row
            vectors[name] = row
        known = photos.Known(vectors, await service.encoder.encode_words(phrased, deadline))
        with service.metrics.stage("search"):
            hits, cursor = await service.photos.run(lambda library: photos.search_page(library, request, known))
            nothing = None
            if not hits and not request.cursor:
                nothing = await service.photos.run(lambda library: photos.nothing(library, request, known))
    return HitPage(hits, cursor, nothing)
