"""The model card, `card.json`: what a model is good for and bad at, with measured scores."""

from dataclasses import dataclass

from seesay.models.config import WeightSource


@dataclass(frozen=True)
class CardScore:
    """One measured score. value: a fraction in 0..1. note: how it was measured."""

    task: str
    metric: str
    value: float
    note: str = ""


@dataclass(frozen=True)
class CardFidelity:
    """The error that quantized weights cause, against float32, on real photos and captions."""

    part: str
    stored_as: str
    megabytes: float
    cosine_mean: float
    cosine_min: float
    note: str = ""


@dataclass(frozen=True)
class Card:
    """A model card. strengths, limits: what the model is good and bad at, a sentence each. published: scores of larger models.
    variants: scores of models made the same way from other data, whose licence suits more users."""

    summary: str
    languages: tuple[str, ...]
    licence: str
    sources: tuple[WeightSource, ...]
    training: str
    scores: tuple[CardScore, ...]
    published: tuple[CardScore, ...]
    fidelity: tuple[CardFidelity, ...]
    batch_tolerance: float
    limits: tuple[str, ...]
    variants: tuple[CardScore, ...] = ()
    strengths: tuple[str, ...] = ()
