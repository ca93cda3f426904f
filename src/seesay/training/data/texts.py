"""The texts of one picture: read from a row or a shard, and drawn by weight."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from seesay.errors import InputError


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    lang: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts to draw from: the i-th is drawn by chances below `upto[i]`, and not by those below `upto[i - 1]`."""

    texts: tuple[str, ...]
    upto: tuple[float, ...]

    def drawn(self, chance: float) -> str:
        """The text for a chance in [0, 1)."""
        return self.texts[min(bisect_right(self.upto, chance), len(self.texts) - 1)]


def read_texts(value: object, lang: object = None, weight: object = None) -> list[Text]:
    """A string, or a list of strings and of objects {text, lang, weight}. Raises InputError, without saying where.

    `lang` and `weight`: of those that say none themselves; a weight may be a number in a string, as in CSV.
    """
    found = []
    for item in value if isinstance(value, list | tuple) else [value]:
        said = item if isinstance(item, Mapping) else {"text": item}
        text = said.get("text")
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"expected a text, got {text!r}")
        own_lang, own_weight = said.get("lang"), said.get("weight")
        own_lang, own_weight = lang if own_lang is None else own_lang, weight if own_weight is None else own_weight
        found.append(Text(text.strip(), _lang(own_lang), _weight(own_weight)))
    return found


def texts_to_draw(texts: Sequence[Text], languages: Mapping[str, float]) -> Texts | None:
    """With `languages`, a language is drawn by its weight among those that the picture has, then one of its texts by theirs;
    languages without a weight are left out. Without, languages are not looked at. None where no text is left."""
    if languages:
        totals: dict[str | None, float] = {}
        for text in texts:
            totals[text.lang] = totals.get(text.lang, 0.0) + text.weight
        shares = [t.weight and languages.get(t.lang or "", 0.0) * t.weight / totals[t.lang] for t in texts]
    else:
        shares = [text.weight for text in texts]
    kept = [(text.text, share) for text, share in zip(texts, shares, strict=True) if share > 0]
    if not kept:
        return None
    upto = list(accumulate(share for _, share in kept))
    return Texts(tuple(text for text, _ in kept), tuple(value / upto[-1] for value in upto))


def check_languages(languages: Mapping[str, float]) -> None:
    """Raises InputError for weights that cannot be shares."""
    bad = [f"{name} = {weight}" for name, weight in languages.items() if not (math.isfinite(weight) and weight >= 0)]
    if bad:
        raise InputError(f"expected languages' weights of 0 or more, got {bad[0]}")
    if languages and not any(languages.values()):
        raise InputError("expected a language with a weight above 0, got none; leave `languages` out to take all")


def check_weight(weight: float) -> None:
    """Of a source among others. Raises InputError."""
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
