"""Routes: the server's health, and its figures for Prometheus."""

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from seesay.serving.guard.keys import KEY
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import Health

router = APIRouter(tags=["upkeep"])


@router.get("/healthz", response_model=Health, responses={503: {"model": Health}})
async def healthz(service: ServiceDep) -> Response:
    """200 if a picture and a text can be encoded now, else 503."""
    fault = await service.health.fault()
    return JSONResponse({"status": "ok"}) if fault is None else JSONResponse({"status": "failing", "why": fault}, 503)


@router.get("/metrics", response_class=PlainTextResponse, dependencies=[Depends(KEY)])
async def metrics(service: ServiceDep) -> Response:
    """Figures in Prometheus' text format."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
