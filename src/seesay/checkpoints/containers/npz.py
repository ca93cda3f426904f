"""Reads arrays of an `.npz` file, as numpy and JAX programs save them. Arrays of objects, which are pickles, are refused."""

import math
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from seesay.checkpoints.containers.parsing import parsing
from seesay.errors import CheckpointError, MissingExtra

if TYPE_CHECKING:
    from torch import Tensor

END = ".npy"
MAX_HEADER = 10_000  # bytes, numpy's own limit
BFLOAT16 = "V2"  # numpy has no such type, and saves it as two bytes of anything
DTYPES = {"f8": "float64", "f4": "float32", "f2": "float16", BFLOAT16: "bfloat16", "i8": "int64", "i4": "int32"}


class Npz:
    """The arrays of a file by name: shapes and dtypes at once, values on demand."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.arrays: dict[str, tuple[tuple[int, ...], str]] = {}
        with parsing(file, "an .npz file"), zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    shape, dtype = _header(stream)
                    size = stream.tell() + math.prod(shape) * dtype.itemsize
                kind = dtype.str.lstrip("<|=")
                if kind not in DTYPES:
                    raise CheckpointError(
                        f"{file}: {member.filename} has values of the type {dtype}, not numbers that weights have"
                    )
                if size != member.file_size:
                    raise CheckpointError(f"{file}: {member.filename} is {member.file_size} bytes long and should be {size}")
                self.arrays[member.filename.removesuffix(END)] = (shape, DTYPES[kind])

    def read(self, name: str) -> "Tensor":
        """One array as a tensor on the CPU."""
        try:
            import torch
        except ImportError:
            raise MissingExtra("reading a checkpoint", "torch") from None
        with parsing(self.file, "an .npz file"), zipfile.ZipFile(self.file) as archive, archive.open(name + END) as stream:
            value = np.ascontiguousarray(np.lib.format.read_array(stream, allow_pickle=False, max_header_size=MAX_HEADER))
        if self.arrays[name][1] == "bfloat16":
            return torch.from_numpy(value.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(value)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """An array's shape and dtype, before its values."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream, max_header_size=MAX_HEADER)
    return shape, dtype


def is_npz(path: Path) -> bool:
    """True for a zip of arrays."""
    with parsing(path, "a zip"), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return bool(names) and all(name.endswith(END) for name in names)
