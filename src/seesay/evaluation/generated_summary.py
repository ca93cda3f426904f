"""Scores of generated pictures as a report: of one model, or of several side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seesay.evaluation.generated import Bound, DistanceRun, EditRun, PromptRun
from seesay.evaluation.report import Example, Examples, Report, Table
from seesay.evaluation.summary import run_facts

SHOWN = 8  # pictures at each end
SCORES = {
    "clipscore": "CLIPScore (2.5 cos)",
    "clipscore_100": "100 cos",
    "refclipscore": "RefCLIPScore",
    "aesthetic": "aesthetic",
}


def prompt_report(runs: Sequence[PromptRun], title: str, details: bool) -> Report:
    """CLIPScore and its relatives, and the pictures from the lowest up. details: with the lowest and the highest."""
    first = runs[0]
    names = list(first.means)
    rows = tuple((run.model.name, *(_cell(run.means[name], run.bounds.get(name)) for name in names)) for run in runs)
    facts = [_pictures(len(first.data.images), len(first.data.texts))]
    if first.prefix:
        facts.append(f"each prompt after {first.prefix!r}")
    tables = [Table("Pictures and their prompts", ("", *(SCORES[name] for name in names)), rows)]
    order = np.argsort(first.clip_score, kind="stable")
    cells = tuple((first.data.texts[at], _name(first, at), *(f"{run.clip_score[at]:.3f}" for run in runs)) for at in order)
    columns = ("CLIPScore",) if len(runs) == 1 else tuple(run.model.name for run in runs)
    tables.append(Table("The prompts, the lowest first", ("prompt", "picture", *columns), cells, shown=10, detail=True))
    report = Report(title, (*facts, *_facts(runs)), tuple(tables))
    if not details:
        return report
    ends = (("lowest", order[:SHOWN]), ("highest", order[::-1][:SHOWN]))
    examples = tuple(Examples(f"The {end} ({first.model.name})", _examples(first, some)) for end, some in ends)
    return Report(title, report.facts, report.tables, examples=examples)


def edit_report(runs: Sequence[EditRun], title: str, details: bool) -> Report:
    """Directional similarity, and how much of the picture was kept; the edits from the lowest up."""
    first = runs[0]
    rows = tuple(
        (
            run.model.name,
            *(_cell(run.means[name], run.bounds.get(name)) if name in run.means else "-" for name in ("direction", "kept")),
        )
        for run in runs
    )
    unchanged = int(np.isnan(first.direction).sum())
    facts = ["1 edited picture" if len(first.data.before) == 1 else f"{len(first.data.before)} edited pictures"]
    facts += [f"{unchanged} of them change nothing and have no direction"] if unchanged else []
    order = np.argsort(np.nan_to_num(first.direction, nan=np.inf), kind="stable")
    cells = tuple(
        (f"{first.data.source[at]} > {first.data.target[at]}", *(_number(run.direction[at]) for run in runs)) for at in order
    )
    columns = ("direction",) if len(runs) == 1 else tuple(run.model.name for run in runs)
    tables = (
        Table("Edits", ("", "direction", "kept"), rows),
        Table("The edits, the lowest first", ("texts", *columns), cells, shown=10, detail=True),
    )
    return Report(title, (*facts, *_facts(runs)), tables)


def distance_report(runs: Sequence[DistanceRun], title: str, details: bool) -> Report:
    """Both distances, and what random divisions of all pictures give."""
    rows = tuple(
        (
            run.model.name,
            f"{run.cmmd.value:.3f}",
            f"{run.cmmd.chance:.3f} ({run.cmmd.chance_95:.3f})",
            f"{run.cmmd.unbiased:.3f}",
            f"{run.frechet.value:.4f}",
            f"{run.frechet.chance:.4f}",
        )
        for run in runs
    )
    columns = ("", "CMMD", "by chance (95 %)", "unbiased", "Fréchet", "by chance")
    a, b = runs[0].pictures
    facts = [f"{a} and {b} pictures", "by chance: all pictures divided at random, into parts as large as these"]
    failed = {path for run in runs for path in run.failed}
    facts += [f"{len(failed)} pictures could not be read"] if failed else []
    return Report(title, tuple(facts), (Table("Distances", columns, rows),))


def _pictures(pictures: int, prompts: int) -> str:
    if pictures == 1:
        return "1 picture, 1 prompt" if prompts == 1 else f"1 picture, {prompts} prompts"
    return f"{pictures} pictures, {prompts} prompts"


def _facts(runs: Sequence[PromptRun | EditRun]) -> list[str]:
    """Those of all runs; without intervals, that there are none."""
    if any(run.bounds for run in runs):
        return run_facts(runs)
    return ["no interval: one picture or edit cannot tell how others would vary", *run_facts(runs)[1:]]


def _cell(mean: float, bound: Bound | None) -> str:
    return f"{mean:.3f}" if bound is None else f"{mean:.3f} ({bound[0]:.3f}-{bound[1]:.3f})"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _name(run: PromptRun, at: int) -> str:
    return Path(str(run.data.images[run.data.owner[at]])).name


def _examples(run: PromptRun, order: np.ndarray) -> tuple[Example, ...]:
    return tuple(
        Example(Path(run.data.images[run.data.owner[at]]), f"{run.clip_score[at]:.3f} {run.data.texts[at]}") for at in order
    )
