"""Checkpoints with something wrong in them, made at random from a seed: in their bytes, and inside what their formats hold.

    python -m tests.checkpoints.fuzz 3000 [FIRST]

tries so many and prints every one that ends otherwise than it may. `outcome` is what may come of one: a model that computes, or
a ModelError. test_fuzz.py tries the first 200.
"""

import io
import json
import random
import shutil
import signal
import struct
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seesay.checkpoints.convert import convert
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import ModelError
from seesay.model import load
from seesay.tokenizers.from_files import END, START, byte_alphabet, clip_json
from tests.parity.test_checkpoints import DATA

TIME_S = 20  # for one, which takes some hundredths of a second
OVERRIDES = Overrides(activation="gelu", image_heads=4, text_heads=3, preprocessing="openai")
UNDESCRIBED = ("epoch_2.pt", "longclip.pt", "tiny.pt")  # whose heads nothing says
MANY = 2**62
ODD = (None, True, -1, 0, 1, 1.5, MANY, 1e308, float("nan"), "", "x", "../x", "/etc/passwd", "\ud800", [], {}, [[]], [MANY] * 3)

Change = Callable[[random.Random, bytes], bytes]


# What is changed in bytes, whatever they are


def flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 30))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(rng: random.Random, data: bytes) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((1, 8, 100, len(data)))
    return data[:at] + data[at + length :]


def repeated(rng: random.Random, data: bytes) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((1, 8, 100))
    return data[:at] + data[at : at + length] * rng.choice((2, 50)) + data[at + length :]


def overwritten(rng: random.Random, data: bytes) -> bytes:
    at, length = rng.randrange(len(data)), rng.choice((1, 4, 8, 64))
    return data[:at] + rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length))) + data[at + length :]


BYTES: tuple[Change, ...] = (flipped, cut, repeated, overwritten)


def in_bytes(rng: random.Random, data: bytes) -> bytes:
    """Near the beginning, where formats say what follows, as often as anywhere."""
    head = rng.choice((64, 2000, len(data)))
    return rng.choice(BYTES)(rng, data[:head]) + data[head:] if data else data


# JSON


def in_json(rng: random.Random, data: bytes) -> bytes:
    whole = json.loads(data)
    kind = rng.randrange(8)
    if kind == 0:
        return in_bytes(rng, data)
    if kind == 1:  # deeper than any parser goes
        return b'{"model_type": ' + rng.choice((b"[", b'{"a":')) * 100_000
    if kind == 2:
        return json.dumps(rng.choice((*ODD, [whole]))).encode("utf-8", "surrogatepass")
    places = list(_places(whole))
    for _ in range(rng.choice((1, 1, 2, 5))):
        inside, key = rng.choice(places)
        if isinstance(inside, dict) and kind == 3:
            inside.pop(key, None)
        elif kind == 4:
            inside[key] = rng.choice(places)[0]
            if inside is whole or _holds(inside[key], inside):
                inside[key] = json.loads(data)
        else:
            inside[key] = rng.choice(ODD)
    return json.dumps(whole).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(part)


def _holds(value: Any, needle: Any) -> bool:
    return value is needle or any(_holds(inside[key], needle) for inside, key in _places(value) if inside[key] is not value)


# Containers


def in_safetensors(rng: random.Random, data: bytes) -> bytes:
    """The header changed, and its length right; or what follows."""
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.2:
        return in_bytes(rng, data)
    changed = in_json(rng, header)
    return struct.pack("<Q", len(changed)) + changed + rest


