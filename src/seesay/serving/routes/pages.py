"""Routes: the page of the library, and the page that describes the routes."""

from importlib.resources import files

from fastapi import APIRouter, Depends, Response

from seesay.serving.guard.keys import KEY

INDEX = (files("seesay.serving") / "ui" / "index.html").read_bytes()
DOCS = (files("seesay.serving") / "ui" / "docs.html").read_bytes()

router = APIRouter()


@router.get("/", include_in_schema=False)
async def index() -> Response:
    return _html(INDEX)


@router.get("/docs", include_in_schema=False, dependencies=[Depends(KEY)])
async def docs() -> Response:
    return _html(DOCS)


def _html(page: bytes) -> Response:
    return Response(page, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})
