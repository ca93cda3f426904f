"""What a name on a hub stands for: pinned at its first use, updated on request, verified, sized before it is fetched."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import constants

from seesay.checkpoints.hub.source import hub_source
from seesay.cli.main import _run
from seesay.errors import ModelError
from tests.hub_server import HubServer, git_hash, sha256
from tests.parity.test_checkpoints import DATA
from tests.reliability.test_full_disk import mount

REPO, NAME = "someone/clip", "hf:someone/clip"
CLIP = DATA / "open-clip-native"
WEIGHTS = "open_clip_model.safetensors"

Seesay = Callable[..., "Done"]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as running:
        running.add(REPO, CLIP)
        yield running


@pytest.fixture
def environment(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    places = {"HF_HOME": str(tmp_path / "hf"), "SEESAY_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": hub.url}
    return {**os.environ, **places, "SEESAY_LIBRARY": str(tmp_path / "library")}


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def seesay(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Seesay:
    """Runs a command in this process. The hub library's cache is changed where it reads it: it looked for HF_HOME long ago."""

    def run(*arguments: object, **more: str) -> Done:
        with monkeypatch.context() as changed:
            for name in ("HF_HOME", "HF_ENDPOINT", "SEESAY_CACHE", "SEESAY_LIBRARY"):
                changed.setenv(name, environment[name])
            for name, value in more.items():
                changed.setenv(name, value)
            changed.setattr(constants, "HF_HUB_CACHE", os.path.join(os.environ["HF_HOME"], "hub"))
            changed.setattr(sys, "argv", ["seesay", *map(str, arguments)])
            capfdbinary.readouterr()
            code = _run()
            sys.stdout.flush()
            out, err = capfdbinary.readouterr()
        return Done(code, out.decode(), err.decode())

    return run


def changed_weights(hub: HubServer) -> bytes:
    """Adds a version of the repository with other weights, as large; returns them."""
    files = {file.name: file.read_bytes() for file in CLIP.iterdir() if file.is_file()}
    files[WEIGHTS] = files[WEIGHTS][:-1] + bytes([files[WEIGHTS][-1] ^ 1])
    hub.add(REPO, files)
    return files[WEIGHTS]


def test_a_name_says_repository_revision_and_file() -> None:
    parsed = [hub_source(f"hf:o/n{rest}") for rest in ("", "@v1.0", "/a/b.pt", "@v1.0/b.pt", "@refs/pr/3", "@refs/pr/3/a.pt")]
    assert [(one.repo, one.revision, one.file) for one in parsed] == [
        ("o/n", None, None),
        ("o/n", "v1.0", None),
        ("o/n", None, "a/b.pt"),
        ("o/n", "v1.0", "b.pt"),
        ("o/n", "refs/pr/3", None),
        ("o/n", "refs/pr/3", "a.pt"),
    ]
    for bad in ("hf:", "hf:name", "hf:o/..", "hf:../n", "hf:o/n@..", "hf:o/n/../x", "hf:o/n@", "hf:/etc/passwd", "hf:o/n@a@b"):
        with pytest.raises(ModelError, match="is not a name on a hub; expected hf:OWNER/NAME, hf:OWNER/NAME@REVISION, or"):
            hub_source(bad)


def test_a_name_is_pinned_at_its_first_use_and_shown(hub: HubServer, seesay: Seesay) -> None:
    commit = hub.repos[REPO].commit
    assert seesay("models", "pull", NAME).returncode == 0
    info = json.loads(seesay("models", "info", NAME, "--json").stdout)
    assert (info["name"], info["pinned"]["revision"], info["pinned"]["commit"]) == (NAME, "main", commit)
    data = (CLIP / WEIGHTS).read_bytes()
    assert info["pinned"]["files"][WEIGHTS] == sha256(data)
    assert info["pinned"]["files"]["open_clip_config.json"] == git_hash((CLIP / "open_clip_config.json").read_bytes())
    shown = seesay("models", "info", NAME).stdout
    assert f"pinned: {REPO}, revision main, is commit {commit}" in shown
    assert f"{WEIGHTS}: sha256 {sha256(data)}" in shown
    listed = json.loads(seesay("models", "list", "--local", "--json").stdout)["models"]
    assert [(one["name"], one["kind"], one["commits"]) for one in listed] == [
        (NAME, "prepared", {}),
        (NAME, "repository", {"main": commit}),
    ]
    assert f"main = {commit[:12]}" in seesay("models", "list", "--local").stdout


