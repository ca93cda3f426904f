"""Memory that a step frees is there for the next one."""

import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource
import torch
from seesay.training.memory import keep_freed_memory

if {kept}:
    keep_freed_memory()
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.ones(5 << 20) for _ in range(10)]  # 20 MB each
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
for _ in range(12):  # until the heap has found its size
    step()
print(max(step() for _ in range(3)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_used_again() -> None:
    def faults(kept: bool) -> int:
        code = COUNT_FAULTS.format(kept=kept)
        return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    returned = faults(kept=False)
    if returned < 100:
        pytest.skip("this system's allocator keeps memory by itself")
    assert faults(kept=True) < returned / 10
