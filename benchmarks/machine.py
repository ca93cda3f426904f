"""Describes the machine of a benchmark, and measures how much of it other processes use meanwhile."""

import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("numpy", "onnxruntime", "pillow", "seesay")


@dataclass(frozen=True)
class Machine:
    cpu: str
    cores: int  # that this process may use
    memory_gb: float
    system: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> "Machine":
        from seesay.system.cpu import available_cores

        versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
        return cls(_cpu(), available_cores(), _memory_gb(), f"{platform.system()} {platform.release()}", versions)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class OthersLoad:
    """Measures the mean number of cores that processes other than this one and its children keep busy from now on.

    It counts what the kernel counts: busy time of all cores, less that of this process and of its children that have ended.
    So it is to be asked while no child is running. Time taken by other guests of the same host ("steal") counts as others'.
    """

    def __init__(self) -> None:
        self._start = _snapshot()

    def cores(self) -> float | None:
        """The mean number of cores; None if the system does not say."""
        now = _snapshot()
        if self._start is None or now is None:
            return None
        seconds, busy, own = (after - before for after, before in zip(now, self._start, strict=True))
        return round(max(0.0, busy - own) / max(seconds, 1e-9), 3)


def _snapshot() -> tuple[float, float, float] | None:
    """(seconds on the clock, busy core-seconds of the machine, those of this process and its ended children)."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _idle, _waiting, irq, soft_irq, steal = map(int, first[1:9])
    busy = (user + nice + system + irq + soft_irq + steal) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, sum(os.times()[:4])


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gb() -> float:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (OSError, ValueError, AttributeError):
        return 0.0
