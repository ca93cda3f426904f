"""Route: embeddings of texts and images, as OpenAI's clients ask for them."""

import base64
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Response

from seesay.errors import InputError
from seesay.serving.encoding import Encoded
from seesay.serving.errors import fault_of
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import EmbeddingsAnswer
from seesay.serving.schemas.requests import EmbeddingsRequest

router = APIRouter(tags=["model"])


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer)
async def embeddings(request: EmbeddingsRequest, service: ServiceDep) -> Response:
    """Texts and pictures -> unit vectors of one space, as OpenAI's clients ask for them.

    Where some items cannot be encoded, the others are; where none can, the answer is an error.
    """
    service.check_model(request.model)
    dim = service.model.dim
    if request.dimensions not in (None, dim):
        raise InputError(f"dimensions: this model's vectors have {dim}, got {request.dimensions}")
    items = request.items()
    async with service.admitted(service.encoder.cost(items)) as deadline:
        encoded = await service.encoder.encode(items, deadline)
    faults = [row for row in encoded.rows if isinstance(row, Exception)]
    if len(faults) == len(items):
        raise faults[0]
    return _json(
        {
            "object": "list",
            "data": _entries(encoded, request.encoding_format),
            "model": service.model.name,
            "usage": {"prompt_tokens": encoded.tokens, "total_tokens": encoded.tokens},
        }
    )


def _entries(encoded: Encoded, encoding_format: Literal["float", "base64"] | None) -> list[dict[str, Any]]:
    """One entry per item, with its vector or its error."""
    entries = []
    for index, row in enumerate(encoded.rows):
        entry: dict[str, Any] = {"object": "embedding", "index": index, "embedding": None}
        if isinstance(row, Exception):
            entry["error"] = fault_of(row).model_dump()
        elif encoding_format == "base64":
            entry["embedding"] = base64.b64encode(row.astype("<f4").tobytes()).decode()
        else:
            entry["embedding"] = row
        if index in encoded.truncated:
            entry["truncated"] = True
        entries.append(entry)
    return entries


def _json(value: dict[str, Any]) -> Response:
    """Serialised by orjson, numpy vectors included: Python's json would take a third of a short request's time."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
