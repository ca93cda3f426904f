"""Search quality for everyday queries in English and Chinese over a mixed library of 2,296 photos.

    SEESAY_DATA=... python benchmarks/everyday.py [--model PATH] [--library PATH] [--quick] [--json [FILE]]

The library: Flickr8k's val part, photos-1k and the val part of the grocery set, since people have photos of people, of things
and of food. `everyday.tsv` has the queries, the same needs in both languages, and the rules by which captions and labels make a
photo right. Every query goes through `Library.search` as it is typed.

any@3: share of queries with a right photo among the first three. P@10: share of right photos among the first ten ("at best":
the highest possible, since some things are on three photos only). nDCG@10 has gains of 1 and 0. Photos that cannot be judged,
such as most of photos-1k for the query "people", are removed first (condensed lists). Of the first 15, as shown: the share of
queries with something marked likely, and the share of right photos marked unlikely. For absent things, which no caption and no
label mentions: the share with nothing marked likely.

Then queries with negative terms (subtraction.py), and thirteen ways to type a noun (phrasings.py). `--library` keeps the
library, `--model` tests another model, and `--json FILE` writes the photos shown for every query.

Goals: anything is likely for at most a quarter of the absent queries, at most 10 % of the right photos are unlikely, nothing is
likely for at most 15 % of the present things, and 65 % of the first ten show the positive and not the negative term.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import phrasings
import pictures
import subtraction
from benchmark import Goal, Result, Table, run
from mixed_library import MixedLibrary
from needs import KINDS, LANGUAGES, TOPICS, Judgement, Need, faults, read_needs
from rankings import ANY, CUT, Quality, condensed, quality

import seesay
from seesay.library.search.result import Hit

SHOWN = 15  # pictures that a person sees
PAGE = 100  # further ones, searched for where too few of those can be judged
QUICK = 6  # a quick run tests every sixth need
NAMES = {"en": "English", "zh": "Chinese"}
CALLED = {"word": "a word", "phrase": "a phrase", "absent": "absent"}


@dataclass(frozen=True)
class Answer:
    """The outcome of one query. shown: numbers of the photos that a person sees, best first. likely, right: of each of them."""

    need: Need
    language: str
    shown: list[int]
    likely: list[bool]
    right: list[bool | None]
    quality: Quality | None  # None for an absent thing

    @property
    def query(self) -> str:
        """The query as it was typed."""
        return self.need.queries[self.language]


def measure(quick: bool, model: str | None, library: str | None) -> Result:
    """Runs the benchmark. model: a model to load; library: a folder to keep the library in."""
    result = Result()
    data = pictures.data()
    if data is None:
        result.notes.append(
            "pictures with captions and labels are needed: SEESAY_DATA=folder with flickr8k, photos-1k, grocery"
        )
        return result
    with tempfile.TemporaryDirectory() as temporary:
        mixed = MixedLibrary.made(data, Path(library or temporary), seesay.load(model))
        with mixed.library:
            _measure(result, mixed, quick=quick)
    return result


def _measure(result: Result, mixed: MixedLibrary, *, quick: bool) -> None:
    needs = read_needs()
    if found := faults(needs, mixed.photos):
        raise SystemExit("\n".join(["everyday.tsv does not fit the photos:", *found]))
    needs = needs[:: QUICK if quick else 1]
    judgements = {need.key: need.judged(mixed.photos) for need in needs}
    answers = [answer(mixed, need, language, judgements[need.key]) for need in needs for language in LANGUAGES]
    present, absent = ([a for a in answers if (a.need.kind == "absent") == missing] for missing in (False, True))
    result.figures |= {"model": mixed.library.model.name, "photos": len(mixed.photos)}
    _present(result, present, len(mixed.photos))
    _absent(result, absent)
    _failures(result, present, absent)
    result.details["queries"] = [_to_json(a, mixed, judgements[a.need.key]) for a in answers]
    subtraction.compare(result, mixed, needs, judgements)
    phrasings.compare(result, lambda query: _numbers(mixed, mixed.library.search(query, n=CUT)), quick=quick)


def answer(mixed: MixedLibrary, need: Need, language: str, judgement: Judgement) -> Answer:
    """Searches for one need in one language."""
    query = need.queries[language]
    hits = mixed.library.search(query, n=SHOWN)
    shown = _numbers(mixed, hits)
    verdicts = [None if number in judgement.unjudged else number in judgement.right for number in shown]
    measured = None
    if need.kind != "absent":
        ranking = condensed(_pages(mixed, query, hits), judgement.unjudged)
        measured = quality([number in judgement.right for number in ranking], len(judgement.right))
    return Answer(need, language, shown, [hit.likely is True for hit in hits], verdicts, measured)


def _pages(mixed: MixedLibrary, query: str, hits: Sequence[Hit]) -> Iterator[list[int]]:
    """The photos of these hits, then of further pages."""
    while hits:
        yield _numbers(mixed, hits)
        hits = mixed.library.search(query, n=PAGE, cursor=hits[-1].cursor)


def _numbers(mixed: MixedLibrary, hits: Sequence[Hit]) -> list[int]:
    return [mixed.number(hit.path) for hit in hits]


def _present(result: Result, answers: list[Answer], photos: int) -> None:
    header: tuple[str, ...] = (
        "queries",
        "number",
        f"any@{ANY}",
        f"P@{CUT}",
        "at best",
        f"nDCG@{CUT}",
        "something likely",
        "right but unlikely",
    )
    rows: list[tuple[str, ...]] = []
    by_topic: list[tuple[str, ...]] = []
    for language in LANGUAGES:
        own = [a for a in answers if a.language == language]
        groups = {CALLED[kind]: [a for a in own if a.need.kind == kind] for kind in KINDS if kind != "absent"} | {"all": own}
        for name, group in groups.items():
            means = _means(group)
            result.figures[f"{language}_{name.removeprefix('a ')}"] = means
            if name == "all" and means["something_likely"] is not None and means["right_but_unlikely"] is not None:
                what = f"things that are there, {NAMES[language]}"
                result.goals.append(Goal(f"{what}: share with nothing likely", 1 - means["something_likely"], 0.15))
                result.goals.append(Goal(f"{what}: share of right photos unlikely", means["right_but_unlikely"], 0.10))
            rows.append((f"{NAMES[language]}, {name}", str(len(group)), *map(_percent, means.values())))
    for topic in TOPICS:
        groups_by_language = [
            [a for a in answers if a.need.topic == topic and a.language == language] for language in LANGUAGES
        ]
        topic_means = [_means(group) for group in groups_by_language]
        result.figures[f"topic_{topic}"] = {language: own["any"] for language, own in zip(LANGUAGES, topic_means, strict=True)}
        figures = [_percent(own[key]) for key in ("any", "precision", "ndcg") for own in topic_means]
        by_topic.append((topic, str(len(groups_by_language[0])), *figures))
    needs = len(answers) // len(LANGUAGES)
    result.tables.append(Table(f"{needs} things that are there, in a library of {photos} photos", header, rows))
    header = ("topic", "needs", *(f"{name} {code}" for name in (f"any@{ANY}", f"P@{CUT}", f"nDCG@{CUT}") for code in LANGUAGES))
    result.tables.append(Table("The same by topic", header, by_topic))


def _means(answers: Sequence[Answer]) -> dict[str, float | None]:
    """The means, in the order of the table's columns."""
    qualities = [a.quality for a in answers if a.quality is not None]
    marks = [likely for a in answers for likely, right in zip(a.likely, a.right, strict=True) if right]
    return {
        "any": _mean([q.any for q in qualities]),
        "precision": _mean([q.precision for q in qualities]),
        "best_precision": _mean([q.best_precision for q in qualities]),
        "ndcg": _mean([q.ndcg for q in qualities]),
        "something_likely": _mean([any(a.likely) for a in answers]),
        "right_but_unlikely": _mean([not likely for likely in marks]),
    }


