"""Pydantic models of answers. Class names and descriptions appear in /openapi.json."""

from typing import Literal

from pydantic import BaseModel, Field


class Fault(BaseModel):
    """message: for people. code: for programs; it stays when the message is reworded. param: the place in the request."""

    message: str
    type: str
    param: str | None = None
    code: str


class ErrorAnswer(BaseModel):
    """The answer of every request that fails."""

    error: Fault


class Embedding(BaseModel):
    """embedding: numbers, or base64 of little-endian float32; null where this item alone failed, and `error` says why.
    truncated: the text was longer than the model's context, and its end was cut off."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str | None
    truncated: bool | None = None
    error: Fault | None = None


class Usage(BaseModel):
    """Counts of tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """One embedding per item, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class SideFault(BaseModel):
    """An item that could not be encoded. side: the list that holds it; index: its position there."""

    side: Literal["a", "b"]
    index: int
    message: str
    code: str


class SimilarityAnswer(BaseModel):
    """similarity: cosines, a row for each item of `a`; null where one of the two items failed."""

    similarity: list[list[float | None]]
    errors: list[SideFault]


class PictureAnswer(BaseModel):
    """A picture of the library. copies: the number of further files with the same bytes. available: a file of it exists now."""

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
    """A picture, or a text with its line in the file of that name; a text's id is no picture's. likely: whether the picture is
    likely to show what the words say; none without words. box: x0 y0 x1 y1 in pixels, the part of the picture that is nearer to
    the words than the whole, where the library has parts (seesay index --regions). named: the words are the name of its file or
    of a folder around it. score: none without a query."""

    kind: Literal["image", "text"] = "image"
    text: str | None = None
    line: int | None = None
    score: float | None = None
    relevance: float | None = None
    likely: bool | None = None
    box: tuple[float, float, float, float] | None = None
    named: bool | None = None


class Nothing(BaseModel):
    """Why a search has no hits: no picture is likely to show it (where only likely ones were requested), nothing passes the
    filters, or the library is empty."""

    reason: Literal["likely", "filters", "library"]
    message: str


class SearchAnswer(BaseModel):
    """A page of hits. nothing: why there are none; next: the cursor of the next page; index: which one answered."""

    results: list[Found]
    nothing: Nothing | None = None
    next: str | None = None
    index: str = "exact"
    took_ms: float


class FileFacts(BaseModel):
    """A file as clients know it."""

    folder: str
    name: str


class ItemAnswer(PictureAnswer):
    """A picture with its facts and files."""

    bytes: int
    files: list[FileFacts]


class BrowseAnswer(BaseModel):
    """Every picture that passes the filters, in columns. dates: days, "" if unknown. names: of files without a date."""

    ids: list[str]
    widths: list[int]
    heights: list[int]
    dates: list[str]
    names: list[str]


class Changed(BaseModel):
    """changed: the number of tags that were added or removed, over all pictures."""

    changed: int


class TagCount(BaseModel):
    """A tag, and how many pictures have it."""

    tag: str
    pictures: int


class TagsAnswer(BaseModel):
    """All tags of the library."""

    tags: list[TagCount]


class FolderCount(BaseModel):
    """A folder, and how many pictures it holds."""

    folder: str
    pictures: int


class CameraCount(BaseModel):
    """A camera, and how many pictures it took."""

    camera: str
    pictures: int


class PlaceCount(BaseModel):
    """A place of some kilometres. name: of a town, where one is near and the server knows towns. latitude, longitude: its
    centre. box: south, west, north, east, as the filter `place` takes it."""

    name: str | None
    latitude: float
    longitude: float
    box: tuple[float, float, float, float]
    pictures: int


class Last(BaseModel):
    """What the last indexing run did. error: why it ended early, with its code. missing: the names of folders that do not exist
    now; what is known of their pictures is kept."""

    finished_at: str
    seconds: float
    added: int = 0
    removed: int = 0
    failed: int = 0
    missing: list[str] = Field(default_factory=list)
    error: str | None = None
    code: str | None = None


class IndexingState(BaseModel):
    """done, total: files of the current indexing run."""

    running: bool
    done: int
    total: int
    last: Last | None


class SkippedCount(BaseModel):
    """Files of a kind that looks like pictures or videos and is not read. advice: what can be done about it."""

    kind: str
    files: int
    advice: str


class LibraryAnswer(BaseModel):
    """Counts of pictures: in all, by folder, camera, tag and place. first, last: the days of the oldest and the newest.
    skipped: files in the indexed folders that look like pictures or videos and are not read."""

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
    """A file that could not be read, and why."""

    reason: str


class FailuresAnswer(BaseModel):
    """All files that could not be read."""

    failures: list[Failed]


class Spot(BaseModel):
    """A picture on the map. x, y: from 0 to 1. group: its index in `groups`, -1 for none. Its tile of the sheet has the index
    of the spot, and `width` and `height` pixels."""

    id: str
    x: float
    y: float
    width: int
    height: int
    group: int
    name: str
    date: str


class Group(BaseModel):
    """A group of pictures on the map, with its centre."""

    name: str
    x: float
    y: float
    pictures: int


class MapAnswer(BaseModel):
    """side, columns: of the sheet's tiles. left_out: the number of pictures that are not on the map. chart: the id of this map,
    for its sheet. drawing: the library has changed since, and a newer map is being drawn."""

    chart: str
    drawing: bool
    side: int
    columns: int
    left_out: int
    spots: list[Spot]
    groups: list[Group]


class CopyFacts(FileFacts):
    """A file. path: only on a server that no other machine reaches. identical: it has the same bytes as the first file of its
    group. cosine, distance: of its vector and its perceptual hash (0 to 64 bits) to those of that file."""

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
    """A picture that the library holds more than once. files: the first is the proposed keeper."""

    files: list[CopyFacts]


class CopiesAnswer(BaseModel):
    """looking: the library has changed since, and is being compared again."""

    looking: bool
    groups: list[CopyGroup]


class Working(BaseModel):
    """The answer is being prepared: ask again."""

    state: Literal["working"] = "working"


class MapProgress(BaseModel):
    """drawing: a map is being drawn. share: the part of the one in this language that is done, from 0 to 1."""

    drawing: bool
    share: float


class ModelLimits(BaseModel):
    """The limits of a request."""

    texts: int
    pictures: int
    urls: int
    letters: int
    picture_bytes: int
    pixels: int
    body_bytes: int


class ModelAnswer(BaseModel):
    """A model that the server serves."""

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
    """All models that the server serves."""

    object: Literal["list"] = "list"
    data: list[ModelAnswer]


class SessionAnswer(BaseModel):
    """Whether a key is required, and whether this client has it."""

    key_required: bool
    signed_in: bool


class Health(BaseModel):
    """The result of a health check. why: what is wrong."""

    status: Literal["ok", "failing"]
    why: str | None = None