def in_zip(rng: random.Random, data: bytes) -> bytes:
    """Members changed, renamed, doubled, left out, or packed so that they unpack to far more; with right checksums."""
    if rng.random() < 0.2 or not data.startswith(b"PK"):  # torch's old files are pickles, one after the other
        return in_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = [(entry.filename, old.read(entry)) for entry in old.infolist()]
    pickles = [i for i, (name, _) in enumerate(members) if name.endswith(".pkl")]  # none in .npz
    at = rng.choice(pickles) if pickles and rng.random() < 0.7 else rng.randrange(len(members))
    name, content = members[at]
    match rng.randrange(6):
        case 0:
            members[at] = (rng.choice((name + "x", "../" + name, "/" + name, name.upper())), content)
        case 1:
            members.append((name, in_bytes(rng, content)))
        case 2:
            del members[at]
        case 3:
            members[at] = (name, content + bytes(rng.choice((1, 30_000_000))))
        case _:
            members[at] = (name, rng.choice(BYTES)(rng, content) if content else content)
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as new:
        warnings.simplefilter("ignore")
        for member in members:
            new.writestr(*member)
    return stream.getvalue()


def in_graph(rng: random.Random, data: bytes) -> bytes:
    """Names and numbers of an ONNX graph, which is Protocol Buffers; or its bytes."""
    import onnx

    if rng.random() < 0.4:
        return in_bytes(rng, data)
    model = onnx.load_from_string(data)
    graph = model.graph
    match rng.randrange(5):
        case 0:
            del graph.node[rng.randrange(len(graph.node))]
        case 1:
            graph.node[rng.randrange(len(graph.node))].op_type = rng.choice(("Add", "Reshape", "Nothing", ""))
        case 2:
            tensor = rng.choice(graph.initializer)
            tensor.dims[:] = rng.choice(([], [-1], [MANY, MANY], [0], [1, 2, 3]))
        case 3:
            tensor = rng.choice(graph.initializer)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            key, value = rng.choice(
                (
                    ("location", "../secret"),
                    ("location", "/etc/passwd"),
                    ("offset", "-1"),
                    ("length", str(MANY)),
                    ("location", ""),
                )
            )
            del tensor.external_data[:]
            tensor.external_data.add(key="location", value="model.safetensors")
            tensor.external_data.add(key=key, value=value)
        case 4:
            graph.output[0].name = "nothing"
    return model.SerializeToString()


KINDS: dict[str, Change] = {
    ".json": in_json,
    ".safetensors": in_safetensors,
    ".pt": in_zip,
    ".bin": in_zip,
    ".npz": in_zip,
    ".onnx": in_graph,
    ".txt": in_bytes,
}


# The whole ones


