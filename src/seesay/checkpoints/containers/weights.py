"""Opens weight files of every kind safely: names and shapes at once, tensors on demand. Nothing in a file is executed."""

import codecs
import json
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seesay.checkpoints.containers.graph_weights import read_weights
from seesay.checkpoints.containers.npz import Npz, is_npz
from seesay.checkpoints.containers.parsing import parsing
from seesay.checkpoints.containers.torchscript import Archive, is_archive
from seesay.checkpoints.hub.files import select_files
from seesay.errors import CheckpointError, DownloadError, MissingExtra

if TYPE_CHECKING:
    from torch import Tensor

INDEX = ".index.json"  # ending of the list of a checkpoint's shards
VARIANT_INDEX = re.compile(r"\.index\.\w+\.json")  # of a variant, such as model.safetensors.index.fp16.json
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Keys under which trainers store weights among other values; the last is that of textual inversions.
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "string_to_param")
PARTS = {"image_proj", "ip_adapter"}  # the dicts of tensors that an IP-Adapter's .bin consists of
PREFIXES = ("module.", "_orig_mod.")  # added by DistributedDataParallel and torch.compile
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")  # how files of PNG, JPEG and GIF begin
ZIP = b"PK\x03\x04"
HEADER_LIMIT = 100_000_000  # bytes, safetensors' own limit


@dataclass(frozen=True)
class TensorInfo:
    """A tensor's shape and dtype, known without reading it."""

    shape: tuple[int, ...]
    dtype: str  # as numpy and torch spell it: float32, float16, bfloat16, int64


class Container(Protocol):
    """A file of tensors by name."""

    @property
    def entries(self) -> Mapping[str, TensorInfo]:
        """Every tensor's shape and dtype."""

    def read(self, name: str) -> "Tensor":
        """One tensor, on the CPU."""


@dataclass(frozen=True)
class Weights:
    """The tensors of one checkpoint.

    kind: of the file, for people. prefix: removed from every name. notes: what a trainer stored beside the weights. names:
    tensors by name without the prefix.
    """

    path: Path
    kind: str
    container: Container
    prefix: str = ""
    notes: tuple[str, ...] = ()
    names: Mapping[str, TensorInfo] = field(init=False)

    def __post_init__(self) -> None:
        names = {name.removeprefix(self.prefix): entry for name, entry in self.container.entries.items()}
        object.__setattr__(self, "names", names)

    def read(self, name: str) -> "Tensor":
        """One tensor, on the CPU, by its name without the prefix."""
        return self.container.read(self.prefix + name)

    def part(self, prefix: str) -> "Weights":
        """Those tensors whose names begin with a prefix, without it."""
        whole = self.prefix + prefix
        return replace(self, container=_Part(self.container, whole), prefix=whole)

    @property
    def elements(self) -> int:
        """The number of elements in all tensors."""
        return sum(math.prod(entry.shape) for entry in self.names.values())


