"""Pydantic models of requests, with their limits and examples. Class names and descriptions appear in /openapi.json."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import PydanticCustomError

from seesay.errors import InputError
from seesay.library.search.filters import Filters
from seesay.serving import limits
from seesay.tasks import labels as tasks
from seesay.tasks.clips import FRAMES
from seesay.tasks.few_shot import FALSE_ACCEPTS
from seesay.tasks.interrogation.interrogator import COUNT, Mode
from seesay.tasks.label_sets import PLAIN, ReadySet, label_set
from seesay.tasks.labels import as_labels
from seesay.tasks.prompts import Templates, TemplateSet, template_set
from seesay.tasks.zero_shot import Names

PICTURE = (  # one red pixel
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)

# A string with a length limit is also checked for half surrogate pairs, which JSON may hold and UTF-8 cannot.
Name = Annotated[str, StringConstraints(max_length=limits.NAME_LETTERS)]
Label = Annotated[str, StringConstraints(max_length=limits.NAME_LETTERS)]
Template = Annotated[str, StringConstraints(max_length=limits.TEMPLATE_LETTERS)]
Id = Annotated[str, StringConstraints(max_length=limits.ID_LETTERS)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class RequestModel(BaseModel):
    """A model that refuses unknown fields, so that a misspelt name does not go unnoticed."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, value: Any) -> Any:
        """Stops at the first unknown name: a body may hold a million of them, and each would be an error in memory."""
        unknown = next((name for name in value if name not in cls.model_fields), None) if isinstance(value, dict) else None
        if unknown is not None:
            got = ascii(unknown[:40]) if isinstance(unknown, str) else "another"
            names = {"expected": ", ".join(cls.model_fields), "got": got}
            raise PydanticCustomError("unknown_name", "expected {expected}, got the name {got}", names)
        return value


class Thing(RequestModel):
    """A text, a picture, or a picture of the library: exactly one of them."""

    text: str | None = None
    image: str | None = Field(
        default=None, description="a data: URI or base64; a URL where the server was started with --allow-urls"
    )
    id: str | None = Field(default=None, description="of a picture in the library, as searches return it")


def _text_or_thing(value: object) -> str | None:
    return "a text" if isinstance(value, str) else "a thing" if isinstance(value, (dict, Thing)) else None


def _one_or_several(value: object) -> str:
    return "several" if isinstance(value, list) else "one item"


# Unions have a discriminator, so that a wrong value is one error at its place, and not one per member of the union.
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
UNION_TAGS = ("a text", "a thing", "one item", "several")  # which pydantic puts into the locations of errors


def _refuse_token_ids(value: object) -> object:
    """Ids are of some vocabulary, unknown which: in this model's they would be other words."""
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, int) and not isinstance(first, bool):
        raise PydanticCustomError("token_ids", TOKEN_IDS)
    return value


TOKEN_IDS = (
    "expected texts, got token ids, which are of another model's vocabulary; have the client send texts "
    "(LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
)
# Fields of other servers that do not change the answer: with any value (None here), or with the value that holds here anyway.
HARMLESS: dict[str, object] = {"user": None, "request_id": None, "priority": None, "normalize": True, "truncate": True}