def sources(place: Path) -> dict[str, tuple[Path, Path]]:
    """Undamaged checkpoints by name, one of each format and SeeSay's folders: the folder, and the file in it to open."""
    by_name = {}
    for name, file in (
        *((name, "") for name in ("hf-clip-5", "hf-clip-4", "hf-clip-gelu-5", "hf-chinese-clip-5", "hf-vision-5", "hf-text-5")),
        *((name, "") for name in ("open-clip-native", "open-clip-resnet", "open-clip-roberta-linear")),
        ("open-clip-training", "epoch_2.pt"),
        ("openai-vit-archive", "model.pt"),
        ("openai-resnet-archive", "model.pt"),
        ("cn-clip-vit", "model.pt"),
        *((name, "") for name in ("hf-siglip-5", "hf-align-5", "hf-altclip-5", "open-clip-coca", "m-clip-bert-5")),
        *((name, "model.pt") for name in ("eva-clip-01", "eva-clip-02")),
        ("big-vision-siglip", "siglip.npz"),
        ("long-clip", "longclip.pt"),
        ("tiny-clip", "tiny.pt"),
        *((name, "") for name in ("hf-owl-vit-5", "hf-owl-v2-5", "hf-clipseg-5")),
    ):
        shutil.copytree(DATA / name, place / name, ignore=shutil.ignore_patterns("expected.npz", "facts.json"))
        by_name[name] = (place / name, Path(file))
    for file in (DATA / "hf-tokenizers" / "roberta").glob("tokenizer*"):
        shutil.copy(file, place / "open-clip-roberta-linear")
    import torch
    from safetensors.torch import load_file, save_file

    model = json.loads(spelling(300))["model"]
    (place / "hf-clip-4" / "vocab.json").write_text(json.dumps(model["vocab"]))
    (place / "hf-clip-4" / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(295))]
    (place / "hf-chinese-clip-5" / "vocab.txt").write_text("\n".join(pieces) + "\n")
    old = place / "old"
    shutil.copytree(place / "hf-clip-5", old, ignore=shutil.ignore_patterns("*.safetensors"))
    state = load_file(place / "hf-clip-5" / "model.safetensors")
    torch.save(state, old / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    by_name["old"] = (old, Path())
    shards = place / "shards"
    shutil.copytree(place / "hf-clip-5", shards)
    state = load_file(shards / "model.safetensors")
    (shards / "model.safetensors").unlink()
    names = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(state)}
    for shard in set(names.values()):
        save_file({name: tensor for name, tensor in state.items() if names[name] == shard}, shards / shard)
    (shards / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    by_name["shards"] = (shards, Path())
    for storage in ("float32", "int8", "int8-rows"):
        folder = place / f"seesay-{storage}"
        convert(open_checkpoint(DATA / "openai-vit-archive" / "model.pt"), folder, storage)  # type: ignore[arg-type]
        (folder / "tokenizer.json").write_bytes(spelling(300))
        by_name[f"seesay-{storage}"] = (folder, Path())
    return by_name


def spelling(pieces: int) -> bytes:
    """The tokenizer.json of a CLIP model that knows no words: so many ids, of letters and of a text's two ends."""
    letters = [*byte_alphabet().values()]
    listed = [*letters, *(f"{letter}</w>" for letter in letters)][: pieces - 2]
    return clip_json(json.dumps({piece: number for number, piece in enumerate([*listed, START, END])}), "#version: 0.2")


def make(number: int, wholes: dict[str, tuple[Path, Path]], target: Path) -> tuple[str, Path]:
    """Writes the checkpoint of this number to a new folder; what was changed, and what is to be opened."""
    rng = random.Random(number)
    name = rng.choice(sorted(wholes))
    folder, opened = wholes[name]
    shutil.copytree(folder, target)
    file = rng.choice(sorted(path for path in target.iterdir() if path.suffix in KINDS))
    file.write_bytes(KINDS[file.suffix](rng, file.read_bytes()))
    return f"{number}: {name}/{file.name}", target / opened


def outcome(path: Path) -> str:
    """Opens a checkpoint by every door, "fine" or the ModelErrors' names. Raises whatever else comes out."""
    results = []
    for door in (_looked_into, _in_torch, *([_as_graphs] if (path / "image.onnx").is_file() else [])):
        try:
            with _in_time(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                door(path)
            results.append("fine")
        except ModelError as error:
            results.append(type(error).__name__)
    return ", ".join(dict.fromkeys(results))


def _looked_into(path: Path) -> None:
    inspect(path)


def _in_torch(path: Path) -> None:
    overrides = OVERRIDES if path.name in UNDESCRIBED else Overrides()
    checkpoint = open_checkpoint(path, overrides)
    checkpoint.tokenizer()
    clip = checkpoint.model()
    assert clip.config == replace(clip.config)


def _as_graphs(folder: Path) -> None:
    model = load(folder)
    model.encode_image(np.zeros((40, 40, 3), dtype=np.uint8))
    model.encode_text("a dog")


class Late(BaseException):
    """No Exception, which might be taken for the file's own fault."""


@contextmanager
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise Late(f"not done after {TIME_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(TIME_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    outcomes: Counter[str] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        wholes = sources(Path(place))
        for number in range(first, first + count):
            target = Path(place) / "changed"
            what, opened = make(number, wholes, target)
            try:
                outcomes[outcome(opened)] += 1
            except (Exception, Late) as error:
                bad += 1
                where = traceback.extract_tb(error.__traceback__)
                frames = [frame for frame in where if "/seesay/" in frame.filename][-1:]
                print(f"{what}: {type(error).__name__}: {str(error)[:200]} at {frames}", flush=True)
            shutil.rmtree(target)
    print(dict(outcomes), f"{bad} otherwise")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
