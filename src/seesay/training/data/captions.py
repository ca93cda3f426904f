"""Captions of one image: parsed from a table or a shard, and drawn by weight."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from seesay.errors import InputError


@dataclass(frozen=True, slots=True)
class Caption:
    """A text of an image, its language (None: unknown) and the weight with which it is drawn."""

    text: str
    lang: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class WeightedCaptions:
    """The texts of one image with their cumulative probabilities, which end at 1."""

    texts: tuple[str, ...]
    cumulative: tuple[float, ...]

    def draw(self, chance: float) -> str:
        """The text for a random number in [0, 1)."""
        return self.texts[min(bisect_right(self.cumulative, chance), len(self.texts) - 1)]


def parse_captions(value: object, lang: object = None, weight: object = None) -> list[Caption]:
    """Captions from a string, or from a list of strings and of objects {text, lang, weight}.

    `lang` and `weight` are the defaults of captions without their own; a weight may be a string, as in CSV. Raises InputError
    without naming the place.
    """
    captions = []
    for item in value if isinstance(value, list | tuple) else [value]:
        fields = item if isinstance(item, Mapping) else {"text": item}
        text = fields.get("text")
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"expected a text, got {text!r}")
        own_lang, own_weight = fields.get("lang"), fields.get("weight")
        own_lang, own_weight = lang if own_lang is None else own_lang, weight if own_weight is None else own_weight
        captions.append(Caption(text.strip(), _lang(own_lang), _weight(own_weight)))
    return captions


def weigh_captions(captions: Sequence[Caption], languages: Mapping[str, float]) -> WeightedCaptions | None:
    """Captions with the probabilities of drawing them; None if none has a weight above 0.

    With `languages`, a language is drawn by its weight among those that the image has, then a caption of it by theirs;
    languages without a weight are excluded. Without, languages are ignored.
    """
    if languages:
        totals: dict[str | None, float] = {}
        for caption in captions:
            totals[caption.lang] = totals.get(caption.lang, 0.0) + caption.weight
        shares = [c.weight and languages.get(c.lang or "", 0.0) * c.weight / totals[c.lang] for c in captions]
    else:
        shares = [caption.weight for caption in captions]
    positive = [(caption.text, share) for caption, share in zip(captions, shares, strict=True) if share > 0]
    if not positive:
        return None
    cumulative = list(accumulate(share for _, share in positive))
    return WeightedCaptions(tuple(text for text, _ in positive), tuple(value / cumulative[-1] for value in cumulative))


def check_languages(languages: Mapping[str, float]) -> None:
    """Raises InputError for weights that cannot be shares."""
    bad = [f"{name} = {weight}" for name, weight in languages.items() if not (math.isfinite(weight) and weight >= 0)]
    if bad:
        raise InputError(f"expected languages' weights of 0 or more, got {bad[0]}")
    if languages and not any(languages.values()):
        raise InputError("expected a language with a weight above 0, got none; leave `languages` out to take all")


def check_weight(weight: float) -> None:
    """Raises InputError for a weight that a source in a mixture cannot have."""
    if not (math.isfinite(weight) and weight > 0):
        raise InputError(f"expected a weight above 0, got {weight}; leave the source out to draw nothing from it")


def _lang(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InputError(f"expected a language such as 'en', got {value!r}")
    return value


def _weight(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(f"expected a weight of 0 or more, got {value!r}")
    return weight