class EmbeddingsRequest(RequestModel):
    """OpenAI's request, with pictures, and infinity's `modality`. A field of another server is refused unless it does not
    change the result: `user`, or null."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input": ["a dog on grass", {"image": PICTURE}], "encoding_format": "float"}]}
    )
    input: Annotated[
        Annotated[Item, Tag("one item")] | Annotated[Several, Tag("several")],
        Discriminator(_one_or_several),
        BeforeValidator(_refuse_token_ids),
    ]
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    modality: Literal["text", "image"] | None = Field(
        default=None, description="what the plain strings of `input` are: texts (also without it), or pictures"
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_harmless_fields(cls, value: Any) -> Any:
        """Remaining unknown fields are refused by `_refuse_unknown_fields`."""
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if name in cls.model_fields or not _harmless(name, each)}

    def items(self) -> list[Thing | str]:
        """The input as a list, its plain strings as `modality` says. Raises InputError."""
        inputs = self.input if isinstance(self.input, list) else [self.input]
        if not inputs:
            raise InputError("input: expected at least one text or picture, got an empty list")
        for index, item in enumerate(inputs):
            if isinstance(item, Thing) and self.modality and (item.text is None) != (self.modality == "image"):
                raise InputError(f"input: item {index + 1} is no {self.modality}, which `modality` says that all are")
        if self.modality != "image":
            return inputs
        return [Thing(image=item) if isinstance(item, str) else item for item in inputs]


def _harmless(name: str, value: object) -> bool:
    return value is None or (name in HARMLESS and HARMLESS[name] in (None, value))


class SimilarityRequest(RequestModel):
    """Two lists of items to compare."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"a": [{"image": PICTURE}], "b": ["something red", "something blue"]}]}
    )
    a: Several = Field(min_length=1)
    b: Several = Field(min_length=1)


# A label by its name, or by several names, the first of which the answer shows.
LabelNames = Annotated[
    Annotated[Label, Tag("one item")]
    | Annotated[list[Label], Field(min_length=1, max_length=limits.LABEL_NAMES, fail_fast=True), Tag("several")],
    Discriminator(_one_or_several),
]
TemplateTexts = Annotated[
    Annotated[TemplateSet, Tag("one item")]
    | Annotated[list[Template], Field(max_length=limits.LIST_ITEMS, fail_fast=True), Tag("several")],
    Discriminator(_one_or_several),
]


class ClassifyRequest(RequestModel):
    """Pictures, and the labels to classify them by: your own, or a ready set of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"images": [{"image": PICTURE}], "labels": ["a red thing", "a blue thing"]},
                {"images": [{"image": PICTURE}], "labels": [["red", "红色"], "blue"], "templates": "photo", "none": True},
                {"images": [{"image": PICTURE}], "set": "scene"},
            ]
        }
    )
    images: list[Thing] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)
    labels: Annotated[list[LabelNames], Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)] | None = Field(
        default=None, description="names, or lists of names of one label"
    )
    set: ReadySet | None = Field(default=None, description="ready labels, in place of `labels`")
    templates: TemplateTexts | None = Field(
        default=None, description="texts with {} where the label goes, or the name of a set of them; default: short ones"
    )
    names: Names | None = Field(
        default=None,
        description="how several names of a label count: their mean, or the one that fits best. Default: mean; of a set, max",
    )
    none: bool = Field(default=False, description='adds "none of these", for pictures that no label fits')
    frames: int = Field(
        default=FRAMES,
        ge=1,
        le=FRAMES,
        description="an animation that is sent counts as the mean of so many frames; 1: the one that the library would show",
    )

    def made_labels(self) -> tuple[tasks.Label, ...]:
        """The labels with their names. Raises InputError."""
        if (self.labels is None) == (self.set is None):
            raise InputError("expected labels, or the name of a ready set, got both" if self.set else "labels: expected some")
        return label_set(self.set) if self.set else as_labels(self.labels or ())

    def made_templates(self) -> Templates:
        """The templates, by language where they are a set."""
        if isinstance(self.templates, str):
            return template_set(self.templates)
        return PLAIN if self.templates is None and self.set else self.templates

    def made_names(self) -> Names:
        """How several names of a label count."""
        return self.names or ("max" if self.set else "mean")


class Taught(RequestModel):
    """A name, and images that teach it."""

    name: Name
    images: list[Thing] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)


class IdentifyRequest(RequestModel):
    """Images to identify, among the server's names or among those that the request teaches."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "images": [{"image": PICTURE}],
                    "examples": [{"name": "a red thing", "images": [{"image": PICTURE}]}],
                }
            ]
        }
    )
    images: list[Thing] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)
    examples: Annotated[list[Taught], Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)] | None = Field(
        default=None, description="names for this request alone; default: those that the server was taught"
    )
    false_accepts: float = Field(
        default=FALSE_ACCEPTS, gt=0, le=1, description="the share of images of something else that may get a name"
    )
    candidates: int = Field(default=5, ge=1, le=limits.CANDIDATES, description="how many of the nearest names to tell")


