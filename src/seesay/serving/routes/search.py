"""Route: searching the library in words and by images."""

import time

from fastapi import APIRouter, Response

from seesay.serving.photos.search import search_library
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import SearchAnswer
from seesay.serving.schemas.requests import SearchRequest

router = APIRouter(tags=["library"])


@router.post("/v1/search", response_model=SearchAnswer, response_model_exclude_none=True)
async def search(request: SearchRequest, service: ServiceDep) -> Response:
    """The pictures or texts nearest to a query of words, pictures sent along, and pictures of the library; without a
    query, the pictures that pass the filters, by date."""
    begin = time.perf_counter()
    page = await search_library(service, request)
    took = round(1e3 * (time.perf_counter() - begin), 1)
    answer = SearchAnswer(results=page.results, nothing=page.nothing, next=page.next, index=page.answered_by, took_ms=took)
    # Serialised here: FastAPI would validate every hit once more first.
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")
