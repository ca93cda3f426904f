"""Commands that write, on a disk that is full at some point: words and an exit code, no traceback, and nothing lost.

The disk is a small tmpfs, which takes root (or `unshare --map-root-user --mount`). One size; with --soak (`make soak`) eleven.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import is_root

SIZES_KB = (16, 64, 128, 192, 256, 320, 400, 512, 640, 800, 1024)
FEW_KB = (320,)
PICTURES = 24

Seesay = Callable[..., "subprocess.CompletedProcess[str]"]


def mount(folder: Path, size_kb: int, *options: str) -> bool:
    """Whether it worked."""
    if not is_root() or shutil.which("mount") is None:
        return False
    options = (f"size={size_kb}k", *options)
    return not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], capture_output=True
    ).returncode


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "size_kb" in metafunc.fixturenames:
        metafunc.parametrize("size_kb", SIZES_KB if metafunc.config.getoption("--soak") else FEW_KB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount(folder, 64):
        pytest.skip("a small disk takes root, and mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def seesay(disk: Path) -> Seesay:
    """Runs a command, with the library, the cache and whatever it writes on that disk."""
    places = {name: str(disk / "home") for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    env = {**os.environ, **places, "SEESAY_LIBRARY": str(disk / "library"), "TMPDIR": str(disk)}

    def call(*arguments: object, stdout: Path | None = None) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "seesay", *map(str, arguments)]
        if stdout is None:
            run = subprocess.run(command, capture_output=True, text=True, env=env, check=False, cwd=disk)
        else:
            with stdout.open("wb") as stream:
                run = subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, env=env, check=False, cwd=disk)
        told = f"{arguments}: {run.returncode} {run.stderr}"
        assert run.returncode in (0, 1, 2), told
        assert "Traceback" not in run.stderr, told
        assert "Exception" not in run.stderr, told
        assert run.stderr or run.returncode in (0, 1), told
        return run

    return call


def test_a_full_disk_is_told_and_loses_nothing(seesay: Seesay, disk: Path, photos: list[Path], size_kb: int) -> None:
    album = disk.parent / "album"
    album.mkdir()
    for path in photos[:: len(photos) // PICTURES][:PICTURES]:
        shutil.copy(path, album)
    assert mount(disk, size_kb, "remount")
    seesay("index", album)
    seesay("search", "water", "--html", disk / "page.html")
    seesay("search", "water", stdout=disk / "found.txt")
    seesay("tag", "--label", "kept", album)
    seesay("tag", "--label", "a boat", "--min", "0.1")
    seesay("duplicates", "--html", disk / "alike.html")
    seesay("embed", album, "-o", disk / "vectors.npz")
    seesay("embed", "--text", "a dog", "-o", disk / "vectors.jsonl")
    seesay("doctor")
    seesay("forget", album / photos[0].name)
    seesay("index")
    assert mount(disk, 64 * 1024, "remount")
    assert seesay("index", album).returncode == 0
    assert len(seesay("search", "water", "--paths", "-n", 99).stdout.splitlines()) == PICTURES
    assert "All in order" in seesay("doctor").stdout