def open_weights(path: Path) -> Weights:
    """Opens a file, or the preferred file of a folder. Raises CheckpointError, and MissingExtra where torch is needed."""
    file = weights_file(path)
    if file.name.endswith(INDEX) or VARIANT_INDEX.search(file.name):
        return _unwrapped(file, "sharded", _shards(file))
    with parsing(file, "a file"), file.open("rb") as stream:
        start = stream.read(64)
    if not start:
        raise CheckpointError(f"{file} is empty")
    if len(start) > 8 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] < HEADER_LIMIT:
        return _unwrapped(file, "safetensors", _Safetensors(file))
    if start[:4] == ZIP and not zipfile.is_zipfile(file):
        raise CheckpointError(f"{file} has a beginning and no end: the download broke off. Fetch it again")
    if start[:4] == ZIP and is_archive(file):
        return _unwrapped(file, "TorchScript archive", _Script(file))
    if start[:4] == ZIP and is_npz(file):
        return Weights(file, "npz", _Arrays(file))
    if start[:4] == ZIP or start[:1] == b"\x80":
        saved, notes = _torch_load(file, mmap=start[:4] == ZIP)
        return _unwrapped(file, "torch file", _Loaded(saved), notes)
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{file} is a Git LFS pointer, not the weights; fetch them with: git lfs pull")
    if start.startswith(PICTURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        raise CheckpointError(
            f"{file} is a picture. Give weights: a checkpoint's file, such as model.safetensors, or its folder"
        )
    if is_text(start):
        raise CheckpointError(
            f"{file} is neither safetensors nor a torch file nor .npz, but a text. Give weights: a checkpoint's file, such as "
            "model.safetensors, or its folder"
        )
    raise CheckpointError(f"{file} is neither safetensors nor a torch file nor .npz")


def is_text(start: bytes) -> bool:
    """Whether a file's first bytes are UTF-8 text; a character that is cut at their end counts."""
    letters = codecs.getincrementaldecoder("utf-8")()
    try:
        return all(letter.isprintable() or letter.isspace() for letter in letters.decode(start))
    except UnicodeDecodeError:
        return False


def weights_file(path: Path) -> Path:
    """The file itself, or the preferred one of a folder (an index of shards counts). Raises CheckpointError."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise CheckpointError(f"there is no file or folder {path}")
    for index in INDEXES:
        if (path / index).is_file() and not (path / index.removesuffix(INDEX)).is_file():
            return path / index
    try:
        (file,) = select_files([file.name for file in path.iterdir()], patterns=(), repo=str(path), scheme="")
    except DownloadError as error:
        raise CheckpointError(str(error)) from None
    return path / file


class _Part:
    """Those tensors of a container whose names begin with a prefix."""

    def __init__(self, whole: Container, prefix: str) -> None:
        self._whole = whole
        self.entries = {name: entry for name, entry in whole.entries.items() if name.startswith(prefix)}

    def read(self, name: str) -> "Tensor":
        return self._whole.read(name)


class _Safetensors:
    def __init__(self, file: Path) -> None:
        self.file = file
        header = read_header(file)
        self.entries = {name: _entry(info) for name, info in header.items() if name != "__metadata__"}
        self._open: Any = None

    def read(self, name: str) -> "Tensor":
        if self._open is None:
            try:
                from safetensors import safe_open
            except ImportError:
                raise MissingExtra("reading a checkpoint", "torch") from None
            with parsing(self.file, "a safetensors file"):
                self._open = safe_open(self.file, framework="pt")
        with parsing(self.file, "a safetensors file"):
            return self._open.get_tensor(name)  # type: ignore[no-any-return]


def read_header(file: Path) -> dict[str, Any]:
    """A safetensors file's header: names, dtypes, shapes, positions. Reads nothing else. Raises CheckpointError."""
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\0"))
        text = stream.read(min(length, HEADER_LIMIT))
    if len(text) < length:
        raise CheckpointError(f"{file} ends within its header: the download broke off. Fetch it again")
    with parsing(file, "a safetensors file"):
        header = json.loads(text)
        if not isinstance(header, dict):
            raise ValueError("the header is not an object")
        ends = [_checked(info) for name, info in header.items() if name != "__metadata__"]
    size, expected = file.stat().st_size, 8 + length + max(ends, default=0)
    if size != expected:
        raise CheckpointError(f"{file} is {size} bytes long and should be {expected}: the download broke off. Fetch it again")
    return header


def _checked(info: dict[str, Any]) -> int:
    """The position at which a tensor ends. Raises ValueError, KeyError or TypeError where its entry is not valid."""
    shape, (begin, end), dtype = info["shape"], info["data_offsets"], info["dtype"]
    if not all(isinstance(number, int) and number >= 0 for number in (*shape, begin, end)):
        raise ValueError("shapes and places are whole numbers")
    if not isinstance(dtype, str):
        raise ValueError("dtypes are names")
    if dtype in BYTES and end - begin != math.prod(shape) * BYTES[dtype]:
        raise ValueError(f"{end - begin} bytes are no {dtype} of the shape {tuple(shape)}")
    return int(end)


DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32"}
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4}


def _entry(info: dict[str, Any]) -> TensorInfo:
    return TensorInfo(tuple(info["shape"]), DTYPES.get(info["dtype"], info["dtype"].lower()))


class _Shards:
    def __init__(self, parts: Mapping[str, Container]) -> None:
        self._parts = parts
        self.entries = {name: part.entries[name] for name, part in parts.items()}

    def read(self, name: str) -> "Tensor":
        return self._parts[name].read(name)


