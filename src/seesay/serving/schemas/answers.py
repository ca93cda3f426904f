"""What clients are answered (with `wire.py` it makes /openapi.json)."""

from typing import Literal

from pydantic import BaseModel, Field


class Fault(BaseModel):
    """code: a word for programs, which stays when the message is said otherwise. param: the place in the request."""

    message: str
    type: str
    param: str | None = None
    code: str


class ErrorAnswer(BaseModel):
    error: Fault


class Embedding(BaseModel):
    """embedding: numbers, or base64 of little-endian float32; null where this item alone failed, and `error` says why.
    truncated: a text was longer than the model's context and lost its end."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str | None
    truncated: bool | None = None
    error: Fault | None = None


class Usage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class SideFault(BaseModel):
    side: Literal["a", "b"]
    index: int
    message: str
    code: str


class SimilarityAnswer(BaseModel):
    """similarity: cosines, a row for each of `a`; null where one of the two failed."""

    similarity: list[list[float | None]]
    errors: list[SideFault]


class Score(BaseModel):
    label: str
    probability: float


class Classified(BaseModel):
    index: int
    scores: list[Score] | None = None
    error: Fault | None = None


class ClassifyAnswer(BaseModel):
    results: list[Classified]


class PictureAnswer(BaseModel):
    """A picture of the library. copies: further files with the same bytes; available: whether its file is there now."""

    id: str
    name: str
    folder: str
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    tags: list[str] = Field(default_factory=list)
    copies: int = 0
    available: bool = True


class Found(PictureAnswer):
    """A picture, or a text with its line in the file of that name; its id is no picture's. likely: false from where
    pictures are less likely to show what the words say; none where no words are searched for. named: the words are its
    file's or a folder's name. score: none without a query."""

    kind: Literal["image", "text"] = "image"
    text: str | None = None
    line: int | None = None
    score: float | None = None
    relevance: float | None = None
    likely: bool | None = None
    named: bool | None = None


class Nothing(BaseModel):
    """Why a search found nothing: no picture is likely to show it (where only likely ones are wanted), nothing passes the
    filters, or there is nothing."""

    reason: Literal["likely", "filters", "library"]
    message: str


class SearchAnswer(BaseModel):
    results: list[Found]
    nothing: Nothing | None = None
    next: str | None = None
    took_ms: float


class FileFacts(BaseModel):
    folder: str
    name: str


class ItemAnswer(PictureAnswer):
    bytes: int
    files: list[FileFacts]


class BrowseAnswer(BaseModel):
    """Every picture that passes, in columns. dates: days, "" where not known. names: of files, where the date is not."""

    ids: list[str]
    widths: list[int]
    heights: list[int]
    dates: list[str]
    names: list[str]


class Changed(BaseModel):
    """changed: tags that were added or taken away, of all pictures."""

    changed: int


class TagCount(BaseModel):
    tag: str
    pictures: int


class TagsAnswer(BaseModel):
    tags: list[TagCount]


class FolderCount(BaseModel):
    folder: str
    pictures: int


class CameraCount(BaseModel):
    camera: str
    pictures: int


class PlaceCount(BaseModel):
    """A place of some kilometres. name: of a town, where one is near and the server knows towns; latitude, longitude: its
    middle; box: as the filter `place` takes it, south, west, north, east."""

    name: str | None
    latitude: float
    longitude: float
    box: tuple[float, float, float, float]
    pictures: int


class Last(BaseModel):
    """What the last look at the folders did. error: why it ended early, with its code. missing: folders that are not there
    now, by their names; what is known of their pictures is kept."""

    finished_at: str
    seconds: float
    added: int = 0
    removed: int = 0
    failed: int = 0
    missing: list[str] = Field(default_factory=list)
    error: str | None = None
    code: str | None = None


class IndexingState(BaseModel):
    """done, total: files of the look that is going on."""

    running: bool
    done: int
    total: int
    last: Last | None


class SkippedCount(BaseModel):
    """Files of a kind that looks like pictures or videos and is not read, and what can be done about it."""

    kind: str
    files: int
    advice: str


class LibraryAnswer(BaseModel):
    """Counts of pictures in all, by folder, camera, tag and place. first, last: days between which they were taken. skipped:
    files in the indexed folders that look like pictures or videos and are not read."""

    pictures: int
    texts: int
    failed: int
    skipped: list[SkippedCount]
    model: str
    languages: list[str]
    folders: list[FolderCount]
    cameras: list[CameraCount]
    tags: list[TagCount]
    places: list[PlaceCount]
    first: str | None
    last: str | None
    can_write: bool
    can_map: bool
    indexing: IndexingState


class Failed(FileFacts):
    reason: str


class FailuresAnswer(BaseModel):
    failures: list[Failed]


class Spot(BaseModel):
    """A picture on the map, from 0 to 1 in both directions. group: its place in `groups`, -1 for none. Its tile of the sheet is
    the one with its own number, of `width` and `height` pixels."""

    id: str
    x: float
    y: float
    width: int
    height: int
    group: int
    name: str
    date: str


class Group(BaseModel):
    name: str
    x: float
    y: float
    pictures: int


class MapAnswer(BaseModel):
    """side, columns: of the sheet's tiles. left_out: pictures that are not on it. chart: names this map when its sheet is asked
    for. drawing: the library has changed since, and a newer map is under way."""

    chart: str
    drawing: bool
    side: int
    columns: int
    left_out: int
    spots: list[Spot]
    groups: list[Group]


class CopyFacts(FileFacts):
    """A file. path: where it lies, told only by a server that no other machine reaches. identical: the same bytes as the first
    of its group; cosine, distance: of its vector and its hash (0 to 64 bits) to that one's."""

    id: str
    path: str | None
    width: int | None
    height: int | None
    bytes: int
    taken_at: str | None
    identical: bool
    cosine: float
    distance: int


class CopyGroup(BaseModel):
    """A picture that is there more than once. files: the first is the one that is proposed to be kept."""

    files: list[CopyFacts]


class CopiesAnswer(BaseModel):
    """looking: the library has changed since, and is being compared anew."""

    looking: bool
    groups: list[CopyGroup]


class Working(BaseModel):
    state: Literal["working"] = "working"


class MapProgress(BaseModel):
    """drawing: whether a map is under way. share: of the one in this language, from 0 to 1."""

    drawing: bool
    share: float


class ModelLimits(BaseModel):
    texts: int
    pictures: int
    urls: int
    letters: int
    picture_bytes: int
    pixels: int
    body_bytes: int


class ModelAnswer(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    dim: int
    space_id: str
    build_id: str
    languages: list[str]
    context_length: int
    limits: ModelLimits


class ModelsAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelAnswer]


class SessionAnswer(BaseModel):
    key_required: bool
    signed_in: bool


class Health(BaseModel):
    status: Literal["ok", "failing"]
    why: str | None = None
