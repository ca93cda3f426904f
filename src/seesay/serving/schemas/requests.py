"""What clients ask, with its limits and examples (with `answers.py` it makes /openapi.json)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import PydanticCustomError

from seesay.errors import InputError
from seesay.library.search.filters import Filters
from seesay.serving import limits

PICTURE = (  # one red pixel
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)

# With a limit of its length a text is also looked at: half a surrogate pair, which JSON may hold, can be written nowhere.
Name = Annotated[str, StringConstraints(max_length=limits.NAME_LETTERS)]
Label = Annotated[str, StringConstraints(max_length=limits.NAME_LETTERS)]
Template = Annotated[str, StringConstraints(max_length=limits.TEMPLATE_LETTERS)]
Id = Annotated[str, StringConstraints(max_length=limits.ID_LETTERS)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class Asked(BaseModel):
    """A request: what it does not know is refused, so that a misspelt name does not go unnoticed."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _all_known(cls, said: Any) -> Any:
        """The first unknown name ends it: of a million of them each would be an error to keep."""
        unknown = next((name for name in said if name not in cls.model_fields), None) if isinstance(said, dict) else None
        if unknown is not None:
            got = ascii(unknown[:40]) if isinstance(unknown, str) else "another"
            names = {"expected": ", ".join(cls.model_fields), "got": got}
            raise PydanticCustomError("unknown_name", "expected {expected}, got the name {got}", names)
        return said


class Thing(Asked):
    """A text, a picture, or a picture of the library: exactly one of them."""

    text: str | None = None
    image: str | None = Field(
        default=None, description="a data: URI or base64; a URL where the server was started with --allow-urls"
    )
    id: str | None = Field(default=None, description="of a picture in the library, as searches tell it")


def _text_or_thing(said: object) -> str | None:
    return "a text" if isinstance(said, str) else "a thing" if isinstance(said, (dict, Thing)) else None


def _one_or_several(said: object) -> str:
    return "several" if isinstance(said, list) else "one item"


# What decides between the members of a union is told, so that a fault is one fault, at its place, and not one of each member.
Item = Annotated[
    Annotated[str, Tag("a text")] | Annotated[Thing, Tag("a thing")],
    Discriminator(
        _text_or_thing,
        custom_error_type="item",
        custom_error_message='Input should be a text, or one of {"text": ...}, {"image": ...}, {"id": ...}',
    ),
    Field(description="a text, or one of {text}, {image}, {id}"),
]
Several = Annotated[list[Item], Field(max_length=limits.LIST_ITEMS, fail_fast=True)]
UNION_TAGS = ("a text", "a thing", "one item", "several")  # which pydantic names in the places of faults


def _no_token_ids(said: object) -> object:
    """They are numbers of a vocabulary, and nothing tells which: read by another one they would be other words."""
    first = said[0] if isinstance(said, list) and said else None
    if isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, int) and not isinstance(first, bool):
        raise PydanticCustomError("token_ids", TOKEN_IDS)
    return said


TOKEN_IDS = (
    "expected texts, got token ids, which are of another model's vocabulary; have the client send texts "
    "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
)
# Fields of other servers that leave the answer as it is, whatever they say (None) or where they say what is done here anyway.
HARMLESS: dict[str, object] = {"user": None, "request_id": None, "priority": None, "normalize": True, "truncate": True}