def test_a_pinned_name_stands_for_the_same_when_the_hub_has_another(hub: HubServer, seesay: Seesay) -> None:
    first = hub.repos[REPO].commit
    seesay("models", "pull", NAME)
    space = json.loads(seesay("models", "info", NAME, "--json").stdout)["space_id"]
    new = changed_weights(hub)
    before = len(hub.asked)
    assert json.loads(seesay("models", "info", NAME, "--json").stdout)["space_id"] == space
    assert len(hub.asked) == before
    refused = seesay("models", "pull", NAME)
    second = hub.repos[REPO].commit
    assert refused.returncode == 2
    assert f"{NAME} has changed at {hub.url}: it is pinned to commit {first[:12]}, now it is {second[:12]}" in refused.stderr
    assert f"now {sha256(new)[:12]}" in refused.stderr
    assert f"seesay models pull {NAME} --update" in refused.stderr
    updated = json.loads(seesay("models", "pull", NAME, "--update", "--json").stdout)
    assert (updated["pinned"]["commit"], updated["pinned"]["files"][WEIGHTS]) == (second, sha256(new))
    assert json.loads(seesay("models", "info", NAME, "--json").stdout)["space_id"] != space


def test_a_new_version_with_the_same_files_is_no_change(hub: HubServer, seesay: Seesay) -> None:
    first = hub.repos[REPO].commit
    seesay("models", "pull", NAME)
    files = {file.name: file.read_bytes() for file in CLIP.iterdir() if file.is_file()}
    hub.add(REPO, {**files, "README.md": b"more words"})
    again = json.loads(seesay("models", "pull", NAME, "--json").stdout)
    assert again["pinned"]["commit"] == first != hub.repos[REPO].commit


def test_a_hub_that_has_another_content_under_the_pinned_commit_is_refused(
    hub: HubServer, seesay: Seesay, tmp_path: Path
) -> None:
    """A mirror that was altered, or a history that was written anew."""
    path = Path(json.loads(seesay("models", "pull", NAME, "--json").stdout)["path"])
    (path / WEIGHTS).resolve().unlink()
    (path / WEIGHTS).unlink()
    repo = hub.repos[REPO]
    commit = repo.commit
    new = changed_weights(hub)
    hub.repos[REPO].commit = commit
    refused = seesay("models", "info", NAME)
    assert refused.returncode == 2
    old = sha256((CLIP / WEIGHTS).read_bytes())
    assert f"has another content than when it was pinned: hash {sha256(new)}, expected {old}" in refused.stderr
    assert f"seesay models pull {NAME} --update" in refused.stderr
    assert hub.downloads()[1:] == []
    hub.repos[REPO].commit = "0" * 40
    assert f"no longer has commit {commit} of {REPO}, to which main is pinned" in seesay("models", "info", NAME).stderr
    assert seesay("models", "pull", NAME, "--update").returncode == 0


def test_a_small_file_that_came_altered_is_refused_and_not_kept(hub: HubServer, seesay: Seesay, tmp_path: Path) -> None:
    right = (CLIP / "open_clip_config.json").read_bytes()
    hub.lies["open_clip_config.json"] = right.replace(b"224", b"225") if b"224" in right else right[:-1] + b" "
    refused = seesay("models", "pull", NAME)
    assert refused.returncode == 2
    assert "the file that came is not the one expected: git hash" in refused.stderr
    assert not [path for path in (tmp_path / "hf").rglob("*") if path.is_file() and path.suffix != ".lock"]
    hub.lies.clear()
    assert seesay("models", "pull", NAME).returncode == 0


def test_verify_finds_a_damaged_file_and_pull_mends_it(hub: HubServer, seesay: Seesay) -> None:
    nothing = seesay("models", "verify", NAME)
    assert (nothing.returncode, f"seesay models pull {NAME}" in nothing.stderr) == (2, True)
    path = Path(json.loads(seesay("models", "pull", NAME, "--json").stdout)["path"])
    states = {one["file"]: one["state"] for one in json.loads(seesay("models", "verify", "--json").stdout)["files"]}
    assert states == {"open_clip_config.json": "sound", WEIGHTS: "sound"} | {
        name: "sound" for name in states if name.startswith("tokenizer")
    }
    for name in (WEIGHTS, "open_clip_config.json"):
        data = (path / name).read_bytes()
        (path / name).resolve().write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = seesay("models", "verify", NAME, SEESAY_OFFLINE="1")
    assert found.returncode == 1
    assert found.stdout.count("damaged") == 2
    assert found.stderr.count(f"Fetch it again: seesay models pull {NAME}") == 2
    assert seesay("models", "pull", NAME).returncode == 0
    assert seesay("models", "verify", NAME).returncode == 0
    assert (path / WEIGHTS).read_bytes() == (CLIP / WEIGHTS).read_bytes()


