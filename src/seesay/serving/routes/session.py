"""Routes: signing a browser in with the server's key, and out."""

from fastapi import APIRouter, Request, Response

from seesay.serving import limits
from seesay.serving.guard.keys import COOKIE
from seesay.serving.guard.middleware import wrong_key
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import SessionAnswer
from seesay.serving.schemas.requests import KeyRequest

router = APIRouter(tags=["upkeep"])


@router.get("/v1/session")
async def session(request: Request, service: ServiceDep) -> SessionAnswer:
    """Whether the server requires a key, and whether this client has it."""
    return SessionAnswer(key_required=service.keys.needed, signed_in=service.keys.lets_in(dict(request.headers)))


@router.post("/v1/session", status_code=204)
async def sign_in(request: KeyRequest, service: ServiceDep) -> Response:
    """Gives a browser a cookie, since it cannot send the key with the address of a picture."""
    if not service.keys.opens(request.key):
        raise wrong_key()
    answer = Response(status_code=204)
    answer.set_cookie(COOKIE, service.keys.cookie(), httponly=True, samesite="strict", max_age=limits.COOKIE_S)
    return answer


@router.delete("/v1/session", status_code=204)
async def sign_out() -> Response:
    """Removes the browser's cookie."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
