"""What went wrong, as clients read it."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from seesay.errors import (
    InputError,
    LibraryError,
    LibraryLocked,
    MissingCapability,
    MissingExtra,
    NoLibrary,
    SeeSayError,
)
from seesay.serving.batching import Busy, Closed, TooLate
from seesay.serving.indexing import Running
from seesay.serving.log import event
from seesay.serving.photos import Gone
from seesay.serving.wire import Fault


class NotFound(InputError):
    """There is no such thing here."""


# The first that fits: (error, status, type). Messages about the library name its folder, which is none of a client's business.
KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (Busy, 429, "overloaded"),
    (TooLate, 504, "overloaded"),
    (Closed, 503, "unavailable"),
    (Running, 409, "conflict"),
    (Gone, 404, "not_found"),
    (NotFound, 404, "not_found"),
    (MissingExtra, 501, "unavailable"),
    (MissingCapability, 400, "invalid_request_error"),
    (LibraryLocked, 409, "conflict"),
    (NoLibrary, 404, "not_found"),
    (LibraryError, 503, "unavailable"),
    (InputError, 400, "invalid_request_error"),
)
SAID: dict[type[Exception], str] = {
    LibraryLocked: "the library is being written to by another process; try again when it is done",
    NoLibrary: "the library is empty; whoever runs the server fills it with: seesay index FOLDER",
    LibraryError: "the library cannot be read or written; the server's log says why",
}


def fault_of(error: Exception) -> Fault:
    """Of one that clients can do nothing about, the log says more than they are told."""
    for kind, _, name in KINDS:
        if isinstance(error, kind):
            return Fault(message=SAID.get(kind, str(error)), type=name)
    event("error", error=f"{type(error).__name__}: {error}")
    return Fault(message="the server failed at this; its log says more", type="server_error")


def install(app: FastAPI) -> None:
    @app.exception_handler(SeeSayError)
    async def known(request: Request, error: SeeSayError) -> JSONResponse:
        status = next((status for kind, status, _ in KINDS if isinstance(error, kind)), 500)
        if isinstance(error, Gone) and error.known:
            status = 410
        if status >= 500 and not isinstance(error, (TooLate, Closed, MissingExtra)):
            event("error", error=f"{type(error).__name__}: {error}")
        headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Busy) else {}
        if isinstance(error, Closed):
            headers = {"Retry-After": "5"}
        return JSONResponse({"error": fault_of(error).model_dump()}, status, headers)

    @app.exception_handler(RequestValidationError)
    async def misshapen(request: Request, error: RequestValidationError) -> JSONResponse:
        """Says where and why, and not what was sent, which may be a picture."""
        first: Any = error.errors()[0]
        if not request.headers.get("content-type", "").startswith("application/json") and first["loc"] == ("body",):
            told = Fault(message="expected JSON, sent with Content-Type: application/json", type="invalid_request_error")
            return JSONResponse({"error": told.model_dump()}, 415)
        where = ".".join(str(step) for step in first["loc"] if step != "body" and not _is_type(step)) or "the request"
        return JSONResponse(
            {"error": Fault(message=f"{where}: {first['msg']}", type="invalid_request_error", param=where).model_dump()}, 400
        )

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        kind = getattr(error, "kind", "not_found" if error.status_code == 404 else "invalid_request_error")
        return JSONResponse(
            {"error": Fault(message=str(error.detail), type=kind).model_dump()}, error.status_code, error.headers
        )


def _is_type(step: object) -> bool:
    """Of a union's members pydantic names the type, which is no part of the place."""
    return isinstance(step, str) and (step in ("str", "Thing") or "[" in step)
