"""SIGKILL at any moment of any command that opens a library: nothing that was in it is lost, and the next run does the rest.

15 kills; with --soak 100 (`make soak`), drawn anew each time and printed with their seed.
"""

import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.library import Library
from tests.reliability.stored import Stored

PICTURES = 60  # half of them in a folder of their own, which is forgotten and comes back
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")


class World:
    """A library of two folders, and the commands that are killed at work on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.pictures, self.library = root, root / "pictures", root / "library"
        self.part, self.drawn = self.pictures / "part", 0
        for at in range(PICTURES):
            self.draw(("part" if at % 2 else "all") + f"/{at:03}.png")
        self.call("index", str(self.pictures))
        self.call("tag", str(self.pictures / "all"), "--label", "first")

    def draw(self, name: str) -> None:
        self.drawn += 1
        levels = np.random.default_rng(self.drawn).integers(0, 255, (64, 48, 3), dtype=np.uint8)
        path = self.pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels).save(path)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "seesay", *arguments, "--library", str(self.library)]

    def call(self, *arguments: str) -> None:
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def killed(self, arguments: Sequence[str], after_s: float) -> bool:
        """Whether it was still at work."""
        process = subprocess.Popen(self.command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            _, told = process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        assert process.returncode == 0, told
        return False

    def stored(self) -> Stored:
        return Stored.read(self.library)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def kept(before: Stored, after: Stored) -> None:
    """Every row is still there, and as it was."""
    lost = {key for key, vector in before.vectors.items() if after.vectors.get(key) != vector}
    assert not lost
    assert before.tags <= after.tags


def index(world: World, rng: random.Random, kill: Callable[..., None]) -> None:
    """New pictures come in."""
    before = world.stored()
    for at in range(12):
        world.draw(f"all/new-{world.drawn}-{at}.png")
    kill("index", str(world.pictures))
    kept(before, world.stored())


def update(world: World, rng: random.Random, kill: Callable[..., None]) -> None:
    """Some pictures have other contents, some other names, some are gone."""
    before, files = world.stored(), sorted(world.pictures.rglob("*.png"))
    changed, renamed, gone = rng.sample(files, 12)[:4], rng.sample(files, 4), rng.choice(files)
    for file in changed:
        world.draw(str(file.relative_to(world.pictures)))
    for file in set(renamed) - set(changed):
        file.rename(file.with_name(f"moved-{world.drawn}-{file.name}"))
    gone.unlink(missing_ok=True)
    kill("index")
    after = world.stored()
    touched = {str(file) for file in (*changed, *renamed, gone)}
    untouched = {key: vector for key, vector in before.vectors.items() if key[0] not in touched}
    kept(Stored(untouched, before.tags), after)
    world.call("index")  # or what it had not come to would be lost in another case, and rightly


def forget(world: World, rng: random.Random, kill: Callable[..., None]) -> None:
    """All of the folder or nothing."""
    before = world.stored()
    kill("forget", str(world.part))
    after = world.stored()
    assert after in (before, before.without(str(world.part)))


def tag(world: World, rng: random.Random, kill: Callable[..., None]) -> None:
    """On all the files or on none."""
    before, label = world.stored(), f"tag {world.drawn} {rng.random()}"
    kill("tag", str(world.pictures / "all"), "--label", label)
    after = world.stored()
    kept(before, after)
    contents = {content for path, content in after.vectors if path.startswith(f"{world.pictures / 'all'}/")}
    assert {content for content, key in after.tags - before.tags} in (set(), contents)


def duplicates(world: World, rng: random.Random, kill: Callable[..., None]) -> None:
    """Hashes are made and kept on the way."""
    before = world.stored()
    kill("duplicates")
    assert world.stored() == before


def serve(world: World, rng: random.Random, kill: Callable[..., None]) -> None:
    """The server is asked, and indexes, while it is killed."""
    before = world.stored()
    for at in range(6):
        world.draw(f"all/served-{world.drawn}-{at}.png")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        world.command("serve", str(world.pictures), "--port", str(port)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + rng.uniform(0.5, 4)
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/library", timeout=1) as answer:
                answer.read()
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept(before, world.stored())


CASES = (index, update, forget, tag, duplicates, serve)


def test_kills(world: World, soak: bool) -> None:
    seed = time.time_ns() % 10**6
    print(f"seed {seed}")
    rng, kills, took = random.Random(seed), 0, dict[str, float]()

    def kill(*arguments: str) -> None:
        """Kills it at a moment of the time that it takes, which the first go tells; when it was through before, that is right,
        too."""
        nonlocal kills
        at = rng.uniform(0.1, 1.1) * took.get(arguments[0], 2.0)
        started = time.monotonic()
        if world.killed(arguments, at):
            kills += 1
        else:
            took[arguments[0]] = time.monotonic() - started

    wanted, rounds = (100 if soak else 15), 0
    while kills < wanted:
        case = CASES[rounds % len(CASES)]
        rounds += 1
        assert rounds < 10 * wanted
        case(world, rng, kill)
        kills += case is serve
        if rounds % len(CASES) == 0:
            resumed(world)
    resumed(world)
    print(f"{kills} kills in {rounds} rounds, {len(world.stored().vectors)} pictures")


def resumed(world: World) -> None:
    """Run to its end, the library is what a new one of the same folder would be."""
    world.call("index", str(world.pictures))
    with Library(world.library) as library:
        files = {str(file) for file in world.pictures.rglob("*.png")}
        assert world.stored().paths == files
        assert {hit.path for hit in library.search("anything", n=len(files) + 10)} == files
    anew = world.root / "anew"
    subprocess.run(
        [sys.executable, "-m", "seesay", "index", str(world.pictures), "--library", str(anew)], check=True, capture_output=True
    )
    here, there = world.stored().vectors, Stored.read(anew).vectors
    assert here.keys() == there.keys()
    for key, vector in here.items():  # batches of other sizes may round the last digits another way
        np.testing.assert_allclose(np.frombuffer(vector, "<f4"), np.frombuffer(there[key], "<f4"), atol=2e-3)
    shutil.rmtree(anew)
