"""Routes: the library's tags, and changing those of images."""

from fastapi import APIRouter

from seesay.library import Library
from seesay.serving import limits
from seesay.serving.batching import in_time
from seesay.serving.photos import photos
from seesay.serving.photos.uploads import check_count
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import Changed, TagCount, TagsAnswer
from seesay.serving.schemas.requests import TagsRequest

router = APIRouter(tags=["library"])


@router.get("/v1/tags")
async def tags(service: ServiceDep) -> TagsAnswer:
    """Every tag, and how many pictures have it."""
    async with service.admitted(1):
        counts = await service.photos.run(lambda library: library.tags.counts())
    return TagsAnswer(tags=[TagCount(tag=tag, pictures=count) for tag, count in counts.items()])


@router.post("/v1/tags")
async def tag(request: TagsRequest, service: ServiceDep) -> Changed:
    """Adds tags to pictures, and removes others: at most 10,000 tags of pictures in all."""
    changes = len(request.ids) * (len(request.add) + len(request.remove))
    check_count("tags of pictures (ids x tags)", changes, limits.TAG_CHANGES)
    async with service.admitted(1 + changes // limits.TAG_CHANGES_PER_TEXT) as deadline:
        return Changed(changed=await service.photos.run(lambda library: _change(library, request, deadline)))


def _change(library: Library, request: TagsRequest, deadline: float) -> int:
    """Returns how many tags were added or removed. Raises PictureNotFound, DeadlineExceeded."""
    paths, changed = [], 0
    for name in request.ids:
        in_time(deadline)
        paths += [file.path for file in photos.item(library, name).files[:1]]
    for tag in request.add:
        in_time(deadline)
        changed += library.tags.add(tag, *paths)
    for tag in request.remove:
        in_time(deadline)
        changed += library.tags.remove(tag, *paths)
    return changed