class EmbeddingsRequest(Asked):
    """OpenAI's, with pictures, and infinity's `modality`. A field of another server is refused unless it says nothing about the
    result: `user`, or null."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input": ["a dog on grass", {"image": PICTURE}], "encoding_format": "float"}]}
    )
    input: Annotated[
        Annotated[Item, Tag("one item")] | Annotated[Several, Tag("several")],
        Discriminator(_one_or_several),
        BeforeValidator(_no_token_ids),
    ]
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    modality: Literal["text", "image"] | None = Field(
        default=None, description="what the plain strings of `input` are: texts (also without it), or pictures"
    )

    @model_validator(mode="before")
    @classmethod
    def _without_the_harmless(cls, said: Any) -> Any:
        """What is left over is looked at by `_all_known`."""
        if not isinstance(said, dict):
            return said
        return {name: value for name, value in said.items() if name in cls.model_fields or not _harmless(name, value)}

    def items(self) -> list[Thing | str]:
        """Raises InputError."""
        given = self.input if isinstance(self.input, list) else [self.input]
        if not given:
            raise InputError("input: expected at least one text or picture, got an empty list")
        for at, item in enumerate(given):
            if isinstance(item, Thing) and self.modality and (item.text is None) != (self.modality == "image"):
                raise InputError(f"input: item {at + 1} is no {self.modality}, which `modality` says that all are")
        if self.modality != "image":
            return given
        return [Thing(image=item) if isinstance(item, str) else item for item in given]


def _harmless(name: str, value: object) -> bool:
    return value is None or (name in HARMLESS and HARMLESS[name] in (None, value))


class SimilarityRequest(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"a": [{"image": PICTURE}], "b": ["something red", "something blue"]}]}
    )
    a: Several = Field(min_length=1)
    b: Several = Field(min_length=1)


class ClassifyRequest(Asked):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"images": [{"image": PICTURE}], "labels": ["a red thing", "a blue thing"]}]}
    )
    images: list[Thing] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)
    labels: list[Label] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)
    templates: Annotated[list[Template], Field(max_length=limits.LIST_ITEMS, fail_fast=True)] | None = Field(
        default=None, description="texts with {} where the label goes; default: short ones"
    )


class FiltersAsked(Asked):
    """Only pictures that all of these are true of; `seesay.Filters` says more."""

    folder: Annotated[str, StringConstraints(max_length=limits.FOLDER_LETTERS)] | None = Field(
        default=None, description="as hits tell it, with all below it"
    )
    after: Name | None = Field(default=None, examples=["2024-05"])
    before: Name | None = None
    camera: Name | None = None
    place: tuple[Latitude, Longitude, Latitude, Longitude] | None = Field(
        default=None, description="south, west, north, east in degrees"
    )
    orientation: Literal["landscape", "portrait", "square"] | None = None
    min_px: int | None = Field(default=None, ge=1, le=limits.FILTER_PX)
    tags: list[Name] = Field(default_factory=list, max_length=limits.FILTER_VALUES, fail_fast=True)
    names: list[Name] = Field(
        default_factory=list,
        max_length=limits.FILTER_VALUES,
        fail_fast=True,
        description="parts of the file's or a folder's name",
    )
    min_score: float | None = Field(default=None, ge=-1, le=1)

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
            name=tuple(self.names) or None,
            min_score=self.min_score,
        )


def _few(said: object) -> object:
    """pydantic counts a dictionary when all of it is validated."""
    if isinstance(said, dict) and len(said) > limits.QUERY_IMAGES:
        counts = {"max_length": limits.QUERY_IMAGES, "actual_length": len(said)}
        raise PydanticCustomError("too_long", "too many", counts)
    return said


class SearchRequest(Asked):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "beach sunset - people", "n": 20, "filters": {"after": "2023"}},
                {"query": "photo:mine + at night", "pictures": {"mine": PICTURE}},
                {"query": "photo:mine", "pictures": {"mine": PICTURE}, "kind": "text", "n": 5},
                {"sort": "newest", "filters": {"names": ["receipt"]}},
                {"query": "a giraffe", "likely": True},
            ]
        }
    )
    query: str = Field(
        default="",
        description="words, photo:NAME of one of `pictures`, name:NAME, like:ID; joined by + and -. Empty: all, by date",
        max_length=limits.QUERY_LETTERS,
    )
    pictures: Annotated[dict[Name, str], BeforeValidator(_few)] = Field(default_factory=dict, max_length=limits.QUERY_IMAGES)
    kind: Literal["image", "text"] = Field(
        default="image", description="what is looked for: pictures, or texts of the lists that were indexed"
    )
    n: int = Field(default=limits.DEFAULT_HITS, ge=1, le=limits.HITS)
    cursor: str | None = Field(
        default=None, max_length=limits.CURSOR_LETTERS, description="the `next` of the answer before, to go on behind it"
    )
    sort: Literal["score", "newest", "oldest"] = "score"
    likely: bool = Field(default=False, description="only pictures that are likely to show what the words say")
    score: Literal["rank", "cosine"] = Field(
        default="rank", description="what the order is by: cosines less what pictures have in common with anything, or cosines"
    )
    filters: FiltersAsked = FiltersAsked()


class BrowseRequest(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"sort": "newest", "filters": {"orientation": "portrait"}}]})
    sort: Literal["newest", "oldest", "name"] = "newest"
    filters: FiltersAsked = FiltersAsked()


class TagsRequest(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["0a1b2c3d4e5f"], "add": ["garden"]}]})
    ids: list[Id] = Field(min_length=1, max_length=limits.TAGGED_IMAGES, fail_fast=True)
    add: list[Name] = Field(default_factory=list, max_length=limits.FILTER_VALUES, fail_fast=True)
    remove: list[Name] = Field(default_factory=list, max_length=limits.FILTER_VALUES, fail_fast=True)


class ExportRequest(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["0a1b2c3d4e5f"]}]})
    ids: list[Id] = Field(min_length=1, max_length=limits.EXPORTED_IMAGES, fail_fast=True)


class KeyRequest(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "the-key-of-the-server"}]})
    key: Name
