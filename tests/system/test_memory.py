"""The size of the machine's memory."""

import os

import pytest

from seesay.system.memory import memory_bytes


def test_a_machine_has_memory() -> None:
    memory = memory_bytes()
    assert memory is None or memory > 100e6


def test_a_system_that_does_not_say_its_memory_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert memory_bytes() is None
