"""Features of a frozen tower, computed once per image or text, so that training its projection never runs the tower."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch

from seesay.engines.onnx import OnnxEngine
from seesay.errors import UnreadableImage
from seesay.models.clip import Clip
from seesay.models.graphs import cache_graph
from seesay.models.layers.groups import names_in
from seesay.models.layers.tower import Tower
from seesay.models.samples import sample_ids
from seesay.system.cpu import available_cores
from seesay.system.files import read_arrays, write_arrays
from seesay.system.prefetch import prefetch

BATCH = 16
VIEW = "\n"  # separates an image's path from the number of its view in a key
Advance = Callable[[int], None]  # called with the number of items that were just finished


@dataclass(frozen=True)
class FrozenFeatures:
    """Features by key: `values` (N, F), in the tower's `cache_dtype`. rows: key -> row. faults: key -> why it has none."""

    rows: dict[str, int]
    values: np.ndarray
    faults: dict[str, str]

    def __getitem__(self, key: str) -> np.ndarray:
        """(F,). Raises UnreadableImage."""
        if key in self.faults:
            raise UnreadableImage(key, self.faults[key])
        row: np.ndarray = self.values[self.rows[key]]
        return row


def frozen_features(
    keys: Sequence[str],
    prepare: Callable[[str], Any],
    encode: Callable[[list[Any]], np.ndarray],
    file: Path,
    identity: str,
    advance: Advance,
) -> FrozenFeatures:
    """Features of every key: `encode` of a batch of what `prepare` returns for each key.

    Batches are fixed, so that the features are the same bits each time. They are read from `file` if it was made of the same
    keys, files and weights (`identity`), and stored there otherwise. Keys whose preparation raises UnreadableImage get a fault.
    """
    digest = _digest(identity, keys)
    stored = read_arrays(file)
    if stored is not None and str(stored["digest"]) == digest:
        advance(len(keys))
        entries = json.loads(stored["keys"].tobytes())
        return FrozenFeatures(_rows(entries["good"]), stored["values"], entries["faults"])
    good: list[str] = []
    faults: dict[str, str] = {}
    values: list[np.ndarray] = []
    batch: list[Any] = []
    for key, result in zip(keys, _prepared(keys, prepare), strict=True):
        advance(1)
        if isinstance(result, UnreadableImage):
            faults[key] = result.reason
            continue
        good.append(key)
        batch.append(result)
        if len(batch) == BATCH:
            values.append(encode(batch))
            batch = []
    if batch:
        values.append(encode(batch))
    features = FrozenFeatures(_rows(good), np.concatenate(values) if values else np.empty((0, 0)), faults)
    content = json.dumps({"good": good, "faults": faults}).encode()  # an array of str would pad each to the longest
    write_arrays(file, digest=np.array(digest), keys=np.frombuffer(content, dtype=np.uint8), values=features.values)
    return features


def _rows(keys: Sequence[str]) -> dict[str, int]:
    return {key: row for row, key in enumerate(keys)}


def frozen_identity(tower: Tower, spec: object, after: int) -> str:
    """A digest of everything but the image or text that frozen features depend on: the preparation (`spec`), and the weights of
    all but the last `after` groups, whose input the features are and which may learn."""
    total = hashlib.sha256(repr(spec).encode())
    groups = tower.groups()
    learning = {name for group in groups[len(groups) - after :] for name in names_in(tower, group)}
    for name, tensor in tower.state_dict().items():
        if name not in learning:
            total.update(name.encode())
            total.update(tensor.detach().cpu().contiguous().numpy().data)
    return total.hexdigest()


def frozen_encoder(
    clip: Clip, side: Literal["image", "text"], device: torch.device, *, whole: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """`cache_encoder` of one of the towers; if the `whole` of it is frozen, its embeddings (N, dim)."""
    encode, tower = cache_encoder(clip, side, device), getattr(clip, side)

    def embeddings(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            array: np.ndarray = tower.from_cache(torch.from_numpy(encode(inputs)).to(device)).float().cpu().numpy()
        return array

    return embeddings if whole else encode


def cache_encoder(clip: Clip, side: Literal["image", "text"], device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    """`Tower.cache_values` of one of the towers, as a function: pixels or ids -> (N, F).

    On a CPU ONNX Runtime computes them, in a third of torch's time.
    """
    tower: Tower = getattr(clip, side)
    if device.type != "cpu":

        def by_torch(inputs: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                array: np.ndarray = tower.cache_values(torch.from_numpy(inputs).to(device)).cpu().numpy()
            return array

        return by_torch
    weights = {name: tensor.detach().contiguous().numpy() for name, tensor in tower.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(cache_graph(tower.config, weights), Path(folder) / f"{side}.onnx")
        engine = OnnxEngine(Path(folder))
        encode = engine.encode_pixels if side == "image" else engine.encode_tokens
        encode(_sample_input(tower.config, side))  # opens the graph while its file exists
    return lambda inputs: encode(inputs).astype(tower.cache_dtype, copy=False)


def _sample_input(config: Any, side: str) -> np.ndarray:
    if side == "image":
        return np.zeros((1, 3, config.image_px, config.image_px), dtype=np.float32)
    return sample_ids(config, np.random.default_rng(0))[0]


def _prepared(keys: Sequence[str], prepare: Callable[[str], Any]) -> Iterator[Any]:
    def prepared(key: str) -> Any:
        try:
            return prepare(key)
        except UnreadableImage as error:
            return error

    return prefetch(prepared, keys, threads=available_cores(), ahead=4 * BATCH)


def _digest(identity: str, keys: Sequence[str]) -> str:
    """A digest of the keys, of the sizes and times of files among them, and of `identity`."""
    total = hashlib.sha256(identity.encode())
    for key in keys:
        total.update(key.encode("utf-8", "surrogatepass"))
        with suppress(OSError, ValueError):  # a text, a URL, a missing file
            about = os.stat(key.partition(VIEW)[0])
            total.update(f"{about.st_size} {about.st_mtime_ns}".encode())
    return total.hexdigest()