class LearnRequest(Taught):
    """A name to teach, and images of what has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Rex", "images": [{"image": PICTURE}]}]})


class PromptRequest(RequestModel):
    """A picture, and what its prompt should be like."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"image": {"image": PICTURE}, "mode": "fast"}]})
    image: Thing = Field(description="{image} or {id}")
    language: Literal["en", "zh"] = "en"
    mode: Mode = Field(
        default="best",
        description="best: phrases as long as they come nearer; fast: the nearest that differ; negative: what it is least like",
    )
    count: int = Field(default=COUNT, ge=1, le=limits.PROMPT_PHRASES, description="at most so many phrases")


class DetectRequest(RequestModel):
    """Pictures, and the labels of what to look for in them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"images": [{"image": PICTURE}], "labels": ["a red thing"]}]})
    images: list[Thing] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True, description="images or ids")
    labels: list[Label] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)
    threshold: float | None = Field(default=None, ge=0, le=1, description="least score; default: the detector's own")
    most: int | None = Field(default=None, ge=1, le=limits.DETECT_BOXES, description="boxes per picture")


class FiltersAsked(RequestModel):
    """Filters, all of which a picture must pass; see `seesay.Filters`."""

    folder: Annotated[str, StringConstraints(max_length=limits.FOLDER_LETTERS)] | None = Field(
        default=None, description="as hits name it, with all folders below it"
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
        """The library's filters. under: the path of `folder`. Raises InputError."""
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


def _check_count(value: object) -> object:
    """Pydantic counts a dictionary only after validating all of it."""
    if isinstance(value, dict) and len(value) > limits.QUERY_IMAGES:
        counts = {"max_length": limits.QUERY_IMAGES, "actual_length": len(value)}
        raise PydanticCustomError("too_long", "too many", counts)
    return value


class SearchRequest(RequestModel):
    """A query with filters and an order."""

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
    pictures: Annotated[dict[Name, str], BeforeValidator(_check_count)] = Field(
        default_factory=dict, max_length=limits.QUERY_IMAGES
    )
    kind: Literal["image", "text"] = Field(
        default="image", description="what is searched: pictures, or texts of the lists that were indexed"
    )
    n: int = Field(default=limits.DEFAULT_HITS, ge=1, le=limits.HITS)
    cursor: str | None = Field(
        default=None, max_length=limits.CURSOR_LETTERS, description="the `next` of the answer before, for the page after it"
    )
    sort: Literal["score", "newest", "oldest"] = "score"
    likely: bool = Field(default=False, description="only pictures that are likely to show what the words say")
    score: Literal["rank", "cosine"] = Field(
        default="rank",
        description="what hits are ordered by: cosines less what pictures have in common with anything, or cosines",
    )
    exact: bool = Field(default=False, description="compare with every picture, whichever index the library has")
    filters: FiltersAsked = FiltersAsked()


class BrowseRequest(RequestModel):
    """Filters and an order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sort": "newest", "filters": {"orientation": "portrait"}}]})
    sort: Literal["newest", "oldest", "name"] = "newest"
    filters: FiltersAsked = FiltersAsked()


class TagsRequest(RequestModel):
    """Tags to add to pictures, and tags to remove from them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["0a1b2c3d4e5f"], "add": ["garden"]}]})
    ids: list[Id] = Field(min_length=1, max_length=limits.TAGGED_IMAGES, fail_fast=True)
    add: list[Name] = Field(default_factory=list, max_length=limits.FILTER_VALUES, fail_fast=True)
    remove: list[Name] = Field(default_factory=list, max_length=limits.FILTER_VALUES, fail_fast=True)


class ExportRequest(RequestModel):
    """The pictures of a ZIP."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["0a1b2c3d4e5f"]}]})
    ids: list[Id] = Field(min_length=1, max_length=limits.EXPORTED_IMAGES, fail_fast=True)


class KeyRequest(RequestModel):
    """The server's key."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "the-key-of-the-server"}]})
    key: Name
