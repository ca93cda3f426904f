"""A head: a linear probe in a file, which classifies the vectors of the model that it was trained on."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seesay.errors import InputError, ModelError
from seesay.models.logits import softmax
from seesay.system.files import atomic_write, write_npz
from seesay.system.paths import printable

MOST_BYTES = 1 << 30
DAMAGE = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Head:
    """names: C classes. weight (C, D), bias (C,) float32: their softmax is the probability of each class. space_id, model: of
    the vectors that it was trained on."""

    names: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    space_id: str
    model: str

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[:1] != self.bias.shape or len(self.names) != len(self.bias):
            shapes = f"{self.weight.shape}, {self.bias.shape} and {len(self.names)} names"
            raise InputError(f"expected a weight (C, D), a bias (C,) and C names, got {shapes}")
        if len(self.names) < 2 or not np.isfinite(self.weight).all() or np.isnan(self.bias).any():
            raise InputError("expected finite numbers for at least two classes, got others")

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Unit vectors (N, D) -> probabilities (N, C) float32. Raises InputError for vectors of another dimension."""
        if vectors.ndim != 2 or vectors.shape[1] != self.weight.shape[1]:
            raise InputError(f"expected vectors (N, {self.weight.shape[1]}), got {vectors.shape}")
        logits = vectors.astype(np.float64) @ self.weight.T.astype(np.float64) + self.bias
        return softmax(logits).astype(np.float32)

    def check_space(self, space_id: str, model: str) -> None:
        """Raises InputError for a model of another space."""
        if space_id != self.space_id:
            raise InputError(
                f"this head was trained on {self.model!r}, space {self.space_id}; {model!r} is space {space_id}. "
                "Name the model that it was trained on with --model"
            )


def write_head(file: Path, head: Head) -> None:
    """Writes a head as .npz, in one step. Raises InputError for another ending, ModelError where it cannot be written."""
    if file.suffix != ".npz":
        raise InputError(f"expected a file that ends in .npz, got {printable(file)}")
    texts = {name: np.array(getattr(head, name)) for name in ("space_id", "model", "names")}
    try:
        with atomic_write(file) as draft:
            write_npz(draft, {"weight": head.weight, "bias": head.bias, **texts})
    except OSError as error:
        raise ModelError(f"cannot write {printable(file)}: {error.strerror or error}") from None


def read_head(file: Path) -> Head:
    """Reads a head; nothing in the file is executed. Raises ModelError for a file that is none."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ModelError(f"{printable(file)} is too large for a head")
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names = tuple(map(str, archive["names"].tolist()))
            weight, bias = (np.asarray(archive[key], dtype=np.float32) for key in ("weight", "bias"))
            return Head(names, weight, bias, str(archive["space_id"]), str(archive["model"]))
    except OSError as error:
        raise ModelError(f"{printable(file)} cannot be read: {error.strerror or error}") from None
    except DAMAGE as error:
        raise ModelError(f"{printable(file)} is no head, as seesay probe writes it: {error}") from None
