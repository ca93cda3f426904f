"""What a locked tower makes of each picture or text, made once: training its projection then costs no tower at all."""

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
from torch import nn

from seesay.checkpoints.export import sample_ids
from seesay.engines.onnx import OnnxEngine
from seesay.errors import UnreadableImage
from seesay.models.clip import Clip
from seesay.models.graphs import cache_graph
from seesay.models.layers.groups import names_in
from seesay.models.layers.tower import Tower
from seesay.system.cpu import available_cores
from seesay.system.files import read_arrays, write_arrays
from seesay.system.prefetch import prefetch

BATCH = 16
VIEW = "\n"  # in a key, between a picture's file and the number of the view of it
Progress = Callable[[int], None]  # told how many more are done


@dataclass(frozen=True)
class Frozen:
    """Features (N, F), float32 or of a trunk float16, by key; `faults` are the keys that have none, with the reason."""

    rows: dict[str, int]
    values: np.ndarray
    faults: dict[str, str]

    def __getitem__(self, key: str) -> np.ndarray:
        """(F,). Raises UnreadableImage."""
        if key in self.faults:
            raise UnreadableImage(key, self.faults[key])
        row: np.ndarray = self.values[self.rows[key]]
        return row


def make_frozen(
    keys: Sequence[str],
    prepare: Callable[[str], Any],
    features: Callable[[list[Any]], np.ndarray],
    file: Path,
    identity: str,
    progress: Progress,
) -> Frozen:
    """`features` of what `prepare` makes of every key, in fixed batches, so that they are the same bits however often they are
    made. Read from `file` where it was made of the same keys, files and weights (`identity`). A key whose preparation raises
    UnreadableImage has none."""
    wanted = _digest(identity, keys)
    stored = read_arrays(file)
    if stored is not None and str(stored["digest"]) == wanted:
        progress(len(keys))
        known = json.loads(stored["keys"].tobytes())
        return Frozen({key: row for row, key in enumerate(known["good"])}, stored["values"], known["faults"])
    good: list[str] = []
    faults: dict[str, str] = {}
    values: list[np.ndarray] = []
    batch: list[Any] = []
    for key, result in zip(keys, _prepared(keys, prepare), strict=True):
        progress(1)
        if isinstance(result, UnreadableImage):
            faults[key] = result.reason
            continue
        good.append(key)
        batch.append(result)
        if len(batch) == BATCH:
            values.append(features(batch))
            batch = []
    if batch:
        values.append(features(batch))
    made = Frozen({key: row for row, key in enumerate(good)}, np.concatenate(values) if values else np.empty((0, 0)), faults)
    known_keys = json.dumps({"good": good, "faults": faults}).encode()  # an array of str would pad each to the longest
    write_arrays(file, digest=np.array(wanted), keys=np.frombuffer(known_keys, dtype=np.uint8), values=made.values)
    return made


def frozen_identity(tower: nn.Module, spec: object, after: int = 1) -> str:
    """Of everything that frozen values depend on, the picture or text aside: the weights of all but the last `after` groups,
    which take those values and may learn."""
    total = hashlib.sha256(repr(spec).encode())
    learning = {name for group in tower.groups()[-after:] for name in names_in(tower, group)}  # type: ignore[operator]
    for name, tensor in tower.state_dict().items():
        if name not in learning:
            total.update(name.encode())
            total.update(tensor.detach().cpu().contiguous().numpy().data)
    return total.hexdigest()


def cache_encoder(clip: Clip, side: Literal["image", "text"], device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    """`Tower.cache_values` of one of the towers: pixels or ids -> (N, F). On a CPU ONNX Runtime computes them, in a third of
    torch's time."""
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
        encode(_any_input(tower.config, side))  # opened while its file is there
    return lambda inputs: encode(inputs).astype(tower.cache_dtype, copy=False)


def _any_input(config: Any, side: str) -> np.ndarray:
    if side == "image":
        return np.zeros((1, 3, config.image_px, config.image_px), dtype=np.float32)
    return sample_ids(config, np.random.default_rng(0))[0]


def _prepared(keys: Sequence[str], prepare: Callable[[str], Any]) -> Iterator[Any]:
    def one(key: str) -> Any:
        try:
            return prepare(key)
        except UnreadableImage as error:
            return error

    return prefetch(one, keys, threads=available_cores(), ahead=4 * BATCH)


def _digest(identity: str, keys: Sequence[str]) -> str:
    total = hashlib.sha256(identity.encode())
    for key in keys:
        total.update(key.encode("utf-8", "surrogatepass"))
        with suppress(OSError, ValueError):  # a text, a URL, a picture that is not there
            about = os.stat(key.partition(VIEW)[0])
            total.update(f"{about.st_size} {about.st_mtime_ns}".encode())
    return total.hexdigest()
