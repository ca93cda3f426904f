"""A generator's file of seven gigabytes is inspected by its header, without torch and in less than two seconds."""

import subprocess
import sys
from pathlib import Path

from sparse_generator import make

INSPECT = """
import resource, sys
from seesay.cli.main import _run
sys.argv = ["seesay", "models", "inspect", sys.argv[1]]
assert _run() == 0
assert "torch" not in sys.modules
usage = resource.getrusage(resource.RUSAGE_SELF)
print("seconds", usage.ru_utime + usage.ru_stime)
"""


def test_only_the_header_of_a_large_file_is_read(tmp_path: Path) -> None:
    make(tmp_path / "xl.safetensors")
    assert (tmp_path / "xl.safetensors").stat().st_size > 6.9e9
    command = [sys.executable, "-c", INSPECT, str(tmp_path / "xl.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "seesay models pull open_clip/ViT-bigG-14/laion2b_s39b_b160k gets it" in done.stdout
    assert float(done.stdout.split()[-1]) < 2  # of the processor, which other work does not lengthen
