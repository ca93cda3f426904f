"""Files made to harm: nothing in them runs, and none takes more memory than it has bytes."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from seesay.checkpoints import open_checkpoint
from seesay.checkpoints.weights import open_weights
from seesay.errors import CheckpointError
from tests.parity.test_checkpoints import DATA


class Hostile:
    """Runs when unpickled by anyone who is not careful."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch pwned",)


def test_a_hostile_torch_file_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": torch.ones(1)}, "args": Hostile()}, "model.pt")
    with pytest.raises(CheckpointError, match="without running what is in it"):
        open_checkpoint("model.pt")
    assert not Path("pwned").exists()


def rewritten(target: Path, pickled: bytes) -> Path:
    """OpenAI's archive with another pickle in it."""
    source = DATA / "openai-vit-archive" / "model.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickled if name == "model/data.pkl" else old.read(name))
    return target


def test_a_hostile_archive_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    pickle.Pickler(stream, protocol=2).dump(Hostile())
    with pytest.raises(CheckpointError, match=r"refuses to load (posix|nt)\.system"):
        open_checkpoint(rewritten(tmp_path / "model.pt", stream.getvalue()))
    assert not Path("pwned").exists()
    for nested in (
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"ctorch\nload\n.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(S'x'\nI0\n()()I00\nNtR.",
    ):
        with pytest.raises(CheckpointError):
            open_checkpoint(rewritten(tmp_path / "model.pt", b"\x80\x02" + nested))


def test_an_archive_whose_tensor_reaches_outside_its_storage(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "openai-vit-archive" / "model.pt") as archive:
        pickled = archive.read("model/data.pkl")
    # A shape of (128,) is MARK, BININT1 128, TUPLE; BININT2 makes it (65535,).
    grown = pickled.replace(b"(K\x80t", b"(M\xff\xfft")
    assert grown != pickled
    checkpoint_path = rewritten(tmp_path / "model.pt", grown)
    with pytest.raises(CheckpointError):
        open_checkpoint(checkpoint_path).model()


def test_an_archive_of_modules_that_contain_themselves(tmp_path: Path) -> None:
    module = b"\x80\x02c__torch__\nM\n)\x81q\x00}q\x01U\x01ah\x00sb."
    with pytest.raises(CheckpointError, match="RecursionError"):
        open_checkpoint(rewritten(tmp_path / "model.pt", module))


def test_an_archive_that_repeats_one_number_without_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "openai-vit-archive" / "model.pt") as archive:
        pickled = archive.read("model/data.pkl")
    # (128,) with strides (1,) becomes (2**31 - 1,) with strides (0,).
    grown = pickled.replace(b"(K\x80t", b"(J\xff\xff\xff\x7ft").replace(b"(K\x01t", b"(K\x00t")
    assert grown != pickled
    archive_of_it = open_weights(rewritten(tmp_path / "model.pt", grown))
    name = next(name for name, entry in archive_of_it.names.items() if entry.shape == (2**31 - 1,))
    with pytest.raises(CheckpointError, match="reaches outside its storage"):
        archive_of_it.read(name)


def test_an_archive_that_unpacks_to_far_more(tmp_path: Path) -> None:
    source = DATA / "openai-vit-archive" / "model.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(tmp_path / "model.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    open_checkpoint(tmp_path / "model.pt")  # compressed only, which is harmless
    with zipfile.ZipFile(tmp_path / "model.pt", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data/999", bytes(100_000_000))
    with pytest.raises(CheckpointError, match="unpacks to many times its size"):
        open_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]},
        {"dtype": 1, "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, "4"]},
        {"dtype": "F32", "shape": [1], "data_offsets": []},
        [],
        None,
    ],
)
def test_a_safetensors_header_that_is_none(entry: object, tmp_path: Path) -> None:
    header = json.dumps({"a": entry}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(CheckpointError, match="is not a safetensors file that can be read"):
        open_checkpoint(tmp_path / "model.safetensors")
