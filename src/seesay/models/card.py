"""The card: what a model is good for and bad at, beside its weights as `card.json`."""

from dataclasses import dataclass

from seesay.models.config import Source


@dataclass(frozen=True)
class Score:
    """One measured figure. `value` is a fraction in 0..1; `note` says what a reader must know to trust it."""

    task: str
    metric: str
    value: float
    note: str = ""


@dataclass(frozen=True)
class Fidelity:
    """What storing weights narrowly cost, against float32, on real photos and captions."""

    part: str
    stored_as: str
    megabytes: float
    cosine_mean: float
    cosine_min: float
    note: str = ""


@dataclass(frozen=True)
class Card:
    """strengths: what the model is good at, and limits: what it is bad at, a sentence each. published: of larger models.
    variants: of this model made otherwise, for those whom its licence does not suit."""

    summary: str
    languages: tuple[str, ...]
    licence: str
    sources: tuple[Source, ...]
    training: str
    scores: tuple[Score, ...]
    published: tuple[Score, ...]
    fidelity: tuple[Fidelity, ...]
    batch_tolerance: float
    limits: tuple[str, ...]
    variants: tuple[Score, ...] = ()
    strengths: tuple[str, ...] = ()
