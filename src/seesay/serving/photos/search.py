"""A search over HTTP: the query's words and images are encoded in shared batches, then the library is searched."""

from seesay.library.search.encode import PartVectors
from seesay.serving.joined_engine import stacked
from seesay.serving.photos.photos import SearchPage, search_page
from seesay.serving.schemas.requests import SearchRequest, Thing
from seesay.serving.service import Service


async def search_library(service: Service, request: SearchRequest) -> SearchPage:
    """Raises InputError for a malformed query, UnreadableImage for an image that was sent along."""
    images = [Thing(image=image) for image in request.pictures.values()]
    phrased = service.encoder.phrased(request.query)
    async with service.admitted(1 + service.encoder.cost(images) + sum(map(len, phrased.values()))) as deadline:
        rows = (await service.encoder.encode(images, deadline, "picture")).rows
        photos = dict(zip(request.pictures, stacked(rows), strict=True)) if rows else {}
        vectors = PartVectors(photos, await service.encoder.encode_words(phrased, deadline))
        with service.metrics.stage("search"):
            return await service.photos.run_search(lambda library: search_page(library, request, vectors))
