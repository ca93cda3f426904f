"""Route: which of the taught names fits each image, or that none does."""

import numpy as np
from fastapi import APIRouter

from seesay.errors import InputError, SeeSayError
from seesay.library.gallery import checked_name
from seesay.serving.encoding import Rows
from seesay.serving.errors import fault_of
from seesay.serving.photos.uploads import check_count
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.requests import IdentifyRequest, Taught
from seesay.serving.schemas.task_answers import Candidate, ExampleFault, Identified, IdentifyAnswer
from seesay.serving.service import Service
from seesay.tasks.few_shot import Gallery, from_examples
from seesay.tasks.few_shot import identify as identify_vectors

router = APIRouter(tags=["model"])


@router.post("/v1/identify", response_model_exclude_unset=True)
async def identify(request: IdentifyRequest, service: ServiceDep) -> IdentifyAnswer:
    """The name of what each image shows, null where it resembles none of the names, with the nearest names.

    The names are those that the server was taught (`/v1/names`), or those of `examples`, which serve this request alone.
    """
    taught = request.examples or []
    shown = [image for one in taught for image in one.images]
    service.encoder.check_pictures(request.images, "picture")
    service.encoder.check_pictures(shown, "example")
    check_count("pictures", len(request.images) + len(shown), service.settings.pictures)
    async with service.admitted(service.encoder.cost(request.images) + service.encoder.cost(shown)) as deadline:
        images = await service.encoder.encode(request.images, deadline, "picture")
        examples = await service.encoder.encode(shown, deadline, "example") if shown else None
        faults = [] if examples is None else example_faults(taught, examples.rows)
        gallery = None if examples is None else _gallery(taught, examples.rows)
        return await service.photos.run(lambda _: _answer(service, request, images.rows, gallery, faults))


def example_faults(taught: list[Taught], rows: Rows) -> list[ExampleFault]:
    """The images of examples that could not be encoded. rows: of all images, name by name."""
    numbered = [(one.name, index) for one in taught for index in range(len(one.images))]
    return [
        ExampleFault(name=name, index=index, error=fault_of(row))
        for (name, index), row in zip(numbered, rows, strict=True)
        if isinstance(row, Exception)
    ]


def _gallery(taught: list[Taught], rows: Rows) -> Gallery:
    """Raises InputError for a name that is none, the first fault where no image could be encoded."""
    spelled = [checked_name(one.name) for one in taught for _ in one.images]
    readable = [(name, row) for name, row in zip(spelled, rows, strict=True) if isinstance(row, np.ndarray)]
    if not readable:
        (fault,) = [row for row in rows if isinstance(row, Exception)][:1]
        raise fault if isinstance(fault, SeeSayError) else InputError("no example could be encoded")
    return from_examples([name for name, _ in readable], np.stack([row for _, row in readable]))


def _answer(
    service: Service, request: IdentifyRequest, rows: Rows, gallery: Gallery | None, faults: list[ExampleFault]
) -> IdentifyAnswer:
    if gallery is None:
        gallery, calibrated = service.names.taught()
    else:
        calibrated = service.names.calibrated(gallery)
    results = []
    for index, row in enumerate(rows):
        if isinstance(row, Exception):
            results.append(Identified(index=index, error=fault_of(row)))
            continue
        (found,) = identify_vectors(
            gallery, row[None], calibrated, false_accepts=request.false_accepts, most=request.candidates
        )
        candidates = [Candidate(name=name, score=round(score, 6)) for name, score in found.candidates]
        results.append(Identified(index=index, name=found.name, score=round(found.score, 6), candidates=candidates))
    return IdentifyAnswer(threshold=round(calibrated.threshold(request.false_accepts), 6), results=results, examples=faults)
