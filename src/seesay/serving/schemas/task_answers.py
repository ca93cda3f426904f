"""What the routes of tasks answer: labels, names, prompts, boxes."""

from pydantic import BaseModel, Field

from seesay.models.logits import ScoreKind
from seesay.serving.schemas.answers import Fault
from seesay.tasks.interrogation.interrogator import Mode


class Score(BaseModel):
    """A label and its probability."""

    label: str
    probability: float


class Classified(BaseModel):
    """The scores of one picture, or why there are none. none: the probability of "none of these", where it was asked for."""

    index: int
    scores: list[Score] | None = None
    none: float | None = None
    error: Fault | None = None


class ClassifyAnswer(BaseModel):
    """One result per picture, in order. score: "softmax" shares 100 % among the labels, "sigmoid" is each label's own
    probability."""

    score: ScoreKind
    results: list[Classified]


class Candidate(BaseModel):
    """A name and its score, a mean cosine."""

    name: str
    score: float


class Identified(BaseModel):
    """name: of one image, null where none of the names fits it; then `candidates` has the nearest. Or why there is nothing."""

    index: int
    name: str | None = None
    score: float | None = None
    candidates: list[Candidate] = Field(default_factory=list)
    error: Fault | None = None


class ExampleFault(BaseModel):
    """An image that could not teach a name. index: among the name's images."""

    name: str
    index: int
    error: Fault


class IdentifyAnswer(BaseModel):
    """One result per image, in order. threshold: the least score of an image that gets a name. examples: those of the request
    that could not be encoded and were left out."""

    threshold: float
    results: list[Identified]
    examples: list[ExampleFault] = Field(default_factory=list)


class NameCount(BaseModel):
    """A name and the number of pictures that it was learned from."""

    name: str
    pictures: int


class NamesAnswer(BaseModel):
    """The names that the server was taught."""

    names: list[NameCount]


class LearnAnswer(BaseModel):
    """new: whether the name was not there before. added: images that it did not have; known: those that it had. pictures: that
    it has now. errors: images that could not be encoded."""

    name: str
    new: bool
    added: int
    known: int
    pictures: int
    errors: list[ExampleFault]


class PromptPhrase(BaseModel):
    """A phrase of a prompt. score: what it was chosen by, its cosine less what it has in common with anything (in a negative
    prompt with the picture's opposite). cosine: with the picture."""

    text: str
    kind: str
    score: float
    cosine: float


class PromptAnswer(BaseModel):
    """cosine: of the whole prompt with the picture; steps: the same after each phrase, none in mode fast. tokens: of the
    prompt, of at most `context` that the model takes."""

    prompt: str
    phrases: list[PromptPhrase]
    mode: Mode
    language: str
    cosine: float
    steps: list[float]
    tokens: int
    context: int


class LabelledBox(BaseModel):
    """box: x0, y0, x1, y1 in pixels of the upright picture."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class Detected(BaseModel):
    """The boxes of one picture, best first, and its size; or why there are none."""

    index: int
    width: int | None = None
    height: int | None = None
    boxes: list[LabelledBox] | None = None
    error: Fault | None = None


class DetectAnswer(BaseModel):
    """One result per picture, in order."""

    results: list[Detected]
