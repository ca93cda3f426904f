"""Cores: how many this process may use, and how many of them other processes leave it."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from seesay.errors import InputError

LOOK_S = 0.5  # between two looks at what others use: the kernel counts in hundredths of a second
CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores this process may use, which in a container can be fewer than the machine has."""
    return max(1, math.ceil(min(len(_allowed()), _quota())))


def checked_threads(said: int | None) -> int | None:
    """A number of threads that somebody said, as it is. Raises InputError where it is below 1."""
    if said is not None and said < 1:
        raise InputError(f"threads: expected at least 1, got {said}", parameter="threads", expected="at least 1", got=said)
    return said


class FreeCores:
    """How many of the cores others leave: counted from what they used since the last look, which may be long ago."""

    def __init__(self) -> None:
        self._last = _used()
        self._free = available_cores()

    def count(self) -> int:
        """At least 1. All where the system does not tell what is used."""
        if self._last is None or monotonic() - self._last.at_s < LOOK_S:
            return self._free
        now = _used()
        if now is not None:
            self._free = max(1, min(available_cores(), round(len(_allowed()) - now.others(self._last))))
            self._last = now
        return self._free


@dataclass(frozen=True)
class _Used:
    """at_s: on the clock. busy_s: seconds that the allowed cores were busy so far; own_s: those of this process."""

    at_s: float
    busy_s: float
    own_s: float

    def others(self, before: "_Used") -> float:
        """The mean number of cores that other processes kept busy since."""
        return max(0.0, (self.busy_s - before.busy_s) - (self.own_s - before.own_s)) / (self.at_s - before.at_s)


def _used() -> _Used | None:
    """None where the system does not tell (it is Linux that does)."""
    names = {f"cpu{core}" for core in _allowed()}
    ticks = 0
    try:
        for line in Path("/proc/stat").read_text().splitlines():
            name, _, counts = line.partition(" ")
            if name in names:
                user, nice, system, _idle, _waiting, irq, soft_irq, steal = map(int, counts.split()[:8])
                ticks += user + nice + system + irq + soft_irq + steal
    except (OSError, ValueError):
        return None
    own = os.times()
    return _Used(monotonic(), ticks / os.sysconf("SC_CLK_TCK"), own.user + own.system)


def _allowed() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float:
    """How many cores' worth of time the process's control groups (version 2) may take; infinite where nothing limits them."""
    try:
        inside = Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].splitlines()[0]
    except (OSError, IndexError):
        return math.inf
    group = CGROUPS / inside
    quotas = [math.inf]
    for folder in (group, *group.parents):
        if folder == CGROUPS.parent:
            break
        try:
            limit, period = (folder / "cpu.max").read_text().split()
            quotas.append(int(limit) / int(period))
        except (OSError, ValueError):  # the root has none, and "max" is no limit
            continue
    return min(quotas)
