"""Fetching files of models: from a hub, from a mirror, from plain URLs; offline; over connections that break; by two at once.

The hub library reads its environment when it is imported, so whatever uses it runs in a process of its own.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seesay.checkpoints.hub import transfer
from seesay.checkpoints.hub.files import select_files
from seesay.checkpoints.hub.url import url_file
from seesay.errors import DownloadError, ModelError
from tests.hub_server import HubServer, sha256

WEIGHTS = bytes(range(256)) * 2000  # 512,000 bytes
CONFIGURATION = b'{"a": 1}'
REPO = "owner/clip"

PREAMBLE = """
import sys
import seesay.checkpoints.hub.transfer
seesay.checkpoints.hub.transfer.PAUSE_S = 0.01
from seesay.checkpoints.hub.repository import hub_file, hub_folder
from seesay.checkpoints.hub.url import url_file
from seesay.errors import DownloadError
"""
Python = Callable[..., list[str]]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as running:
        running.add(REPO, {"config.json": CONFIGURATION, "model.safetensors": WEIGHTS, "notes.txt": b"not fetched"})
        yield running


@pytest.fixture
def environment(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    places = {"HF_HOME": str(tmp_path / "hf"), "SEESAY_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": hub.url}
    return {**os.environ, **places, "PYTHONWARNINGS": "error"}


def script(*calls: str) -> list[str]:
    """A program that prints what each call gives, or the DownloadError that it raises."""
    tried = [f"try: print({call})\nexcept DownloadError as error: print('error:', error)" for call in calls]
    return [sys.executable, "-c", "\n".join([PREAMBLE, *tried])]


@pytest.fixture
def python(environment: dict[str, str]) -> Python:
    def run(*calls: str, **more: str) -> list[str]:
        done = subprocess.run(
            script(*calls), capture_output=True, text=True, env={**environment, **more}, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


FOLDER = f"hub_folder({REPO!r})"
CONFIG = f"hub_file({REPO!r}, 'config.json')"
MODEL = f"hub_file({REPO!r}, 'model.safetensors')"


def test_a_folder_is_fetched_once_and_served_offline_without_a_request(hub: HubServer, python: Python) -> None:
    (folder,) = python(FOLDER)
    assert sorted(path.name for path in Path(folder).iterdir()) == ["config.json", "model.safetensors"]
    assert Path(folder, "config.json").read_bytes() == CONFIGURATION
    assert Path(folder, "model.safetensors").read_bytes() == WEIGHTS
    before = len(hub.asked)
    assert python(FOLDER) == [folder]
    for variable in ("SEESAY_OFFLINE", "HF_HUB_OFFLINE"):
        assert python(FOLDER, CONFIG, **{variable: "1"}) == [folder, f"{folder}/config.json"]
    commit = hub.repos[REPO].commit
    pinned = [f"hub_folder({REPO!r}, revision={commit!r})", f"hub_file({REPO!r}, 'config.json', revision={commit!r})"]
    assert python(*pinned) == [folder, f"{folder}/config.json"]
    assert len(hub.asked) == before


def test_a_hub_that_is_gone_costs_nothing_that_is_cached(hub: HubServer, python: Python) -> None:
    (folder,) = python(FOLDER)
    calls = (FOLDER, CONFIG, f"hub_file({REPO!r}, 'notes.txt')", "hub_folder('owner/other')")
    *served, missing, unknown = python(*calls, HF_ENDPOINT="http://127.0.0.1:9")
    assert served == [folder, f"{folder}/config.json"]
    assert missing.startswith(f"error: notes.txt of {REPO} cannot be fetched from http://127.0.0.1:9: ")
    assert "set HF_ENDPOINT to a mirror, or copy the model's files into a folder" in missing
    assert unknown.startswith("error: owner/other cannot be fetched from")


def test_a_version_is_pinned_until_an_update_is_asked_for_and_stays(hub: HubServer, python: Python) -> None:
    (old,), first = python(FOLDER), hub.repos[REPO].commit
    hub.add(REPO, {"config.json": b"{}", "model.safetensors": WEIGHTS})
    before = len(hub.asked)
    assert python(FOLDER) == [old]
    assert len(hub.asked) == before
    (new,) = python(f"hub_folder({REPO!r}, update=True)")
    assert Path(new, "config.json").read_bytes() == b"{}"
    assert Path(old, "config.json").read_bytes() == CONFIGURATION
    assert len(hub.downloads()) == 1  # the weights are the same
    assert python(f"hub_folder({REPO!r}, revision={first!r})", FOLDER, SEESAY_OFFLINE="1") == [old, new]


def test_offline_and_not_cached_says_what_is_missing_and_how_to_get_it(hub: HubServer, python: Python, tmp_path: Path) -> None:
    for variable in ("SEESAY_OFFLINE", "HF_HUB_OFFLINE"):
        folder, file = python(FOLDER, CONFIG, **{variable: "1"})
        assert folder.startswith(f"error: {REPO} (revision main) is not in the cache ({tmp_path / 'hf' / 'hub'})")
        assert "HF_ENDPOINT may name a mirror" in folder
        assert file.startswith(f"error: config.json of {REPO} (revision main) is not in the cache")
    assert hub.asked == []


def test_offline_a_folder_that_was_interrupted_is_not_taken_for_whole(hub: HubServer, python: Python) -> None:
    hub.breaks = [1000] + [0] * 10
    assert "are kept; run the same again" in python(FOLDER)[0]
    commit = hub.repos[REPO].commit
    branch, pinned = python(FOLDER, f"hub_folder({REPO!r}, revision={commit!r})", SEESAY_OFFLINE="1")
    assert branch.startswith(f"error: {REPO} (revision main) is not in the cache")
    assert pinned.startswith(f"error: model.safetensors of {REPO} (revision {commit}) is not in the cache")


def test_the_cache_is_shared_with_other_programs(hub: HubServer, python: Python, tmp_path: Path) -> None:
    other = f"__import__('huggingface_hub').hf_hub_download({REPO!r}, 'model.safetensors')"
    (weights,) = python(other)
    folder = str(Path(weights).parent)
    assert python(FOLDER, SEESAY_OFFLINE="1") == [folder]  # what is there must do, as nobody knows what else there is
    assert python(FOLDER, HF_ENDPOINT="http://127.0.0.1:9") == [folder]
    shutil.rmtree(tmp_path / "hf")
    assert python(FOLDER, other) == [folder, weights]
    assert len(hub.downloads()) == 2


def test_the_hub_is_told_nothing_but_what_is_asked_for(hub: HubServer, python: Python) -> None:
    python(FOLDER)
    assert {path for _, path, _ in hub.asked if "/resolve/" not in path and path not in hub.stored} == {f"/api/models/{REPO}"}


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: HubServer, python: Python) -> None:
    hub.breaks = [200_000, 100_000, 0, 0]
    assert Path(python(MODEL)[0]).read_bytes() == WEIGHTS
    assert [span for _, span in hub.downloads()] == ["", "bytes=200000-", "bytes=300000-", "bytes=300000-", "bytes=300000-"]


def test_a_download_goes_on_after_its_process_was_killed(
    hub: HubServer, python: Python, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.chunk_s = 0.05  # 2.5 seconds in all
    with subprocess.Popen(script(MODEL), env=environment) as process:
        deadline = time.monotonic() + 20
        while not (partial := [*(tmp_path / "hf").rglob("*.incomplete")]) or partial[0].stat().st_size < 50_000:
            if time.monotonic() > deadline or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    hub.chunk_s = 0
    have = partial[0].stat().st_size
    assert 0 < have < len(WEIGHTS)
    assert Path(python(MODEL)[0]).read_bytes() == WEIGHTS
    assert hub.downloads()[-1][1] == f"bytes={have}-"
    assert not partial[0].exists()


def test_two_processes_at_once_download_once(hub: HubServer, environment: dict[str, str]) -> None:
    hub.chunk_s = 0.02
    url = hub.plain("/files/a.pt", WEIGHTS[:300_000])
    calls = script(FOLDER, f"url_file({url!r}, sha256={sha256(WEIGHTS[:300_000])!r}, name='a.pt')")
    running = [subprocess.Popen(calls, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert outputs[0] == outputs[1]
    assert "error" not in outputs[0]
    assert sorted(path for path, _ in hub.downloads()) == ["/files/a.pt", f"/storage/{sha256(WEIGHTS)}"]


def test_a_damaged_transfer_is_told_and_leaves_nothing_behind(hub: HubServer, python: Python, tmp_path: Path) -> None:
    hub.damages = 1
    (outputs,) = python(MODEL)
    assert "the file that came is not the one expected" in outputs
    assert f"expected {sha256(WEIGHTS)}" in outputs
    assert not [path for path in (tmp_path / "hf").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert Path(python(MODEL)[0]).read_bytes() == WEIGHTS


def test_a_damaged_copy_in_the_cache_is_fetched_again(hub: HubServer, python: Python) -> None:
    large = f"hub_file({REPO!r}, 'model.safetensors', sha256={sha256(WEIGHTS)!r})"
    small = f"hub_file({REPO!r}, 'config.json', sha256={sha256(CONFIGURATION)!r})"
    weights, configuration = map(Path, python(large, small))
    weights.resolve().write_bytes(b"x" + WEIGHTS[1:])
    configuration.resolve().write_bytes(b"{}")
    for cut_off in ({"SEESAY_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        (outputs,) = python(large, **cut_off)
        assert outputs.startswith(f"error: model.safetensors of {REPO} is damaged in the cache ({weights}")
    assert python(large, small) == [str(weights), str(configuration)]
    assert (weights.read_bytes(), configuration.read_bytes()) == (WEIGHTS, CONFIGURATION)
    assert len(hub.downloads()) == 2


def test_a_hub_that_has_another_file_is_told_before_a_large_one_is_fetched(
    hub: HubServer, python: Python, tmp_path: Path
) -> None:
    wrong = "0" * 64
    large, small = python(*(f"hub_file({REPO!r}, {file!r}, sha256={wrong!r})" for file in ("model.safetensors", "config.json")))
    assert large == f"error: model.safetensors of {REPO} at {hub.url} has SHA-256 {sha256(WEIGHTS)}, expected {wrong}"
    assert hub.downloads() == []
    assert list((tmp_path / "hf").rglob("config.json"))  # it is what the hub has, and others may need it
    assert small == f"error: config.json of {REPO} at {hub.url} has SHA-256 {sha256(CONFIGURATION)}, expected {wrong}"


def test_what_a_hub_refuses_is_said_with_what_to_do(hub: HubServer, python: Python) -> None:
    hub.add("owner/gated", {"config.json": b"{}", "model.safetensors": WEIGHTS}, gated=True)
    url = hub.url
    cases = {
        "hub_folder('owner/gated')": f"owner/gated is gated: its owner lets in whom they choose. Ask at {url}/owner/gated",
        "hub_file('owner/gated', 'config.json')": f"owner/gated is gated: its owner lets in whom they choose. Ask at {url}",
        "hub_folder('owner/none')": f"{url} has no repository owner/none, or it is private",
        "hub_file('owner/none', 'x')": f"{url} has no repository owner/none, or it is private",
        f"hub_file({REPO!r}, 'x.json')": f"{REPO} at {url} has no file x.json in revision main",
        f"hub_file({REPO!r}, 'config.json', revision='v9')": f"{REPO} at {url} has no revision 'v9'",
        f"hub_folder({REPO!r}, revision='v9')": f"{REPO} at {url} has no revision 'v9'",
        "hub_folder('a/b/c')": "'a/b/c' names no repository on a hub; expected owner/name",
        "hub_file('a b', 'x')": "'a b' names no repository on a hub; expected owner/name",
        f"hub_folder({REPO!r}, ['*.onnx'], weights=())": f"{REPO} has none of the files asked for; it has config.json, model.",
    }
    for outputs, (call, expected) in zip(python(*cases), cases.items(), strict=True):
        assert outputs.startswith(f"error: {expected}"), call
    assert "is gated" in python("hub_folder('owner/gated')", HF_TOKEN="bad")[0]


def test_the_token_goes_to_the_hub_and_to_no_other_host(hub: HubServer, python: Python) -> None:
    with HubServer() as storage:
        hub.add("owner/gated", {"config.json": b"{}", "model.safetensors": WEIGHTS}, gated=True)
        storage.stored = hub.stored
        hub.storage_url = storage.url
        (folder,) = python("hub_folder('owner/gated')", HF_TOKEN="good")
        assert Path(folder, "model.safetensors").read_bytes() == WEIGHTS
        assert {token for _, token in storage.tokens} == {""}
        assert storage.downloads()
        assert {token for path, token in hub.tokens if "/resolve/" in path} == {"Bearer good"}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The cache folder of files from URLs. They need no hub library, so their tests run in this process."""
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "PAUSE_S", 0.001)
    return tmp_path / "cache" / "files"


