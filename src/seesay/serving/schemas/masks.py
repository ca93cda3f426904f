"""Pydantic models of requests for masks, and of their answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from seesay.serving import limits
from seesay.serving.schemas.requests import PICTURE, Label, RequestModel, Thing


class SegmentRequest(RequestModel):
    """A picture, and the labels of what its parts may show."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"image": {"image": PICTURE}, "labels": ["red", "blue"]}]})
    image: Thing = Field(description="{image} or {id}")
    labels: list[Label] = Field(min_length=1, max_length=limits.LIST_ITEMS, fail_fast=True)
    background: Annotated[list[Label], Field(max_length=limits.LIST_ITEMS, fail_fast=True)] | None = Field(
        default=None, description="what else may be there and gets no label; default: everyday things; []: nothing"
    )
    threshold: float = Field(default=0, ge=0, le=1, description="probability below which a pixel has no label")


class Segment(BaseModel):
    """value: of its pixels in the mask. score: mean probability over them, 0 without any. share: of the picture."""

    label: str
    value: int
    score: float
    share: float


class SegmentAnswer(BaseModel):
    """segments: one per label, in order. none: share of the picture without a label. mask: a data: URI of an 8-bit PNG of the
    upright picture's size, 255 where there is no label."""

    width: int
    height: int
    segments: list[Segment]
    none: float
    mask: str
