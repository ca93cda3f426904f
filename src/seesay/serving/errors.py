"""Errors over HTTP: one table from error class to status and code, and the application's error handlers."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from seesay.errors import (
    AlreadyIndexing,
    DeadlineExceeded,
    GalleryError,
    InputError,
    LibraryError,
    LibraryLocked,
    MissingCapability,
    MissingExtra,
    ModelNotServed,
    NoLibrary,
    NoNames,
    PictureNotFound,
    PictureUnavailable,
    SeeSayError,
    ServerBusy,
    ShuttingDown,
    SpaceMismatch,
    UnknownName,
    UnreadableImage,
)
from seesay.serving import limits
from seesay.serving.log import event
from seesay.serving.schemas.answers import Fault
from seesay.serving.schemas.requests import UNION_TAGS

INVALID = "invalid_request_error"  # OpenAI's word for a request that its client has to change


@dataclass(frozen=True)
class Kind:
    """How a class of errors is answered. message: replaces the error's own, which would name paths of this machine.
    retry_after_s: a Retry-After header, where the error has no time of its own."""

    error: type[SeeSayError]
    status: int
    type: str
    code: str
    message: str | None = None
    retry_after_s: int | None = None


# The first that fits: subclasses stand before their bases.
KINDS: tuple[Kind, ...] = (
    Kind(ServerBusy, 429, "overloaded", "busy"),
    Kind(DeadlineExceeded, 504, "overloaded", "too_late"),
    Kind(ShuttingDown, 503, "unavailable", "shutting_down", retry_after_s=limits.SHUTDOWN_RETRY_AFTER_S),
    Kind(AlreadyIndexing, 409, "conflict", "already_indexing"),
    Kind(PictureUnavailable, 410, "not_found", "file_missing"),
    Kind(PictureNotFound, 404, "not_found", "no_picture"),
    Kind(ModelNotServed, 404, "not_found", "not_found"),
    Kind(MissingExtra, 501, "unavailable", "missing_extra"),
    Kind(MissingCapability, 400, INVALID, "unsupported"),
    Kind(
        LibraryLocked,
        409,
        "conflict",
        "library_locked",
        "the library is being written to by another process; try again when it is done",
    ),
    Kind(
        NoLibrary,
        404,
        "not_found",
        "no_library",
        "the library is empty; whoever runs the server fills it with: seesay index FOLDER",
    ),
    Kind(
        SpaceMismatch,
        503,
        "unavailable",
        "library_of_another_model",
        "the library was made with another model than this server's; whoever runs it indexes the folders again",
    ),
    Kind(
        LibraryError,
        503,
        "unavailable",
        "library_unusable",
        "the library cannot be read or written; the server's log says why",
    ),
    Kind(
        NoNames,
        404,
        "not_found",
        "no_names",
        "no name has been taught yet: POST /v1/names teaches one, and `examples` in a request serve it alone",
    ),
    Kind(
        GalleryError,
        503,
        "unavailable",
        "gallery_unusable",
        "the gallery of names cannot be read or written; the server's log says why",
    ),
    Kind(UnknownName, 404, "not_found", "no_name", "the gallery has no such name; GET /v1/names lists those that there are"),
    Kind(UnreadableImage, 400, INVALID, "unreadable_picture"),
    Kind(InputError, 400, INVALID, "invalid_request"),
)
SERVER_FAULT = Fault(message="the server failed at this; its log says more", type="server_error", code="server_error")


def fault_of(error: Exception) -> Fault:
    """An error as clients read it. One that they can do nothing about is logged, and only its kind is told."""
    kind = _kind(error)
    if kind is None:
        event("error", logging.ERROR, fault=error)
        return SERVER_FAULT
    return Fault(message=str(error) if kind.message is None else kind.message, type=kind.type, code=kind.code)


def install(app: FastAPI) -> None:
    """Registers the handlers that answer every error as JSON."""
    app.add_exception_handler(SeeSayError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


def _kind(error: Exception) -> Kind | None:
    return next((kind for kind in KINDS if isinstance(error, kind.error)), None)


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    kind = _kind(error)
    status = 500 if kind is None else kind.status
    if isinstance(error, (LibraryError, GalleryError)) and status >= 500:
        event("error", logging.ERROR, fault=error)
    seconds = error.retry_after_s if isinstance(error, ServerBusy) else kind and kind.retry_after_s
    return _answer(fault_of(error), status, {"Retry-After": str(seconds)} if seconds else {})


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """Says where and why a request does not fit its schema, and little of what was sent, which may be an image."""
    assert isinstance(error, RequestValidationError)
    first: Any = error.errors()[0]
    if not request.headers.get("content-type", "").startswith("application/json") and first["loc"] == ("body",):
        message = "expected JSON, sent with Content-Type: application/json"
        return _answer(Fault(message=message, type=INVALID, code="unsupported_media_type"), 415)
    if first["type"] == "json_invalid":
        message = f"the body is not JSON: {first['ctx']['error']} at character {first['loc'][-1] + 1}"
        return _answer(Fault(message=message, type=INVALID, code="invalid_json"), 400)
    steps = [str(step)[: limits.QUOTED_LETTERS] for step in first["loc"] if step not in ("body", *UNION_TAGS)]
    where = ".".join(steps) or "the request"
    return _answer(Fault(message=f"{where}: {_reason(first)}", type=INVALID, param=where, code="invalid_request"), 400)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    """The framework's own errors, such as of a route that does not exist."""
    assert isinstance(error, HTTPException)
    kind = getattr(error, "kind", "not_found" if error.status_code == 404 else INVALID)
    code = getattr(error, "code", HTTPStatus(error.status_code).name.lower())
    return _answer(Fault(message=str(error.detail), type=kind, code=code), error.status_code, error.headers)


def _answer(fault: Fault, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A message may quote what was sent; half a surrogate pair in it could not be encoded."""
    fields = {
        name: value if value is None else value.encode("utf-8", "backslashreplace").decode()
        for name, value in fault.model_dump().items()
    }
    return JSONResponse({"error": fields}, status, dict(headers or {}))


def _reason(fault: Any) -> str:
    """One of pydantic's faults: what was expected and what came."""
    match fault["type"]:
        case "missing":
            return "expected, and not there"
        case "too_long":
            return f"expected at most {fault['ctx']['max_length']:,}, got {fault['ctx']['actual_length'] or 'more'}"
        case "unknown_name" | "token_ids":
            return str(fault["msg"])
    expected = fault["msg"].replace("Input should be", "expected").replace("should have", "expected")
    return f"{expected}, got {_quoted(fault['input'])}"


def _quoted(value: object) -> str:
    """A client's value: itself where it is short, else its kind."""
    if isinstance(value, str):
        text = json.dumps(value[: limits.QUOTED_LETTERS + 1], ensure_ascii=False)
        return text if len(text) <= limits.QUOTED_LETTERS else f"a text of {len(value):,} letters"
    if value is None or isinstance(value, (bool, int, float)):
        text = json.dumps(value)
        return text if len(text) <= limits.QUOTED_LETTERS else "a number"
    return "a list" if isinstance(value, (list, tuple)) else "an object" if isinstance(value, dict) else "something else"
