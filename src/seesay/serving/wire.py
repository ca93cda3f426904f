"""What goes over the wire: requests and answers, with their limits and examples (they make /openapi.json)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from seesay.library.filters import Filters

PICTURE = (  # one red pixel
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


class Asked(BaseModel):
    """A request: what it does not know is refused, so that a misspelt name does not go unnoticed."""

    model_config = ConfigDict(extra="forbid")


class Thing(Asked):
    """A text, a picture, or a picture of the library: exactly one of them."""

    text: str | None = None
    image: str | None = Field(
        default=None, description="a data: URI or base64; a URL where the server was started with --allow-urls"
    )
    id: str | None = Field(default=None, description="of a picture in the library, as searches tell it")


Item = Annotated[str | Thing, Field(description="a text, or one of {text}, {image}, {id}")]


class EmbeddingsRequest(BaseModel):
    """OpenAI's, with pictures. Of its other fields, those that say nothing about the result are taken and ignored."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input": ["a dog on grass", {"image": PICTURE}], "encoding_format": "float"}]}
    )
    input: Item | list[Item]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class Fault(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


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


class SimilarityRequest(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"a": [{"image": PICTURE}], "b": ["something red", "something blue"]}]}
    )
    a: list[Item] = Field(min_length=1)
    b: list[Item] = Field(min_length=1)


class SideFault(BaseModel):
    side: Literal["a", "b"]
    index: int
    message: str


class SimilarityAnswer(BaseModel):
    """similarity: cosines, a row for each of `a`; null where one of the two failed."""

    similarity: list[list[float | None]]
    errors: list[SideFault]


class ClassifyRequest(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"images": [{"image": PICTURE}], "labels": ["a red thing", "a blue thing"]}]}
    )
    images: list[Thing] = Field(min_length=1)
    labels: list[str] = Field(min_length=1)
    templates: list[str] | None = Field(default=None, description="texts with {} where the label goes; default: short ones")


class Score(BaseModel):
    label: str
    probability: float


class Classified(BaseModel):
    index: int
    scores: list[Score] | None = None
    error: Fault | None = None


class ClassifyAnswer(BaseModel):
    results: list[Classified]


class FiltersAsked(Asked):
    """Only pictures that all of these are true of; `seesay.Filters` says more."""

    folder: str | None = Field(default=None, description="as hits tell it, with all below it")
    after: str | None = Field(default=None, examples=["2024-05"])
    before: str | None = None
    camera: str | None = None
    place: tuple[float, float, float, float] | None = Field(default=None, description="south, west, north, east in degrees")
    orientation: Literal["landscape", "portrait", "square"] | None = None
    min_px: int | None = None
    tags: list[str] = Field(default_factory=list, max_length=20)
    min_score: float | None = None

    def filters(self, under: str | None) -> Filters:
        """under: the path of `folder`. Raises InputError."""
        return Filters(
            under=under,
            after=self.after or None,
            before=self.before or None,
            camera=self.camera or None,
            place=self.place,
            orientation=self.orientation,
            min_px=self.min_px,
            tag=tuple(self.tags) or None,
            min_score=self.min_score,
        )


class SearchRequest(Asked):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "beach sunset - people", "n": 20, "filters": {"after": "2023"}},
                {"query": "photo:mine + at night", "pictures": {"mine": PICTURE}},
            ]
        }
    )
    query: str = Field(description="words, photo:NAME of one of `pictures`, like:ID; joined by + and -", max_length=2000)
    pictures: dict[str, str] = Field(default_factory=dict, max_length=16)
    n: int = Field(default=50, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=100, description="the `next` of the answer before, to go on behind it")
    sort: Literal["score", "newest", "oldest"] = "score"
    relevant: bool = Field(default=True, description="end where pictures have no more to do with the words")
    filters: FiltersAsked = FiltersAsked()


class PictureFacts(BaseModel):
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


class Found(PictureFacts):
    score: float
    relevance: float | None = None


class Nothing(BaseModel):
    """Why a search found nothing: no picture has to do with the words, none passes the filters, or there is none."""

    reason: Literal["words", "filters", "library"]
    message: str


class SearchAnswer(BaseModel):
    results: list[Found]
    nothing: Nothing | None = None
    next: str | None = None
    took_ms: float


class FileFacts(BaseModel):
    folder: str
    name: str


class ItemAnswer(PictureFacts):
    bytes: int
    files: list[FileFacts]


class BrowseRequest(Asked):
    sort: Literal["newest", "oldest", "name"] = "newest"
    filters: FiltersAsked = FiltersAsked()


class BrowseAnswer(BaseModel):
    """Every picture that passes, in columns. dates: days, "" where not known."""

    ids: list[str]
    widths: list[int]
    heights: list[int]
    dates: list[str]


class TagsRequest(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["0a1b2c3d4e5f"], "add": ["garden"]}]})
    ids: list[str] = Field(min_length=1, max_length=100_000)
    add: list[str] = Field(default_factory=list, max_length=20)
    remove: list[str] = Field(default_factory=list, max_length=20)


class KeyRequest(Asked):
    key: str = Field(max_length=1000)


Json = dict[str, Any]
