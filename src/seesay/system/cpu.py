"""CPU cores: how many this process may use, and how many of them are free."""

import math
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from seesay.errors import InputError

SAMPLE_S = 0.5  # shortest interval of a measurement: the kernel counts in hundredths of a second
CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """The number of cores this process may use, at least 1; in a container often fewer than the machine has."""
    return max(1, math.ceil(min(len(_allowed()), _quota())))


def processor() -> str:
    """The processor's name, as far as the system says it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def check_threads(threads: int | None) -> int | None:
    """Returns a requested number of threads unchanged; None means no request. Raises InputError for one below 1."""
    if threads is not None and threads < 1:
        raise InputError(
            f"threads: expected at least 1, got {threads}", parameter="threads", expected="at least 1", got=threads
        )
    return threads


class FreeCores:
    """Counts the cores that other processes leave free, from their use since the count before, however long ago."""

    def __init__(self) -> None:
        self._last = _cpu_time()
        self._free = available_cores()

    def count(self) -> int:
        """The number of free cores, at least 1; all available ones if the system does not report its use."""
        if self._last is None or monotonic() - self._last.at_s < SAMPLE_S:
            return self._free
        now = _cpu_time()
        if now is not None:
            self._free = max(1, min(available_cores(), round(len(_allowed()) - now.others_since(self._last))))
            self._last = now
        return self._free


@dataclass(frozen=True)
class _CpuTime:
    """at_s: monotonic clock. busy_s: core seconds spent on the allowed cores so far; own_s: by this process alone."""

    at_s: float
    busy_s: float
    own_s: float

    def others_since(self, before: "_CpuTime") -> float:
        """The mean number of cores that other processes have kept busy."""
        return max(0.0, (self.busy_s - before.busy_s) - (self.own_s - before.own_s)) / (self.at_s - before.at_s)


def _cpu_time() -> _CpuTime | None:
    """None if the system does not report it; Linux does."""
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
    return _CpuTime(monotonic(), ticks / os.sysconf("SC_CLK_TCK"), own.user + own.system)


def _allowed() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float:
    """The cores' worth of time that the process's control groups (cgroup v2) may use; infinite without a limit."""
    try:
        relative = Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].splitlines()[0]
    except (OSError, IndexError):
        return math.inf
    group = CGROUPS / relative
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
