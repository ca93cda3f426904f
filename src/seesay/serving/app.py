"""The application: routes behind a guard, with what they share."""

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
from seesay.serving import errors as faults
from seesay.serving.guard.middleware import KEY, Guard
from seesay.serving.routes import collection, drawing, inference, upkeep
from seesay.serving.schemas.answers import ErrorAnswer
from seesay.serving.service import Service
from seesay.serving.settings import Settings

ERRORS: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}}


def create_app(
    model: Model, settings: Settings | None = None, *, library: Path | None = None, cache: Path | None = None
) -> FastAPI:
    """The server as an ASGI application, for uvicorn or another server. library: its folder (default: the user's); cache: a
    folder for thumbnails, None for none. Its model's work runs in threads that end with the application's lifespan."""
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
        # It exports only where the environment names a collector; what a machine's other programs report to is not ours to use.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
        responses=ERRORS,
    )
    app.state.service = service
    faults.install(app)
    for part in (inference, collection, drawing):
        app.include_router(_with_heads(part.routes(service)), dependencies=[Depends(KEY)])
    app.include_router(_with_heads(upkeep.routes(service)))
    # FastAPI's own page of the routes loads its scripts from elsewhere; fastapi-offline has the same ones as files.
    app.mount("/ui/swagger", StaticFiles(packages=[("fastapi_offline", "static")]), name="swagger")
    app.mount("/ui", StaticFiles(packages=[("seesay.serving", "ui")]), name="ui")
    app.add_middleware(Guard, settings=settings, keys=service.keys, metrics=service.metrics)
    return app


def _with_heads(router: APIRouter) -> APIRouter:
    """Every route that GET asks answers HEAD, too (RFC 9110, 9.1); the description of the routes need not say so."""
    for route in [route for route in router.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]:
        router.add_api_route(
            route.path,
            route.endpoint,
            methods=["HEAD"],
            include_in_schema=False,
            response_class=route.response_class,
            response_model=route.response_model,
            response_model_exclude_none=route.response_model_exclude_none,
        )
    return router
