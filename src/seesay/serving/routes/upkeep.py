"""Routes that keep a server running: the page itself, signing in, health, figures."""

from importlib.resources import files

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from seesay.serving import limits
from seesay.serving.guard.middleware import COOKIE, KEY, wrong_key
from seesay.serving.health import Health
from seesay.serving.schemas.answers import Health as HealthAnswer
from seesay.serving.schemas.answers import SessionAnswer
from seesay.serving.schemas.requests import KeyRequest
from seesay.serving.service import Service


def routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["upkeep"])
    ui = files("seesay.serving") / "ui"
    page, described = (ui / "index.html").read_bytes(), (ui / "docs.html").read_bytes()
    health = Health(service)

    @router.get("/", include_in_schema=False)
    async def index() -> Response:
        return Response(page, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})

    @router.get("/docs", include_in_schema=False, dependencies=[Depends(KEY)])
    async def docs() -> Response:
        return Response(described, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})

    @router.get("/v1/session")
    async def session(request: Request) -> SessionAnswer:
        """Whether the server takes a key, and whether this client has one."""
        return SessionAnswer(key_required=service.keys.needed, signed_in=service.keys.lets_in(dict(request.headers)))

    @router.post("/v1/session", status_code=204)
    async def sign_in(asked: KeyRequest) -> Response:
        """A cookie for browsers, which cannot send the key with a picture's address."""
        if not service.keys.opens(asked.key):
            raise wrong_key()
        answer = Response(status_code=204)
        answer.set_cookie(COOKIE, service.keys.cookie(), httponly=True, samesite="strict", max_age=limits.COOKIE_S)
        return answer

    @router.delete("/v1/session", status_code=204)
    async def sign_out() -> Response:
        """Takes the browser's cookie away."""
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    @router.get("/healthz", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}})
    async def healthz() -> Response:
        """200 where a picture and a text can be encoded now, else 503."""
        fault = await health.fault()
        return JSONResponse({"status": "ok"}) if fault is None else JSONResponse({"status": "failing", "why": fault}, 503)

    @router.get("/metrics", response_class=PlainTextResponse, dependencies=[Depends(KEY)])
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
