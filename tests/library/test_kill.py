"""SIGKILL at any moment of an index run: the committed part is kept, and the next run does only the rest."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seesay.library import Library
from seesay.model import Model
from tests.conftest import Paint

COUNT = 120

# An index run with small commits and a slow tower, so that there are many moments to be killed in.
CHILD = """
import sys, time
import seesay, seesay.library.indexing.indexer as indexer
indexer.COMMIT_ROWS = 16
model = seesay.fake_model()
encode = model.engine.encode_pixels
def slow(pixels):
    time.sleep(0.02)
    print("batch", flush=True)
    return encode(pixels)
model.engine.encode_pixels = slow
seesay.Library(sys.argv[1], model).index(sys.argv[2])
"""


@pytest.mark.parametrize("batches", [1, 3, 5])
@pytest.mark.parametrize("wait_s", [0.0, 0.012])
def test_a_killed_run_resumes(tmp_path: Path, fake: Model, paint: Paint, batches: int, wait_s: float) -> None:
    for i in range(COUNT):
        paint(f"{i:03}.png", ["red", "green", "blue"][i % 3])
    pictures, place = tmp_path / "pictures", tmp_path / "library"
    child = subprocess.Popen([sys.executable, "-c", CHILD, place, pictures], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        for _ in range(batches):
            assert child.stdout.readline() == "batch\n"
        time.sleep(wait_s)
        child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL

    library = Library(place, fake)
    kept = len(library.search("red", n=COUNT + 1))  # the lock is free, and what is there is whole
    assert kept % 16 == 0
    assert kept >= 16 * (batches - 1)
    report = library.index(pictures)
    assert (report.encoded, report.unchanged, report.failed) == (COUNT - kept, kept, [])
    hits = library.search("red", n=COUNT + 1)
    assert len({hit.path for hit in hits}) == COUNT
    (integrity,) = library._open().db.execute("PRAGMA integrity_check").fetchone()
    assert integrity == "ok"