def test_what_is_removed_is_forgotten_with_its_pin(hub: HubServer, seesay: Seesay, tmp_path: Path) -> None:
    seesay("models", "info", NAME)
    changed_weights(hub)
    removed = json.loads(seesay("models", "remove", REPO, "--json").stdout)["models"]
    assert [(one["name"], one["kind"]) for one in removed] == [(NAME, "prepared"), (NAME, "repository")]
    assert not list((tmp_path / "cache" / "pins").iterdir())
    again = json.loads(seesay("models", "pull", NAME, "--json").stdout)
    assert again["pinned"]["commit"] == hub.repos[REPO].commit


def test_several_weights_are_named_with_the_file(hub: HubServer, seesay: Seesay) -> None:
    data = (CLIP / WEIGHTS).read_bytes()
    config = (CLIP / "open_clip_config.json").read_bytes()
    hub.add("a/two", {"open_clip_config.json": config, "one.safetensors": data, "two.safetensors": data + b""})
    asked = seesay("models", "pull", "hf:a/two")
    assert asked.returncode == 2
    assert "has several weights to choose from: one.safetensors, two.safetensors. Name the file: hf:a/two/" in asked.stderr
    assert seesay("models", "info", "hf:a/two/one.safetensors").returncode == 0


def test_a_large_download_is_asked_for(hub: HubServer, seesay: Seesay, environment: dict[str, str]) -> None:
    hub.stated_bytes[WEIGHTS] = 2_400_000_000
    for command in (("models", "pull", NAME), ("models", "info", NAME), ("search", "a dog", "--model", NAME)):
        refused = seesay(*command)
        assert refused.returncode == 2
        assert f"{NAME} is a download of 2.4 GB, and more than 1 GB is not fetched unasked" in refused.stderr
        assert f"seesay models pull {NAME} --yes" in refused.stderr
        assert f"seesay.load('{NAME}', download_gb=3)" in refused.stderr
    assert hub.downloads() == []
    code = f"import seesay; print(seesay.load({NAME!r}, download_gb=3).dim)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["24"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_large_download_is_asked_for_at_a_terminal(hub: HubServer, environment: dict[str, str], answer: str) -> None:
    import pty

    hub.stated_bytes[WEIGHTS] = 2_400_000_000
    main, sub = pty.openpty()
    command = [sys.executable, "-m", "seesay", "models", "pull", NAME]
    with subprocess.Popen(command, env=environment, stdin=sub, stderr=sub, stdout=subprocess.PIPE, text=True) as process:
        os.close(sub)
        seen = b""
        while b"Fetch it?" not in seen:
            seen += os.read(main, 1000)
        os.write(main, f"{answer}\n".encode())
        out = process.communicate(timeout=60)[0]
    os.close(main)
    assert f"{NAME} is a download of 2.4 GB. Fetch it?".encode() in seen
    assert (process.returncode, "is at" in out, len(hub.downloads())) == ((0, True, 1) if answer == "y" else (130, False, 0))


def test_yes_fetches_unasked(hub: HubServer, seesay: Seesay) -> None:
    hub.stated_bytes[WEIGHTS] = 2_400_000_000
    assert seesay("models", "pull", NAME, "--yes").returncode == 0


def test_a_disk_without_room_is_told_before_anything_is_fetched(hub: HubServer, seesay: Seesay, tmp_path: Path) -> None:
    hub.stated_bytes[WEIGHTS] = 10**15
    refused = seesay("models", "pull", NAME, "--yes")
    assert refused.returncode == 2
    assert f"{NAME} needs 1000000.0 GB, and {tmp_path}" in refused.stderr
    assert "GB free. Make room there (seesay models list --local, seesay models remove)" in refused.stderr
    assert hub.downloads() == []


def test_a_disk_that_fills_up_is_told_and_keeps_nothing_half_made(hub: HubServer, seesay: Seesay, tmp_path: Path) -> None:
    """The listing states less than there is, so the disk fills while the file comes; then while the model is prepared."""
    size_kb = len((CLIP / WEIGHTS).read_bytes()) // 1024
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mount(disk, size_kb // 2):
        pytest.skip("a small disk takes root, and mount")
    try:
        hub.stated_bytes[WEIGHTS] = 1
        told = seesay("models", "pull", NAME, HF_HOME=str(disk))
        assert told.returncode == 2
        assert f"{WEIGHTS} needs 0." in told.stderr or "No space left on device" in told.stderr
        assert not list(disk.rglob("*.safetensors"))
        assert seesay("models", "pull", NAME).returncode == 0
        told = seesay("models", "info", NAME, SEESAY_CACHE=str(disk / "cache"))
        assert told.returncode == 2
        assert "No space left on device" in told.stderr or "cannot write" in told.stderr
        assert [path for path in (disk / "cache" / "models").glob("*") if path.is_dir()] == []
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    assert seesay("models", "info", NAME).returncode == 0
