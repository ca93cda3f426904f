"""What a hub or its storage does wrong, told in words; and two models side by side under their hub names."""

import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from seesay.checkpoints.hub import patience, transfer
from seesay.checkpoints.hub.allowance import Allowance
from seesay.checkpoints.hub.url import url_file
from seesay.errors import DownloadError, LargeDownload
from tests.checkpoints.test_pins import CLIP, NAME, REPO, WEIGHTS, Seesay
from tests.checkpoints.test_pins import environment as environment
from tests.checkpoints.test_pins import hub as hub
from tests.checkpoints.test_pins import seesay as seesay
from tests.compat.tiny import make_hf, make_open_clip
from tests.hub_server import HubServer, sha256

DATA = bytes(range(256)) * 100


def test_a_busy_hub_is_waited_for_and_said(hub: HubServer, seesay: Seesay) -> None:
    """Wherever it is busy: when asked for the commit, for a file's hash, or for its content."""
    hub.busy = {"/api/models/": ["1"], f"/{REPO}/resolve/": ["1"], "/storage/": ["1", "0"]}
    done = seesay("models", "pull", NAME)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"seesay: {hub.url} is busy and asks to wait 1 s") == 2
    assert "is busy and asks to wait 0 s" in done.stderr


@pytest.mark.parametrize("part", ["/api/models/", "/resolve/", "/storage/"])
def test_a_hub_that_is_busy_for_long_is_not_waited_for(hub: HubServer, seesay: Seesay, part: str) -> None:
    hub.busy = {part: ["3600"] * 20}
    started = time.monotonic()
    told = seesay("models", "pull", NAME)
    assert (told.returncode, time.monotonic() - started < 60) == (2, True)
    assert "is busy (429 Too Many Requests) when asked for" in told.stderr
    assert "asks to wait 3600 s. Try again then, set HF_TOKEN" in told.stderr


def test_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    one = patience.Patience("a.test")
    assert not one.wait(patience.LONGEST_WAIT_S + 1)
    assert [one.wait(2) for _ in range(patience.WAITS + 1)] == [True] * patience.WAITS + [False]
    assert slept == [2] * patience.WAITS
    assert capsys.readouterr().err.splitlines()[0] == "seesay: a.test is busy and asks to wait 2 s"


def test_the_forms_of_retry_after() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert patience.retry_after_s({"Retry-After": "7"}) == 7
    assert patience.retry_after_s({"Retry-After": format_datetime(soon, usegmt=True)}) == pytest.approx(30, abs=5)
    assert patience.retry_after_s({"Retry-After": format_datetime(soon - timedelta(hours=1), usegmt=True)}) == 0
    assert patience.retry_after_s({"RateLimit": '"api";r=0;t=55'}) == 55
    for unreadable in ({}, {"Retry-After": "soon"}, {"Retry-After": "-3"}, {"Retry-After": "٣"}):
        assert patience.retry_after_s(unreadable) is None


def test_a_repository_that_moved_is_followed(hub: HubServer, seesay: Seesay) -> None:
    hub.moved["old/name"] = REPO
    assert seesay("models", "pull", "hf:old/name").returncode == 0


def test_a_private_repository_names_the_token(hub: HubServer, seesay: Seesay) -> None:
    hub.add("a/gated", CLIP, gated=True)
    for name, told in (("hf:a/gated", "is gated"), ("hf:a/none", "has no repository a/none, or it is private")):
        refused = seesay("models", "pull", name)
        assert refused.returncode == 2
        assert told in refused.stderr
        assert "HF_TOKEN" in refused.stderr
    assert seesay("models", "pull", "hf:a/gated", HF_TOKEN="good").returncode == 0