def _absent(result: Result, answers: list[Answer]) -> None:
    rows: list[tuple[str, ...]] = []
    for language in LANGUAGES:
        own = [a for a in answers if a.language == language]
        shares = {
            "nothing_likely": _mean([not any(a.likely) for a in own]),
            "likely": _mean([sum(a.likely) / SHOWN for a in own]),
        }
        result.figures[f"{language}_absent"] = shares
        if shares["nothing_likely"] is not None:
            what = f"things that are not there, {NAMES[language]}: share with anything likely"
            result.goals.append(Goal(what, 1 - shares["nothing_likely"], 0.25))
        rows.append((NAMES[language], str(len(own)), *map(_percent, shares.values())))
    header = ("queries", "number", "nothing likely", f"likely among the first {SHOWN}")
    result.tables.append(Table("Things that are not there", header, rows))


def _failures(result: Result, present: list[Answer], absent: list[Answer]) -> None:
    tests: dict[str, tuple[str, list[Answer], Callable[[Answer], bool]]] = {
        "failures": (f"nothing right among the first {ANY}", present, lambda a: a.quality is not None and not a.quality.any),
        "unlikely": ("there, but nothing marked likely", present, lambda a: not any(a.likely)),
        "likely": ("not there, but something marked likely", absent, lambda a: any(a.likely)),
    }
    for key, (what, answers, failed) in tests.items():
        for language in LANGUAGES:
            named = [a.query for a in answers if a.language == language and failed(a)]
            result.figures[f"{language}_{key}"] = named
            separator = "、" if language == "zh" else ", "
            result.notes.append(f"{NAMES[language]}, {what} ({len(named)}): {separator.join(named) or 'none'}.")


def _to_json(answer: Answer, mixed: MixedLibrary, judgement: Judgement) -> dict[str, Any]:
    need = answer.need
    return {
        "key": need.key,
        "kind": need.kind,
        "topic": need.topic,
        "language": answer.language,
        "query": answer.query,
        "right": len(judgement.right),
        "unjudged": len(judgement.unjudged),
        "quality": None if answer.quality is None else asdict(answer.quality),
        "shown": [
            {"photo": f"{photo.dataset}/{photo.file.name}", "shows": photo.shown, "right": right, "likely": likely}
            for photo, right, likely in zip((mixed.photos[n] for n in answer.shown), answer.right, answer.likely, strict=True)
        ],
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    run(
        "everyday",
        __doc__ or "",
        measure,
        paths={"model": "a model instead of the bundled one", "library": "a folder that keeps the library"},
    )
