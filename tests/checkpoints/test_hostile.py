"""Files made to harm: nothing in them runs, and none takes more memory than it has bytes."""

import io
import json
import pickle
import resource
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

import seesay
from seesay.checkpoints.containers.weights import open_weights
from seesay.checkpoints.convert import convert
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.reader import open_checkpoint
from seesay.engines import external_data
from seesay.errors import CheckpointError, ModelError
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


@pytest.mark.parametrize(
    "pickled",
    [
        b"}r\xff\xff\xff\x7f.",  # remembered under the number 2**31 - 1, for which room would be made
        b"}p2000000000\n.",
        b"}"
        + b")q\x00"
        + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
        + b"h\x3cNs.",  # a key hashed 2**60 times
        b"(" + b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b"h\x3cNd.",
        b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b"Q.",  # shown in a message
        b"ccollections\nOrderedDict\n(]t)R.",
        b"\x8f(" + b")\x90.",
    ],
    ids=["memo", "memo in digits", "key", "key of a whole dict", "reference", "ordered", "set"],
)
def test_a_pickle_that_takes_forever_does_not(tmp_path: Path, pickled: bytes) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError):
        open_checkpoint(rewritten(tmp_path / "model.pt", b"\x80\x04" + pickled))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 50_000  # kB


def test_an_archive_of_modules_that_hold_each_other_twice(tmp_path: Path) -> None:
    """Thirty levels, which would be 2**30 names."""
    one = b"c__torch__\nM\n)\x81q\x00"
    more = b"".join(b"c__torch__\nM\n)\x81}(U\x01ah%cU\x01bh%cubq%c" % (n, n, n + 1) for n in range(30))
    with pytest.raises(CheckpointError, match="more than 100000 modules and tensors"):
        open_checkpoint(rewritten(tmp_path / "model.pt", b"\x80\x02" + one + more + b"."))


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


@pytest.mark.parametrize("name", ["openai-vit-archive/model.pt", "hf-clip-gelu-5/pytorch_model.bin"])
def test_a_zip_that_says_it_unpacks_to_far_more_is_not_unpacked(tmp_path: Path, name: str) -> None:
    """Neither by zipfile nor by torch, which allocates the size that a member declares."""
    file = tmp_path / "model.pt"
    file.write_bytes((DATA / name).read_bytes())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/999", bytes(100_000_000))
    data = bytearray(file.read_bytes())
    at = data.rindex(b"archive/data/999") - 46 + 24  # of the central directory: the size that it unpacks to
    assert data[at : at + 4] == struct.pack("<I", 100_000_000)
    data[at : at + 4] = struct.pack("<I", 0xFFFF_FFF0)
    file.write_bytes(data)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="unpacks to many times its size"):
        open_checkpoint(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 50_000  # kB


def test_a_zip_with_a_wrong_checksum(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes((DATA / "openai-vit-archive" / "model.pt").read_bytes())
    with zipfile.ZipFile(file) as archive:
        member = next(entry for entry in archive.infolist() if entry.filename.endswith("/data/0"))
    data = bytearray(file.read_bytes())
    data[member.header_offset + 200] ^= 255
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match="is not a TorchScript archive that can be read: BadZipFile"):
        open_checkpoint(file).model()


def test_a_dict_that_holds_itself(tmp_path: Path) -> None:
    saved: dict[str, object] = {"epoch": 1}
    saved["state_dict"] = {"model": saved}
    torch.save(saved, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="holds no tensors by name"):
        open_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(1).expand(2**40), torch.ones(1).expand(1, 2**30), torch.eye(3).to_sparse(), torch.ones(2, device="meta")],
    ids=["repeated", "repeated in rows", "sparse", "without values"],
)
def test_a_tensor_that_is_not_what_its_shape_says(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"visual.conv1.weight": tensor}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="visual.conv1.weight is no plain tensor"):
        open_checkpoint(tmp_path / "model.pt")


def test_weights_stored_as_whole_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(DATA / "hf-clip-5", folder)
    state = load_file(folder / "model.safetensors")
    save_file(state | {"text_projection.weight": state["text_projection.weight"].int()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="text_projection.weight: stored as int32, expected one of float32"):
        open_checkpoint(folder).model()


@pytest.mark.parametrize("file", ["config.json", "processor_config.json", "model.safetensors"])
def test_json_that_is_nested_without_end(tmp_path: Path, file: str) -> None:
    folder, nested = tmp_path / "folder", b'{"a":' * 100_000
    shutil.copytree(DATA / "hf-clip-5", folder)
    (folder / file).write_bytes(struct.pack("<Q", len(nested)) * file.endswith("s") + nested)
    with pytest.raises(ModelError, match=rf"{file} (cannot be read|is not a safetensors file).*recursion"):
        open_checkpoint(folder)
    with pytest.raises(ModelError, match="recursion"):
        inspect(folder)


def test_a_layer_of_a_number_that_no_tower_has(tmp_path: Path) -> None:
    """Without a configuration, tensor names alone show how deep a tower is."""
    weights = open_weights(DATA / "openai-vit-archive" / "model.pt")
    state = {name: weights.read(name).float() for name in weights.names}
    state["visual.transformer.resblocks.999999.ln_1.weight"] = torch.ones(32)
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="the image tower has 3 layers, and the last is number 999999"):
        open_checkpoint(tmp_path / "model.pt")


