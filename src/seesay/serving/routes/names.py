"""Routes: the names that the server was taught, teaching one, and forgetting one."""

import numpy as np
from fastapi import APIRouter

from seesay.errors import InputError
from seesay.library import Library
from seesay.library.example import Example, digest_of
from seesay.library.gallery import checked_name
from seesay.library.listing import digest
from seesay.serving.encoding import Rows
from seesay.serving.photos.uploads import content
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.routes.identify import example_faults
from seesay.serving.schemas.requests import LearnRequest, Thing
from seesay.serving.schemas.task_answers import LearnAnswer, NameCount, NamesAnswer
from seesay.serving.settings import Settings
from seesay.system.paths import is_url

router = APIRouter(tags=["library"])


@router.get("/v1/names")
async def names(service: ServiceDep) -> NamesAnswer:
    """Every name that the server was taught, and from how many pictures."""
    async with service.admitted(1):
        counts = await service.photos.run(lambda _: service.names.file.counts())
    return NamesAnswer(names=[NameCount(name=name, pictures=count) for name, count in counts.items()])


@router.post("/v1/names")
async def learn(request: LearnRequest, service: ServiceDep) -> LearnAnswer:
    """Teaches a name by images, sent along or of the library; a name that is there already gets them in addition.

    An image that the name has is counted once. What cannot be read is told, and the others are learned.
    """
    checked_name(request.name)
    service.encoder.check_pictures(request.images, "picture")
    async with service.admitted(service.encoder.cost(request.images)) as deadline:
        encoded = await service.encoder.encode(request.images, deadline, "picture")
        faults = example_faults([request], encoded.rows)
        if len(faults) == len(request.images):
            raise InputError(f"nothing was learned: {faults[0].error.message}")

        def write(library: Library) -> LearnAnswer:
            examples = _examples(library, request.images, encoded.rows, service.settings)
            return LearnAnswer(**vars(service.names.file.learn(request.name, examples)), errors=faults)

        return await service.photos.run(write)


@router.delete("/v1/names/{name:path}")
async def forget(name: str, service: ServiceDep) -> NameCount:
    """Forgets a name, and what was learned of it. Tags that images of the library have by then stay."""
    async with service.admitted(1):
        forgotten = await service.photos.run(lambda _: service.names.file.forget(name))
    ((stored, pictures),) = forgotten.items()
    return NameCount(name=stored, pictures=pictures)


def _examples(library: Library, images: list[Thing], rows: Rows, settings: Settings) -> list[Example]:
    """The images that could be encoded. Where one came from is not stored: clients' paths and URLs are no concern of others."""
    return [
        Example("", _digest(library, thing, settings), row)
        for thing, row in zip(images, rows, strict=True)
        if isinstance(row, np.ndarray)
    ]


def _digest(library: Library, thing: Thing, settings: Settings) -> str:
    """As of the same picture's file; of a URL's address, since what was fetched is not kept."""
    if thing.id is not None:
        with library.session() as session:
            return digest(session.store, thing.id) or thing.id
    assert thing.image is not None
    return digest_of(thing.image.encode() if is_url(thing.image) else content(thing.image, "picture", settings))
