"""What went wrong, as clients read it."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
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
    SpaceMismatch,
    UnreadableImage,
)
from seesay.serving.batching import Busy, Closed, TooLate
from seesay.serving.log import event
from seesay.serving.photos.photos import Gone
from seesay.serving.schemas.answers import Fault
from seesay.serving.schemas.requests import TAGS

LONGEST = 40  # of what a client sent, where a message repeats it


class NotFound(InputError):
    """There is no such thing here."""


class Running(SeeSayError):
    """The folders are being looked through already."""


# The first that fits: (error, status, type, code). Messages about the library name its folder, which is none of a client's
# business.
KINDS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (Busy, 429, "overloaded", "busy"),
    (TooLate, 504, "overloaded", "too_late"),
    (Closed, 503, "unavailable", "shutting_down"),
    (Running, 409, "conflict", "already_indexing"),
    (Gone, 404, "not_found", "no_picture"),
    (NotFound, 404, "not_found", "not_found"),
    (MissingExtra, 501, "unavailable", "missing_extra"),
    (MissingCapability, 400, "invalid_request_error", "unsupported"),
    (LibraryLocked, 409, "conflict", "library_locked"),
    (NoLibrary, 404, "not_found", "no_library"),
    (SpaceMismatch, 503, "unavailable", "library_of_another_model"),
    (LibraryError, 503, "unavailable", "library_unusable"),
    (UnreadableImage, 400, "invalid_request_error", "unreadable_picture"),
    (InputError, 400, "invalid_request_error", "invalid_request"),
)
SAID: dict[type[Exception], str] = {
    LibraryLocked: "the library is being written to by another process; try again when it is done",
    NoLibrary: "the library is empty; whoever runs the server fills it with: seesay index FOLDER",
    SpaceMismatch: "the library was made with another model than this server's; whoever runs it indexes the folders again",
    LibraryError: "the library cannot be read or written; the server's log says why",
}
OURS = Fault(message="the server failed at this; its log says more", type="server_error", code="server_error")


def fault_of(error: Exception) -> Fault:
    """Of one that clients can do nothing about, the log says more than they are told."""
    if isinstance(error, Gone) and error.known:
        return Fault(message=str(error), type="not_found", code="file_missing")
    for kind, _, name, code in KINDS:
        if isinstance(error, kind):
            return Fault(message=SAID.get(kind, str(error)), type=name, code=code)
    event("error", logging.ERROR, fault=error)
    return OURS


def install(app: FastAPI) -> None:
    @app.exception_handler(SeeSayError)
    async def known(request: Request, error: SeeSayError) -> JSONResponse:
        status = next((status for kind, status, _, _ in KINDS if isinstance(error, kind)), 500)
        if isinstance(error, Gone) and error.known:
            status = 410
        if isinstance(error, LibraryError) and status >= 500:
            event("error", logging.ERROR, fault=error)
        headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Busy) else {}
        if isinstance(error, Closed):
            headers = {"Retry-After": "5"}
        return _answer(fault_of(error), status, headers)

    @app.exception_handler(RequestValidationError)
    async def misshapen(request: Request, error: RequestValidationError) -> JSONResponse:
        """Says where and why, and little of what was sent, which may be a picture."""
        first: Any = error.errors()[0]
        kind = "invalid_request_error"
        if not request.headers.get("content-type", "").startswith("application/json") and first["loc"] == ("body",):
            message = "expected JSON, sent with Content-Type: application/json"
            return _answer(Fault(message=message, type=kind, code="unsupported_media_type"), 415)
        if first["type"] == "json_invalid":
            message = f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1] + 1}"
            return _answer(Fault(message=message, type=kind, code="invalid_json"), 400)
        where = ".".join(str(step)[:LONGEST] for step in first["loc"] if step not in ("body", *TAGS)) or "the request"
        return _answer(Fault(message=f"{where}: {_why(first)}", type=kind, param=where, code="invalid_request"), 400)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        kind = getattr(error, "kind", "not_found" if error.status_code == 404 else "invalid_request_error")
        code = getattr(error, "code", HTTPStatus(error.status_code).name.lower())
        return _answer(Fault(message=str(error.detail), type=kind, code=code), error.status_code, error.headers)


def _answer(fault: Fault, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A message may repeat what was sent; half a surrogate pair in it could not be sent back."""
    told = {
        name: said if said is None else said.encode("utf-8", "backslashreplace").decode()
        for name, said in fault.model_dump().items()
    }
    return JSONResponse({"error": told}, status, dict(headers or {}))


def _why(fault: Any) -> str:
    """What was expected and what came, of one of pydantic's faults."""
    match fault["type"]:
        case "missing":
            return "expected, and not there"
        case "too_long":
            return f"expected at most {fault['ctx']['max_length']:,}, got {fault['ctx']['actual_length'] or 'more'}"
        case "unknown_name" | "token_ids":
            return str(fault["msg"])
    return (
        f"{fault['msg'].replace('Input should be', 'expected').replace('should have', 'expected')}, got {_kind(fault['input'])}"
    )


def _kind(sent: object) -> str:
    """What a client sent: itself where it is short, else what it is."""
    if sent is None or isinstance(sent, (bool, int, float, str)):
        said = json.dumps(sent[: LONGEST + 1] if isinstance(sent, str) else sent, ensure_ascii=False)
        return said if len(said) <= LONGEST else f"a text of {len(sent):,} letters" if isinstance(sent, str) else "a number"
    return "a list" if isinstance(sent, (list, tuple)) else "an object" if isinstance(sent, dict) else "something else"
