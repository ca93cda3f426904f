"""The frame of every benchmark: command-line options, the result, and its output as text and JSON."""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from machine import Machine, OthersLoad


@dataclass(frozen=True)
class Table:
    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def __str__(self) -> str:
        lines = [self.header, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        # Names to the left, figures to the right.
        aligned = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in aligned)])


@dataclass(frozen=True)
class Goal:
    """A ratio of ours to the peer's measurement that must be at most `limit`."""

    what: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        return self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.2f}, goal at most {self.limit:g}: {'met' if self.met else 'not met'}"


@dataclass
class Result:
    """The measurements of one script. details: data too long for a page, which only `--json FILE` writes."""

    figures: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(
    name: str,
    doc: str,
    measure: Callable[..., Result],
    numbers: Mapping[str, tuple[int, ...]] | None = None,
    *,
    paths: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> None:
    """The main function of a script: parses its options, measures, prints.

    `numbers`: further options, each a list like 1,2,3, with what they are where they are not given. `paths` and `flags`:
    options that take a path, or nothing, with what they are for.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less data and fewer rounds, for trying it")
    parser.add_argument(
        "--json",
        nargs="?",
        const="",
        metavar="FILE",
        help="also print one JSON object, as the last line, or write it to FILE with all details",
    )
    numbers, paths, flags = numbers or {}, paths or {}, flags or {}
    for option, default in numbers.items():
        parser.add_argument(f"--{option}", type=_numbers, default=default)
    for option, purpose in paths.items():
        parser.add_argument(f"--{option}", metavar="PATH", help=purpose)
    for option, purpose in flags.items():
        parser.add_argument(f"--{option}", action="store_true", help=purpose)
    options = parser.parse_args()
    machine, others = Machine.here(), OthersLoad()
    result = measure(options.quick, **{option: getattr(options, option) for option in (*numbers, *paths, *flags)})
    load = others.cores()
    print(f"{name}: {machine.cpu}, {machine.cores} cores; other processes used {_cores(load)}", end="\n\n")
    for part in (*result.tables, *result.goals, *result.notes):
        print(part, end="\n\n" if isinstance(part, Table) else "\n")
    if options.json is None:
        return
    told = _to_json(name, doc, options.quick, machine, load, result)
    if options.json:
        Path(options.json).write_text(json.dumps(told | result.details, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    else:
        print(json.dumps(told, ensure_ascii=False))


def _to_json(name: str, doc: str, quick: bool, machine: Machine, load: float | None, result: Result) -> dict[str, Any]:
    return {
        "benchmark": name,
        "about": doc,
        "date": date.today().isoformat(),
        "quick": quick,
        "machine": machine.to_json(),
        "others_cores": load,
        **result.figures,
        "goals": [asdict(goal) | {"met": goal.met} for goal in result.goals],
        "tables": [asdict(table) for table in result.tables],
        "notes": result.notes,
    }


def _numbers(given: str) -> tuple[int, ...]:
    return tuple(int(number) for number in given.split(","))


def _cores(load: float | None) -> str:
    return "an unknown number of cores" if load is None else f"{load:.2f} cores"