def _shards(index: Path) -> _Shards:
    with parsing(index, "an index of shards"):
        shard_of: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = {shard: index.parent / Path(shard).name for shard in set(shard_of.values())}
        missing = sorted(file.name for file in files.values() if not file.is_file())  # OSError for a name that is too long
    if missing:
        raise CheckpointError(f"{index.parent} lacks {', '.join(missing)}, which {index.name} names")
    opened = {shard: open_weights(file).container for shard, file in files.items()}
    absent = [name for name, shard in shard_of.items() if name not in opened[shard].entries]
    if absent:
        raise CheckpointError(f"{index.name} names {absent[0]}, which its shard does not hold")
    return _Shards({name: opened[shard] for name, shard in shard_of.items()})


class _Graphs:
    """The dequantized weights of a SeeSay folder that holds graphs only."""

    def __init__(self, folder: Path) -> None:
        self._values = {
            f"{tower}.{name}": value
            for tower in ("image", "text")
            if (folder / f"{tower}.onnx").is_file()
            for name, value in read_weights(folder / f"{tower}.onnx").items()
        }
        self.entries = {name: TensorInfo(value.shape, "float32") for name, value in self._values.items()}

    def read(self, name: str) -> "Tensor":
        return _torch().from_numpy(self._values[name])  # type: ignore[no-any-return]


def open_graphs(folder: Path) -> Weights:
    """Opens the weights of a SeeSay folder that holds graphs only. Needs the extra `torch`."""
    return Weights(folder / "config.json", "graphs", _Graphs(folder))


class _Arrays:
    def __init__(self, file: Path) -> None:
        self._npz = Npz(file)
        self.entries = {name: TensorInfo(shape, dtype) for name, (shape, dtype) in self._npz.arrays.items()}

    def read(self, name: str) -> "Tensor":
        return self._npz.read(name)


class _Script:
    def __init__(self, file: Path) -> None:
        self._archive = Archive(file)
        self.entries = {name: TensorInfo(stored.shape, stored.dtype) for name, stored in self._archive.tensors.items()}

    def read(self, name: str) -> "Tensor":
        return _torch().from_numpy(self._archive.read(name))  # type: ignore[no-any-return]


class _Loaded:
    def __init__(self, tensors: Mapping[str, "Tensor"]) -> None:
        self._tensors = tensors
        self.entries = {
            name: TensorInfo(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in tensors.items()
        }

    def read(self, name: str) -> "Tensor":
        return self._tensors[name]


def _torch_load(file: Path, *, mmap: bool) -> tuple[dict[str, "Tensor"], tuple[str, ...]]:
    """The tensors of a `torch.save` file, and notes on its other values. weights_only, as unpickling can run code."""
    torch = _torch()
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch raises UnpicklingError, RuntimeError, EOFError and more
        reason = re.sub(r"\s+", " ", str(error)).split(". ")[0][:200]
        raise CheckpointError(
            f"{file} is not a torch file that can be read without running what is in it: {reason}. "
            "If you trust it, convert it where it was made: torch.save(model.state_dict(), FILE)"
        ) from None
    notes: list[str] = []
    outer: list[object] = []  # a dict may contain itself
    while isinstance(saved, Mapping) and not any(isinstance(value, torch.Tensor) for value in saved.values()):
        outer.append(saved)
        inner = next((key for key in WRAPPERS if isinstance(saved.get(key), Mapping)), None)
        if inner is None or any(saved[inner] is each for each in outer):
            break
        notes += [f"{key} {value}" for key, value in saved.items() if isinstance(value, int | str | float)]
        saved = saved[inner]
    if isinstance(saved, Mapping) and set(saved) == PARTS and all(isinstance(part, Mapping) for part in saved.values()):
        saved = {f"{name}.{inner}": value for name, part in saved.items() for inner, value in part.items()}
    tensors = (
        {str(n): value for n, value in saved.items() if isinstance(value, torch.Tensor)} if isinstance(saved, Mapping) else {}
    )
    if not tensors:
        raise CheckpointError(f"{file} holds no tensors by name; a checkpoint is a dict of them, bare or under 'state_dict'")
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        # a stride of 0 repeats a number any number of times
        if not plain or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise CheckpointError(f"{file}: {name} is no plain tensor; save it as one: tensor.contiguous()")
    return tensors, tuple(notes)


def _unwrapped(file: Path, kind: str, container: Container, notes: tuple[str, ...] = ()) -> Weights:
    prefix, names = "", list(container.entries)
    while names and (more := next((p for p in PREFIXES if all(n.startswith(prefix + p) for n in names)), None)):
        prefix += more
    return Weights(file, kind, container, prefix, notes)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtra("reading a checkpoint", "torch") from None
    return torch
