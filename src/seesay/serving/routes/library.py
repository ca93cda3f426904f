"""Routes: what the library holds, indexing its folders again, and the files that could not be read."""

from fastapi import APIRouter

from seesay.library import Library
from seesay.serving.photos import photos
from seesay.serving.photos.summary import summary
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import Failed, FailuresAnswer, IndexingState, LibraryAnswer, PlaceCount

router = APIRouter(tags=["library"])


@router.get("/v1/library")
async def about(service: ServiceDep) -> LibraryAnswer:
    """What the library holds, as values for filters, and how far indexing is."""
    counts = await service.photos.run(lambda library: summary(library, service.model))
    names = service.gazetteer.names(counts["places"])
    places = [PlaceCount(name=name, **vars(place)) for name, place in zip(names, counts["places"], strict=True)]
    return LibraryAnswer(**counts | {"places": places}, indexing=service.indexing.state())


@router.post("/v1/index", status_code=202)
async def index(service: ServiceDep) -> IndexingState:
    """Indexes new, changed and deleted pictures in the folders that were indexed before."""
    await service.photos.run(lambda library: library.check_exists())
    service.indexing.start()
    return service.indexing.state()


@router.get("/v1/failures")
async def failures(service: ServiceDep) -> FailuresAnswer:
    """Files that could not be read, and why."""
    return FailuresAnswer(failures=await service.photos.run(_failures))


def _failures(library: Library) -> list[Failed]:
    names = photos.folders(library)
    shown = [(*names.shown(path), reason) for path, reason, _ in library.failures()]
    return [Failed(folder=folder, name=name, reason=reason) for folder, name, reason in shown]
