"""Atomic writes, locks and cached arrays."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from seesay.system.files import atomic_write, lock_file, read_arrays, write_arrays, write_atomically


def test_a_file_is_replaced_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.txt"
    write_atomically(file, "old")
    write_atomically(file, "照片", durable=True)
    assert file.read_text(encoding="utf-8") == "照片"
    assert os.listdir(file.parent) == ["a.txt"]


def test_the_old_file_is_seen_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_atomically(file, b"old")
    with atomic_write(file) as draft:
        draft.write_bytes(b"ne")
        assert file.read_bytes() == b"old"
        draft.write_bytes(b"new")
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_keeps_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "a.txt"
    write_atomically(file, "old")
    with pytest.raises(error):
        _interrupted_write(file, error)
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def _interrupted_write(file: Path, error: type[BaseException]) -> None:
    with atomic_write(file) as draft:
        draft.write_text("ne")
        raise error


def test_threads_that_write_one_file_do_not_share_a_draft(tmp_path: Path) -> None:
    file = tmp_path / "a"
    contents = [bytes([number]) * 200_000 for number in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(file, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_bytes() in contents


def test_a_lock_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    program = "import sys, pathlib; from seesay.system.files import lock_file; lock_file(pathlib.Path(sys.argv[1]), wait=False)"
    lock = lock_file(file, wait=False)
    refused = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True)
    assert "BlockingIOError" in refused.stderr
    lock.release()
    subprocess.run([sys.executable, "-c", program, str(file)], check=True)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.npz"
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_arrays(file, vectors=vectors, names=np.array(["a", "b"]))
    arrays = read_arrays(file)
    assert arrays is not None
    assert arrays["vectors"].dtype == np.float32
    np.testing.assert_array_equal(arrays["vectors"], vectors)
    assert arrays["names"].tolist() == ["a", "b"]


def test_damaged_arrays_are_absent(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    assert read_arrays(file) is None
    write_arrays(file, vectors=np.zeros(100))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert read_arrays(file) is None
    file.write_bytes(b"")
    assert read_arrays(file) is None


def test_arrays_that_cannot_be_written_raise_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file, not a folder")
    write_arrays(tmp_path / "a" / "b.npz", vectors=np.zeros(1))