def test_files_that_are_not_there_are_told(hub: HubServer, seesay: Seesay, tmp_path: Path) -> None:
    hub.add("a/bare", {"README.md": b"words"})
    hub.add("a/gone", CLIP)
    del hub.stored[f"/storage/{sha256((CLIP / WEIGHTS).read_bytes())}"]
    cases = {
        "hf:a/bare": "a/bare has no weights that SeeSay reads (such as open_clip_model.safetensors) and no graphs",
        f"{NAME}/none.pt": f"{REPO} has no weights that SeeSay reads (such as none.pt) and no graphs",
        f"{NAME}@v9": f"{REPO} at {hub.url} has no revision 'v9'",
        "hf:a/gone": "the server answered 404 Not Found",
        "hf:a/../b": "'hf:a/../b' is not a name on a hub",
    }
    for name, told in cases.items():
        refused = seesay("models", "pull", name)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
    assert not list((tmp_path / "hf").rglob("*.safetensors"))
    assert not (tmp_path / "cache" / "pins").exists()


def test_two_processes_prepare_one_model_once(hub: HubServer, environment: dict[str, str], tmp_path: Path) -> None:
    hub.chunk_s = 0.01
    command = [sys.executable, "-m", "seesay", "models", "info", NAME, "--json"]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    spaces = [json.loads(process.communicate(timeout=120)[0])["space_id"] for process in running]
    assert spaces[0] == spaces[1]
    assert len(hub.downloads()) == 1
    assert len([path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]) == 1


def test_two_models_of_a_hub_live_in_one_library(
    hub: HubServer, environment: dict[str, str], seesay: Seesay, photos: list[Path], tmp_path: Path
) -> None:
    """Indexed, searched, served and compared by their names on the hub; neither's vectors stand for the other's."""
    hub.add(REPO, make_open_clip(tmp_path / "made" / "open_clip"))
    hub.add("other/clip", make_hf(tmp_path / "made" / "hf"))
    album = tmp_path / "album"
    album.mkdir()
    for photo in photos[:3]:
        (album / photo.name).write_bytes(photo.read_bytes())
    names = (NAME, "hf:other/clip")
    for name in names:
        indexed = json.loads(seesay("index", album, "--model", name, "--json").stdout)
        assert (indexed["encoded"], indexed["failed"]) == (3, [])
    found = {}
    for name in names:
        hits = json.loads(seesay("search", "--image", album / photos[0].name, "--model", name, "--json").stdout)["results"]
        assert next(Path(hit["path"]).name for hit in hits) == photos[0].name
        found[name] = [hit["score"] for hit in hits]
    assert found[names[0]] != found[names[1]]
    spaces = json.loads(seesay("doctor", "--json").stdout)["library"]["spaces"]
    assert {space["model"] for space in spaces} == set(names)
    assert all(space["vectors"] == {"image": 3} for space in spaces)
    compared = json.loads(
        seesay("classify", photos[0], "--labels", "a,b", "--model", names[0], "--model", "bundled", "--json").stdout
    )
    assert [one["model"] for one in compared["models"]] == [names[0], "bundled"]


def test_a_file_without_a_published_hash_is_pinned_to_what_came(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "PAUSE_S", 0.001)
    url = hub.plain("/a.pt", DATA)
    path = url_file(url, sha256=None, name="a.pt")
    path.write_bytes(b"damaged")
    assert url_file(url, sha256=None, name="a.pt").read_bytes() == DATA
    path.unlink()
    hub.plain("/a.pt", DATA[1:])
    with pytest.raises(DownloadError, match=r"its authors changed it: .* seesay models pull NAME --update"):
        url_file(url, sha256=None, name="a.pt")
    assert not path.exists()
    assert url_file(url, sha256=None, name="a.pt", update=True).read_bytes() == DATA[1:]
    assert url_file(url, sha256=None, name="a.pt").read_bytes() == DATA[1:]


def test_a_file_larger_than_allowed_or_than_the_disk_is_not_begun(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    url = hub.plain("/a.pt", DATA)
    with pytest.raises(LargeDownload, match=r"big is a download of 0\.0 GB") as caught:
        url_file(url, sha256=None, name="a.pt", allowance=Allowance("big", limit_gb=1e-5))
    assert (caught.value.name, caught.value.size_bytes) == ("big", len(DATA))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DownloadError, match=r"big needs 0\.0 MB, and .* has 0\.0 MB free"):
        url_file(url, sha256=None, name="a.pt", allowance=Allowance("big"))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]
