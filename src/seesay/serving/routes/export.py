"""Route: a ZIP of the library's files."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from seesay.errors import InputError
from seesay.serving import limits
from seesay.serving.photos import photos
from seesay.serving.photos.archive import archive
from seesay.serving.photos.filenames import attachment
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.routes.media import ZIP
from seesay.serving.schemas.requests import ExportRequest

BODY = {  # the route parses its body itself, because it takes two kinds
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": ExportRequest.model_json_schema()},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"ids": {"type": "string", "examples": ["0a1b2c3d4e5f,1a2b3c4d5e6f"]}},
                }
            },
        },
    }
}

router = APIRouter(tags=["library"])


@router.post("/v1/export", response_class=StreamingResponse, responses=ZIP, openapi_extra=BODY)
async def export(request: Request, service: ServiceDep) -> StreamingResponse:
    """A ZIP of the files: JSON {"ids": [...]}, or a form with the field ids, separated by commas. Missing files
    are left out."""
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    ids = await _form_ids(request) if form else await _json_ids(request)
    if not 1 <= len(ids) <= limits.EXPORTED_IMAGES:
        raise InputError(f"ids: expected 1 to {limits.EXPORTED_IMAGES}, got {len(ids)}")
    async with service.admitted(1):
        files = await service.photos.run(lambda library: photos.files_of(library, ids))
    headers = {"Content-Disposition": attachment("pictures.zip"), "Cache-Control": "no-store"}
    return StreamingResponse(archive(files), media_type="application/zip", headers=headers)


async def _form_ids(request: Request) -> list[str]:
    try:
        form = parse_qs((await request.body()).decode())
    except (UnicodeDecodeError, ValueError):
        raise InputError("expected a form with the field ids") from None
    return [name for name in form.get("ids", [""])[0].split(",") if name]


async def _json_ids(request: Request) -> list[str]:
    try:
        ids = (await request.json())["ids"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError('expected JSON such as {"ids": ["0a1b2c3d4e5f"]}') from None
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise InputError("ids: expected a list of ids")
    return ids