SECRET = b"\x00\x00\x80?" * 300_000


@pytest.fixture
def graphs(tmp_path: Path) -> Path:
    """A SeeSay folder whose graphs point into model.safetensors beside, and a file outside that they have no business with."""
    convert(open_checkpoint(DATA / "openai-vit-archive" / "model.pt"), tmp_path / "folder")
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path / "folder"


def moved(folder: Path, **place: str) -> None:
    """Moves the first external weight of the image graph to another position."""
    model = onnx.load(folder / "image.onnx", load_external_data=False)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.external_data)
    entries = {entry.key: entry.value for entry in tensor.external_data} | place
    del tensor.external_data[:]
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    onnx.save(model, folder / "image.onnx")


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        external_data.check(folder / "image.onnx")
    with pytest.raises(ModelError, match=match):
        seesay.load(folder).encode_image(np.zeros((40, 40, 3), dtype=np.uint8))
    (folder / "model.safetensors").unlink()  # torch then reads the graphs
    with pytest.raises(ModelError):
        seesay.load(folder, engine="torch")


@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        "{}/secret",
        "..\\secret",
        "C:\\secret",
        "\\\\host\\share\\x",
        "",
        "*/_ORT_MEM_ADDR_/*",
        ".",
        "absent",
        "\0",
    ],
)
def test_a_graph_reaches_no_file_outside_its_folder(graphs: Path, location: str) -> None:
    external_data.check(graphs / "image.onnx")
    moved(graphs, location=location.format(graphs.parent), offset="0")
    refused(graphs, "image.onnx keeps a weight in .*It is not opened")


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_graph_follows_no_link_out_of_its_folder(graphs: Path, link: str) -> None:
    (graphs / "inside").symlink_to(graphs.parent / "secret" if link == "file" else graphs.parent)
    moved(graphs, location="inside" if link == "file" else "inside/secret", offset="0")
    refused(graphs, "it is a link out of its folder")


@pytest.mark.parametrize(
    "place",
    [{"offset": "-1"}, {"length": "999999999999"}, {"offset": str(2**63)}, {"offset": "x"}, {"offset": "1e3"}, {"length": "٣"}],
    ids=str,
)
def test_a_graph_reaches_no_part_that_its_file_has_not(graphs: Path, place: dict[str, str]) -> None:
    moved(graphs, **place)
    refused(graphs, "that file ends after|in whole numbers")


def test_weights_are_looked_for_wherever_a_graph_may_hold_them(graphs: Path) -> None:
    """Also in branches, attributes and functions; of a position given twice, both are checked."""
    whole = onnx.load(graphs / "image.onnx", load_external_data=False)
    outside = onnx.TensorProto(name="x", dims=[1], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../secret")
    twice = onnx.TensorProto(name="x", dims=[1], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
    for value in ("../secret", "model.safetensors"):
        twice.external_data.add(key="location", value=value)
    branch = onnx.GraphProto(name="branch", initializer=[outside])
    constant = onnx.helper.make_node("Constant", [], ["c"], value=outside)
    nodes = {
        "an attribute": constant,
        "a branch": onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=onnx.GraphProto(name="other")),
        "a branch's node": onnx.helper.make_node("If", ["c"], ["y"], then_branch=onnx.GraphProto(name="b", node=[constant])),
        "twice": onnx.helper.make_node("Constant", [], ["c"], value=twice),
    }
    for where, node in nodes.items():
        changed = onnx.ModelProto.FromString(whole.SerializeToString())
        changed.graph.node.append(node)
        onnx.save(changed, graphs / "image.onnx")
        with pytest.raises(ModelError, match=r"keeps a weight in '../secret'"):
            external_data.check(graphs / "image.onnx")
        assert where
    changed = onnx.ModelProto.FromString(whole.SerializeToString())
    changed.functions.append(onnx.FunctionProto(name="f", node=[constant]))
    onnx.save(changed, graphs / "image.onnx")
    with pytest.raises(ModelError, match=r"keeps a weight in '../secret'"):
        external_data.check(graphs / "image.onnx")


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
