"""`Check`: one thing that a device must compute as the CPU does, and what came of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from seesay.errors import SeeSayError, first_sentence


@dataclass(frozen=True)
class Found:
    """What a check measured. difference: from the reference, of which `Check.against` says the kind; rate: per second; note:
    for people."""

    difference: float
    rate: float | None = None
    note: str = ""


class Absent(Exception):
    """What a check is about is not offered here, which is no fault; the message says why."""


@dataclass(frozen=True)
class Check:
    """against: the reference, and how the difference from it is counted. tolerance: the largest difference that passes."""

    name: str
    against: str
    tolerance: float
    measure: Callable[[], Found]


@dataclass(frozen=True)
class Outcome:
    """verdict "absent": what it is about is not offered here, as `note` says."""

    name: str
    against: str
    tolerance: float
    verdict: Literal["passed", "failed", "absent"]
    difference: float | None
    rate: float | None
    seconds: float
    note: str


def outcomes(checks: list[Check]) -> Iterator[Outcome]:
    """Makes each check in turn. Whatever one raises is its failure; the others go on."""
    for check in checks:
        started = time.perf_counter()
        found, verdict, note = None, "failed", ""
        try:
            found = check.measure()
            close = np.isfinite(found.difference) and found.difference <= check.tolerance
            verdict, note = "passed" if close else "failed", found.note
        except Absent as reason:
            verdict, note = "absent", str(reason)
        except SeeSayError as error:
            note = str(error)
        except Exception as error:  # a kernel may raise anything
            note = f"{type(error).__name__}: {first_sentence(error)}"
        seconds = time.perf_counter() - started
        difference, rate = (None, None) if found is None else (found.difference, found.rate)
        yield Outcome(check.name, check.against, check.tolerance, verdict, difference, rate, seconds, note)  # type: ignore[arg-type]


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """How long the difference of two arrays is, in lengths of the expected one."""
    one, other = (x.detach().double().cpu().flatten() for x in (found, expected))
    return float((one - other).norm() / other.norm().clamp_min(1e-30))


def rate(run: Callable[[], object], count: int, device: torch.device, seconds: float) -> float:
    """How many of `count` at a time are done in a second, after a first run that is not counted."""
    run()
    synchronize(device)
    started, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - started < seconds:
        run()
        rounds += 1
        synchronize(device)
    return count * rounds / (time.perf_counter() - started)


def synchronize(device: torch.device) -> None:
    """Waits until a device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
