"""Reads the tensors of a TorchScript archive, as OpenAI published CLIP, without running any code in it.

An archive is a zip: `*/data.pkl` pickles the module tree, whose tensors refer to `*/data/<number>`; `*/code/` is its program,
which torch's own (deprecated) loader compiles. Here the program is never opened, and the pickle is read by an unpickler that
resolves a fixed list of names to functions of this file and refuses every other name.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seesay.checkpoints.containers.parsing import parsing
from seesay.errors import CheckpointError

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}

MAX_NODES = 100_000  # modules, tensors and other values; OpenAI's largest archive has some thousands
MAX_EXPANSION = 10  # times; torch stores tensors uncompressed and compresses only the program


@dataclass(frozen=True)
class StoredTensor:
    """The position of a tensor in the archive; offset and strides count elements."""

    storage: str
    dtype: str
    elements: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Archive:
    """An archive's tensors by their dotted names. Raises CheckpointError for any content but modules and tensors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with parsing(path, "a TorchScript archive"), zipfile.ZipFile(path) as archive:
            (self._pickle,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
            pickled = archive.read(self._pickle)
            try:
                self.tensors = dict(_walk(_Unpickler(io.BytesIO(pickled)).load(), "", iter(range(MAX_NODES, 0, -1))))
            except CheckpointError as error:
                raise CheckpointError(f"{path}: {error}") from None

    def read(self, name: str) -> np.ndarray:
        """A copy of one tensor. Raises CheckpointError where it is outside its storage."""
        stored = self.tensors[name]
        dtype = np.dtype(stored.dtype)
        entry = f"{self._pickle.removesuffix('data.pkl')}data/{stored.storage}"
        with parsing(self.path, "a TorchScript archive"), zipfile.ZipFile(self.path) as archive:
            try:
                declared = archive.getinfo(entry).file_size
            except KeyError:
                raise CheckpointError(f"{self.path}: {name} points to {entry}, which is not in the archive") from None
            if declared != stored.elements * dtype.itemsize:
                raise CheckpointError(
                    f"{self.path}: {name} should have {stored.elements} elements, {entry} has {declared} bytes"
                )
            flat = np.frombuffer(archive.read(entry), dtype=dtype)
        last = stored.offset + sum((n - 1) * stride for n, stride in zip(stored.shape, stored.strides, strict=True))
        inside = min(stored.shape, default=1) == 0 or 0 <= stored.offset <= last < len(flat)
        if not inside or math.prod(stored.shape) > len(flat):  # a stride of 0 repeats a number any number of times
            raise CheckpointError(f"{self.path}: {name} reaches outside its storage")
        strides = tuple(stride * dtype.itemsize for stride in stored.strides)
        return np.array(np.lib.stride_tricks.as_strided(flat[stored.offset :], stored.shape, strides))


def is_archive(path: Path) -> bool:
    """True for a TorchScript zip, False for one of `torch.save`.

    Raises CheckpointError for a zip bomb: zipfile and torch allocate as many bytes as a zip declares for its members.
    """
    with parsing(path, "a zip"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(entry.file_size for entry in members) > MAX_EXPANSION * path.stat().st_size:
            raise CheckpointError(
                f"{path} unpacks to many times its size, as weights never do; it may not fit into memory and is not unpacked"
            )
        return any(entry.filename.endswith("/constants.pkl") for entry in members)


class _Module:
    """Replaces every class of the archive's program: keeps attributes, has no methods."""

    def __setstate__(self, state: object) -> None:
        self.state = state


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    elements: int


@dataclass(frozen=True)
class _StorageType:
    dtype: str


def _tensor(
    storage: object, offset: object, shape: Iterable[int], strides: Iterable[int], *_requires_grad_and_hooks: object
) -> StoredTensor:
    if not isinstance(storage, _Storage) or not isinstance(offset, int):
        raise CheckpointError("a tensor without a storage")
    numbers = (tuple(shape), tuple(strides))
    if any(not isinstance(n, int) or n < 0 for part in numbers for n in part) or len(numbers[0]) != len(numbers[1]):
        raise CheckpointError("a tensor with an impossible shape")
    return StoredTensor(storage.key, storage.dtype, storage.elements, offset, *numbers)


def _ordered(*items: object) -> OrderedDict[str, object]:
    """Pickles fill it item by item; one with content at once is refused, as items would not be checked."""
    if items:
        raise CheckpointError("an OrderedDict that is made whole")
    return OrderedDict()


def _first(value: object, *_: object) -> object:
    return value


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch.jit._pickle", "build_intlist"): _first,
    ("torch.jit._pickle", "build_doublelist"): _first,
    ("torch.jit._pickle", "build_boollist"): _first,
    ("torch.jit._pickle", "build_tensorlist"): _first,
    ("torch.jit._pickle", "restore_type_tag"): _first,
    **{("torch", name): _StorageType(dtype) for name, dtype in STORAGES.items()},
}


class _Unpickler(pickle._Unpickler):
    """Based on Python's own unpickler. The one in C grows its memo to any number that a pickle names, and hashes any key, which
    takes forever for deeply nested tuples."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def load_setitems(self) -> None:
        self._set(self.pop_mark())  # type: ignore[attr-defined]

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _set(self, items: list[Any]) -> None:
        if len(items) % 2 or not isinstance(self.stack[-1], dict) or not all(isinstance(key, str | int) for key in items[::2]):
            raise CheckpointError("a dict of other things than names and values")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Module):
            raise CheckpointError("a state of something that is no module")
        self.stack[-1].__setstate__(state)

    def refuse(self) -> None:
        raise CheckpointError("something that no archive of modules and tensors holds")

    dispatch |= {pickle.SETITEM[0]: load_setitem, pickle.SETITEMS[0]: load_setitems, pickle.BUILD[0]: load_build}
    for opcode in (pickle.DICT, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX):
        dispatch[opcode[0]] = refuse

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if (module, name) in ALLOWED:
            return ALLOWED[module, name]
        raise CheckpointError(f"refuses to load {module}.{name}: a model's archive has no use for it")

    def persistent_load(self, reference: Any) -> _Storage:
        match reference:
            case ("storage", _StorageType(dtype=dtype), str(key), str(_), int(elements)) if key.isdigit():
                return _Storage(key, dtype, elements)
        raise CheckpointError("a reference of a kind that is not known")


def _walk(node: object, at: str, budget: Iterator[int]) -> Iterable[tuple[str, StoredTensor]]:
    """Names and tensors below a node. budget: counts nodes down, since modules may refer to each other in circles."""
    if not next(budget, 0):
        raise CheckpointError(f"more than {MAX_NODES} modules and tensors")
    state = getattr(node, "state", None)
    if isinstance(node, StoredTensor):
        yield at, node
    elif isinstance(node, _Module) and isinstance(state, dict):
        for name, child in state.items():
            yield from _walk(child, f"{at}.{name}" if at else str(name), budget)
