"""Route: cosines between two lists of texts and images."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from fastapi import APIRouter

from seesay.serving.encoding import Rows
from seesay.serving.errors import fault_of
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import SideFault, SimilarityAnswer
from seesay.serving.schemas.requests import SimilarityRequest

router = APIRouter(tags=["model"])


@router.post("/v1/similarity")
async def similarity(request: SimilarityRequest, service: ServiceDep) -> SimilarityAnswer:
    """Cosines between every item of one list and every item of another."""
    encoder = service.encoder
    async with service.admitted(encoder.cost(request.a) + encoder.cost(request.b)) as deadline:
        a = (await encoder.encode(request.a, deadline, "a: item")).rows
        b = (await encoder.encode(request.b, deadline, "b: item")).rows
    cosines = [[_cosine(row, column) for column in b] for row in a]
    return SimilarityAnswer(similarity=cosines, errors=[*_faults("a", a), *_faults("b", b)])


def _faults(side: Literal["a", "b"], rows: Rows) -> Iterator[SideFault]:
    for index, row in enumerate(rows):
        if isinstance(row, Exception):
            fault = fault_of(row)
            yield SideFault(side=side, index=index, message=fault.message, code=fault.code)


def _cosine(a: np.ndarray | Exception, b: np.ndarray | Exception) -> float | None:
    return None if isinstance(a, Exception) or isinstance(b, Exception) else round(float(a @ b), 6)
