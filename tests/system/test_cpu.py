"""Cores that are free: by the kernel's counts, within what a process may use."""

from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.system import cpu as cores
from seesay.system.cpu import FreeCores, available_cores, check_threads


class Machine:
    """Four cores, all of which we may use, and a clock, as `cores` reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used = cores._CpuTime(0.0, 0.0, 0.0)
        monkeypatch.setattr(cores, "_cpu_time", lambda: self.used)
        monkeypatch.setattr(cores, "monotonic", lambda: self.used.at_s)
        monkeypatch.setattr(cores, "_allowed", lambda: {0, 1, 2, 3})
        monkeypatch.setattr(cores, "_quota", lambda: float("inf"))

    def go_on(self, seconds: float, *, others: float, own: float) -> None:
        """others, own: cores that they keep busy."""
        at, busy, ours = self.used.at_s, self.used.busy_s, self.used.own_s
        self.used = cores._CpuTime(at + seconds, busy + seconds * (others + own), ours + seconds * own)


def test_free_is_what_others_leave_whatever_we_take(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    free = FreeCores()
    assert free.count() == 4
    for others, own, left in ((0.1, 3.9, 4), (1.0, 0.0, 3), (1.0, 3.0, 3), (2.4, 1.6, 2), (4.0, 0.0, 1), (0.0, 1.0, 4)):
        machine.go_on(1.0, others=others, own=own)
        assert free.count() == left, (others, own)


def test_it_is_looked_at_again_after_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    free = FreeCores()
    machine.go_on(0.3, others=3.0, own=1.0)
    assert free.count() == 4
    machine.go_on(0.3, others=3.0, own=1.0)
    assert free.count() == 1


def test_all_are_free_where_the_system_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch)
    monkeypatch.setattr(cores, "_cpu_time", lambda: None)
    assert FreeCores().count() == 4


def test_a_quota_is_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cores, "_allowed", lambda: set(range(8)))
    monkeypatch.setattr(cores, "CGROUPS", tmp_path)
    told = Path("/proc/self/cgroup")
    if not told.exists() or "0::/" not in told.read_text():
        pytest.skip("control groups of version 2 only")
    inside = told.read_text().rpartition("0::/")[2].strip()
    group = tmp_path / inside
    group.mkdir(parents=True, exist_ok=True)
    for said, limit in (("max 100000", 8), ("150000 100000", 2), ("10000 100000", 1), ("nonsense", 8)):
        (group / "cpu.max").write_text(said)
        assert available_cores() == limit, said


def test_here_there_is_at_least_one() -> None:
    assert 1 <= FreeCores().count() <= available_cores()


@pytest.mark.parametrize("wrong", [0, -2])
def test_fewer_threads_than_one_are_refused(wrong: int) -> None:
    with pytest.raises(InputError, match=f"threads: expected at least 1, got {wrong}"):
        check_threads(wrong)
    assert check_threads(None) is None
    assert check_threads(3) == 3
