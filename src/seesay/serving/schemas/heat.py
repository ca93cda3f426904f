"""Pydantic models of requests for heat maps, and of their answers."""

from pydantic import BaseModel, ConfigDict, Field

from seesay.serving import limits
from seesay.serving.schemas.requests import PICTURE, RequestModel, Thing
from seesay.tasks.explanation import Way


class ExplainRequest(RequestModel):
    """A picture, and a text that fits it or not."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"image": {"image": PICTURE}, "text": "something red"}]})
    image: Thing = Field(description="{image} or {id}")
    text: str = Field(min_length=1, max_length=limits.QUERY_LETTERS)
    way: Way = Field(
        default="cells",
        description="cells: cosines of parts; occlusion: what the score loses without them, which takes longer; legrad, "
        "rollout: the attention of a ViT that the server runs in torch",
    )


class ExplainAnswer(BaseModel):
    """score: cosine of the picture and the text. heat: rows from the top, of at most 64 numbers from the left."""

    width: int
    height: int
    score: float
    heat: list[list[float]]