def test_a_plain_file_is_fetched_once_checked_and_whole(hub: HubServer, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = hub.plain("/clip/a.pt", WEIGHTS)
    hub.breaks = [1, 300_000]
    path = url_file(url, sha256=sha256(WEIGHTS), name="openai/a.pt")
    assert path == plain / "openai" / "a.pt"
    assert path.read_bytes() == WEIGHTS
    assert [span for _, span in hub.downloads()] == ["", "bytes=1-", "bytes=300001-"]
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    assert url_file(url, sha256=sha256(WEIGHTS), name="openai/a.pt") == path
    assert len(hub.asked) == 3
    assert not list(path.parent.glob("*.part"))


def test_servers_that_ignore_ranges_are_heard_from_the_start(hub: HubServer, plain: Path) -> None:
    hub.does_ranges = False
    hub.breaks = [200_000, 100_000]
    path = url_file(hub.plain("/a.pt", WEIGHTS), sha256=sha256(WEIGHTS), name="a.pt")
    assert path.read_bytes() == WEIGHTS
    assert [span for _, span in hub.downloads()] == ["", "bytes=200000-", "bytes=100000-"]


def test_what_was_left_of_another_file_does_no_harm(hub: HubServer, plain: Path) -> None:
    """Left longer, as long, shorter, or whole: the hash decides."""
    for i, content in enumerate((b"x" * 600_000, b"x" * len(WEIGHTS), b"x" * 1000, WEIGHTS)):
        plain.mkdir(parents=True, exist_ok=True)
        (plain / f"{i}.pt.part").write_bytes(content)
        path = url_file(hub.plain(f"/{i}.pt", WEIGHTS), sha256=sha256(WEIGHTS), name=f"{i}.pt")
        assert path.read_bytes() == WEIGHTS
    assert len([path for path, _ in hub.downloads() if path == "/3.pt"]) == 1


def test_without_a_hash_nothing_old_is_built_upon(hub: HubServer, plain: Path) -> None:
    plain.mkdir(parents=True)
    (plain / "a.pt.part").write_bytes(b"x" * 1000)
    hub.breaks = [200_000]
    url = hub.plain("/a.pt", WEIGHTS)
    assert url_file(url, sha256=None, name="a.pt").read_bytes() == WEIGHTS
    assert [span for _, span in hub.downloads()] == ["", "bytes=200000-"]
    assert url_file(url, sha256=None, name="a.pt").read_bytes() == WEIGHTS
    assert len(hub.downloads()) == 2


def test_a_file_that_changes_on_the_way_comes_whole(hub: HubServer, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = hub.plain("/a.pt", b"old" * 100_000)
    hub.breaks = [150_000]
    monkeypatch.setattr(time, "sleep", lambda _: hub.plain("/a.pt", WEIGHTS))  # between the first try and the second
    assert url_file(url, sha256=None, name="a.pt").read_bytes() == WEIGHTS


def test_a_damaged_plain_file_is_fetched_again_once_and_then_told(hub: HubServer, plain: Path) -> None:
    url, right = hub.plain("/a.pt", WEIGHTS), sha256(WEIGHTS)
    path = url_file(url, sha256=right, name="a.pt")
    path.write_bytes(b"x")
    assert url_file(url, sha256=right, name="a.pt").read_bytes() == WEIGHTS
    assert len(hub.downloads()) == 2
    path.write_bytes(b"x")
    hub.plain("/a.pt", b"another file")
    with pytest.raises(DownloadError, match=f"SHA-256 {sha256(b'another file')} .12 bytes., expected {right}"):
        url_file(url, sha256=right, name="a.pt")
    assert len(hub.downloads()) == 3


def test_offline_a_plain_file_that_is_missing_or_damaged_is_told(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    with pytest.raises(
        DownloadError, match=r"^x\.pt is not in the cache \(.*fetch https://a\.test/x\.pt elsewhere and put it there"
    ):
        url_file("https://a.test/x.pt", sha256=None, name="x.pt")
    plain.mkdir(parents=True)
    (plain / "a.pt").write_bytes(b"x")
    with pytest.raises(DownloadError, match=rf"a\.pt is damaged \(its SHA-256 is {sha256(b'x')}, expected 00.*OFFLINE is set"):
        url_file("https://a.test/a.pt", sha256="00", name="a.pt")
    assert (plain / "a.pt").read_bytes() == b"x"


def test_a_mirror_is_asked_instead(hub: HubServer, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.plain("/mirror/weights.test/clip/a.pt", WEIGHTS)
    monkeypatch.setenv("SEESAY_MIRROR", f"{hub.url}/mirror/")
    assert url_file("https://weights.test/clip/a.pt", sha256=sha256(WEIGHTS), name="a.pt").read_bytes() == WEIGHTS


def test_statuses_that_pass_are_tried_again_and_others_are_told(hub: HubServer, plain: Path) -> None:
    hub.fails = [503]
    url = hub.plain("/a.pt", WEIGHTS)
    assert url_file(url, sha256=sha256(WEIGHTS), name="a.pt").read_bytes() == WEIGHTS
    hub.fails = [503, 503]
    with pytest.raises(DownloadError, match=r"the server answered 503 Service Unavailable\. Set SEESAY_MIRROR"):
        url_file(url, sha256=None, name="b.pt")
    hub.fails = [403]
    with pytest.raises(DownloadError, match="the server answered 403 Forbidden"):
        url_file(url, sha256=None, name="b.pt")
    with pytest.raises(DownloadError, match="the server answered 404 Not Found"):
        url_file(f"{hub.url}/none.pt", sha256=None, name="b.pt")
    with pytest.raises(DownloadError, match="only http:// and https:// are fetched"):
        url_file("file:///etc/passwd", sha256=None, name="b.pt")
    assert not (plain / "b.pt").exists()
    assert issubclass(DownloadError, ModelError)


def test_a_server_that_goes_away_half_way_leaves_what_came(hub: HubServer, plain: Path) -> None:
    url = hub.plain("/a.pt", WEIGHTS)
    hub.breaks = [300_000] + [0] * 20
    with pytest.raises(DownloadError) as caught:
        url_file(url, sha256=sha256(WEIGHTS), name="a.pt")
    assert "the connection ended after 300000 of 512000 bytes. 0.3 MB are kept; run the same again" in str(caught.value)
    assert len(hub.downloads()) == 1 + transfer.TRIES - 1
    assert (plain / "a.pt.part").stat().st_size == 300_000
    hub.breaks = []
    assert url_file(url, sha256=sha256(WEIGHTS), name="a.pt").read_bytes() == WEIGHTS
    assert hub.downloads()[-1][1] == "bytes=300000-"


def test_a_cache_that_cannot_be_written_is_told(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "file"))
    with pytest.raises(DownloadError, match=r"cannot write .*a\.pt: Not a directory\. SEESAY_CACHE and HF_HOME say where"):
        url_file(hub.plain("/a.pt", WEIGHTS), sha256=None, name="a.pt")


CONFIGS = ["config.json", "tokenizer.json"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "model.onnx"], ["model.safetensors"]),
        (["pytorch_model.bin", "training_args.bin", "optimizer.pt", "rng_state.pth"], ["pytorch_model.bin"]),
        (["open_clip_model.safetensors", "model.safetensors"], ["open_clip_model.safetensors"]),
        (["open_clip_pytorch_model.bin", "model.safetensors"], ["model.safetensors"]),
        (["mobileclip_s0.pt", "sub/model.safetensors"], ["mobileclip_s0.pt"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
        ),
        (["pytorch_model.bin.index.json", "model.safetensors"], ["model.safetensors"]),
        (["../model.safetensors", "/model.safetensors", "odd.safetensors"], ["odd.safetensors"]),
    ],
)
def test_one_set_of_weights_is_select_files(names: list[str], expected: list[str]) -> None:
    assert select_files([*names, *CONFIGS, "README.md", "1/config.json"]) == sorted([*expected, *CONFIGS])


def test_weights_that_cannot_be_chosen_are_listed() -> None:
    with pytest.raises(DownloadError, match=r"o/r has several weights to choose from: a\.pt, b\.pt\. Name the file"):
        select_files(["b.pt", "a.pt"], repo="o/r")
    with pytest.raises(DownloadError, match=r"o/r has no weights that SeeSay reads .*it has config\.json, tf_model\.h5$"):
        select_files(["tf_model.h5", "config.json"], repo="o/r")
    assert select_files(["a/x.onnx", "x.onnx"], ["a/*.onnx"], ()) == ["a/x.onnx"]


def test_a_log_is_told_how_far_a_download_is(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = WEIGHTS * 12
    url = hub.plain("/large.pt", whole)
    transfer.transfer(url, tmp_path / "quiet.pt", expected=sha256(whole))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("seesay.system.progress.EVERY_S", 0.0)
    transfer.transfer(url, tmp_path / "told.pt", expected=sha256(whole))
    lines = capsys.readouterr().err.splitlines()
    assert re.match(r"seesay: told\.pt \(MB\): [1-5] of 6", lines[0])
    assert len(lines) >= 3  # how many chunks there are depends on the network
