"""Memory that a step frees stays available for the next one."""

import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import ctypes
import resource
from seesay.training.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
if {kept}:
    keep_freed_memory()
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [ctypes.c_void_p(libc.malloc(20 << 20)) for _ in range(10)]  # 51,200 pages
    for block in blocks:
        libc.memset(block, 1, 20 << 20)
    for block in blocks:
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
for _ in range(12):  # until the heap has found its size
    step()
print(max(step() for _ in range(3)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_freed_memory_is_used_again() -> None:
    def faults(kept: bool) -> int:
        code = COUNT_FAULTS.format(kept=kept)
        return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    assert faults(kept=False) > 20 * faults(kept=True)
