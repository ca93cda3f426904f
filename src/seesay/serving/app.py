"""The ASGI application: the routes behind the guard, and the service that they share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from seesay._version import __version__
from seesay.model import Model
from seesay.serving import errors
from seesay.serving.guard.keys import KEY
from seesay.serving.guard.middleware import Guard
from seesay.serving.routes import (
    classify,
    detect,
    duplicates,
    embeddings,
    export,
    health,
    identify,
    items,
    models,
    names,
    pages,
    prompt,
    search,
    session,
    similarity,
    tags,
)
from seesay.serving.routes import (
    library as library_routes,
)
from seesay.serving.routes import (
    map as map_routes,
)
from seesay.serving.schemas.answers import ErrorAnswer
from seesay.serving.service import Service
from seesay.serving.settings import Settings

BEHIND_KEY = (
    embeddings,
    similarity,
    classify,
    identify,
    names,
    prompt,
    models,
    search,
    items,
    export,
    tags,
    library_routes,
    duplicates,
    map_routes,
)
MODEL = (embeddings, similarity, classify, detect, models)
LIBRARY = (search, items, export, tags, library_routes, duplicates, map_routes)
BEHIND_KEY = (*MODEL, *LIBRARY)
WITHOUT_KEY = (pages, session, health)
ERRORS: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}}


def create_app(
    model: Model, settings: Settings | None = None, *, library: Path | None = None, cache: Path | None = None
) -> FastAPI:
    """The server as an ASGI application, for uvicorn or another server.

    library: its folder, None for the user's own. cache: a folder for thumbnails, None for none. The model's work runs in
    threads that end with the application's lifespan.
    """
    settings = Settings() if settings is None else settings
    service = Service(model, settings, library, cache)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="SeeSay",
        version=__version__,
        description="One space for pictures and words: embeddings, classification and search.",
        docs_url=None,
        redoc_url=None,
        # FastAPI exports where the environment names a collector; that one belongs to the machine's other programs.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
        responses=ERRORS,
    )
    app.state.service = service
    errors.install(app)
    for resource in BEHIND_KEY:
        _include(app, resource.router, dependencies=[Depends(KEY)])
    for resource in WITHOUT_KEY:
        _include(app, resource.router)
    # FastAPI's own page of the routes loads its scripts from elsewhere; fastapi-offline has the same ones as files.
    app.mount("/ui/swagger", StaticFiles(packages=[("fastapi_offline", "static")]), name="swagger")
    app.mount("/ui", StaticFiles(packages=[("seesay.serving", "ui")]), name="ui")
    app.add_middleware(Guard, settings=settings, keys=service.keys, metrics=service.metrics)
    return app


def _include(app: FastAPI, router: APIRouter, **options: Any) -> None:
    """Adds a router, and for each of its GET routes one for HEAD (RFC 9110, 9.1), which OpenAPI need not describe."""
    app.include_router(router, **options)
    heads = APIRouter()
    for route in router.routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            heads.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                include_in_schema=False,
                response_class=route.response_class,
                response_model=route.response_model,
                response_model_exclude_none=route.response_model_exclude_none,
            )
    app.include_router(heads, **options)
