"""Embedding on Ray: real processes, one of which is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seesay.errors import InputError, MissingExtra
from seesay.library import Library
from seesay.library.embedding.cluster import Cluster, embed_on_ray
from seesay.library.embedding.listing import list_items
from seesay.library.embedding.shard import Shard
from seesay.library.embedding.workers import ModelSource
from seesay.model import Model
from tests.library.test_embedding import add, embed_all, rows
from tests.library.test_intake import TABLES, contents

ENCODER = b"MapWorker(MapBatches(Encoder))"
COPIES = 3

# The command, with small units, and every row kept at once: so there is much to lose when an actor is killed.
CHILD = """
import sys
from seesay.library.embedding import cluster, kept, workers
from seesay.cli.main import main
cluster.UNIT_ITEMS, kept.KEPT_SECONDS = (16, 16), 0.0
main()
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, "embed", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def descends(process: int, ancestor: int) -> bool:
    while process > 1:
        if process == ancestor:
            return True
        process = parent(process)
    return False


def encoders(ancestor: int) -> set[int]:
    """Processes of our actors, by the name that Ray gives them."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if ENCODER in command and descends(int(folder.name), ancestor):
                found.add(int(folder.name))
    return found


def kill_one(child: subprocess.Popen[str], parts: Path) -> int:
    """Kills an actor while there is work left, after the first rows have come; returns its process."""
    end = time.monotonic() + 180
    while time.monotonic() < end and child.poll() is None:
        if list(parts.glob("*.parquet")) and (found := encoders(child.pid)):
            victim = min(found)
            os.kill(victim, signal.SIGKILL)
            return victim
        time.sleep(0.02)
    raise AssertionError(child.communicate())


@pytest.fixture
def many(photos: list[Path], tmp_path: Path) -> Path:
    """Several copies of the example photos, all with bytes of their own."""
    folder = tmp_path / "photos"
    for copy in range(COPIES):
        (folder / str(copy)).mkdir(parents=True)
        for photo in photos:
            (folder / str(copy) / photo.name).write_bytes(photo.read_bytes() + bytes([copy]))
    return folder


def by_path(file: Path) -> dict[str, Any]:
    found = rows(file)
    assert len({row["path"] for row in found}) == len(found)
    return {row["path"]: row for row in found}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the actors in /proc")
def test_an_actor_that_is_killed_loses_nothing_and_nothing_comes_twice(many: Path, tmp_path: Path, bundled: Model) -> None:
    pytest.importorskip("ray")
    output = tmp_path / "ray.parquet"
    (many / "bad.jpg").write_bytes(b"no picture")
    child = start(many, "-o", output, "--ray", "local", "--actors", "2", "--json")
    victim = kill_one(child, tmp_path / "ray.parquet.kept")
    out, err = child.communicate(timeout=300)
    document = json.loads(out)
    count = len(list(many.rglob("*.*"))) - 1
    assert (document["written"], document["kept"]) == (count, 0)
    assert [Path(each["path"]).name for each in document["failed"]] == ["bad.jpg"]
    assert child.returncode == 1
    assert "ray" not in err.lower().replace(str(tmp_path).lower(), "")
    assert not Path(f"/proc/{victim}").exists()

    # The same rows as without Ray, to the last bit, and the same library as without either.
    embed_all(bundled, tmp_path / "plain.parquet", many)
    assert by_path(output) == by_path(tmp_path / "plain.parquet")
    library, plain = Library(tmp_path / "library", bundled), Library(tmp_path / "plain", bundled)
    assert library.import_vectors(output).taken == count
    assert library.index(many).encoded == 0
    plain.index(many)
    assert contents(library, TABLES) == contents(plain, TABLES)


def test_archives_and_what_an_earlier_run_has_done(photos: list[Path], tmp_path: Path, bundled: Model) -> None:
    pytest.importorskip("ray")
    some, output = photos[:24], tmp_path / "v.parquet"
    tar, table = tmp_path / "a.tar", tmp_path / "t.parquet"
    with tarfile.open(tar, "w") as opened:
        for photo in some[:8]:
            add(opened, photo.name, photo.read_bytes())
    pq.write_table(pa.table({"path": [str(photo) for photo in some[8:16]]}), table)
    embed_all(bundled, output, tar)  # as a run that was stopped leaves it
    child = start(tar, table, *some[16:], "--text", "a dog", "-o", output, "--ray", "local", "--json")
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    document = json.loads(out)
    assert (document["written"], document["kept"], document["failed"]) == (25, 8, [])
    embed_all(bundled, tmp_path / "plain.parquet", tar, table, *some[16:], texts=("a dog",))
    assert sorted(rows(output), key=str) == sorted(rows(tmp_path / "plain.parquet"), key=str)


def run_on(cluster: Cluster, photos: list[Path], output: Path) -> None:
    embed_on_ray(ModelSource(), list_items([str(photos[0])], (), Shard()), output, cluster)


def test_a_cluster_that_is_not_there_is_a_clear_error(photos: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", "127.0.0.1:none"):
        with pytest.raises(InputError, match=f"Ray cannot be reached at '{address}'.*Give the HOST:PORT"):
            run_on(Cluster(address), photos, tmp_path / "v.parquet")
    assert list(tmp_path.iterdir()) == []


def test_without_ray_the_extra_is_named(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'seesay\[cluster\]'"):
        run_on(Cluster(), photos, tmp_path / "v.parquet")


def test_an_actor_larger_than_any_machine_is_refused(photos: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("ray")
    child = start(photos[0], "-o", tmp_path / "v.parquet", "--ray", "local", "--actor-cpus", "1000")
    _, err = child.communicate(timeout=300)
    assert child.returncode == 2
    assert "an actor was to get 1000 CPUs and 0 GPUs; the cluster's machines have at most" in err
