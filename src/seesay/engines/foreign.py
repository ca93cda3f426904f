"""Runs graphs that others exported, each called as its signature says, in ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seesay.engines.onnx import IMAGES, OnnxEngine
from seesay.engines.protocol import Capability
from seesay.errors import MissingCapability, ModelError
from seesay.models.fields import Modality
from seesay.models.signature import Mask, Signature


class ForeignEngine(OnnxEngine):
    """The graphs of `signatures`, whose files are in the folder. They have no dense output."""

    capabilities: frozenset[Capability] = frozenset(("image", "text"))

    def __init__(
        self, folder: Path, signatures: Mapping[Modality, Signature], *, threads: int | None = None, spin: bool = True
    ) -> None:
        super().__init__(folder, threads=threads, spin=spin)
        self._signatures = signatures

    def sharing(self, concurrent_runs: int = 1) -> "ForeignEngine":
        """As that of `OnnxEngine`."""
        threads = -(-self._threads // concurrent_runs)
        engine = ForeignEngine(self._folder, self._signatures, threads=threads, spin=False)
        engine.concurrent_runs = concurrent_runs
        return engine

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        signature = self._signature("image")
        return self._rows("image", {signature.input: pixels.astype(signature.dtype)}, IMAGES)

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability(
            "this model's image tower is a graph that others exported; it gives no features per patch. The model's own weights "
            "(.safetensors, .pt) do: load them instead"
        )

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        return self._rows("text", text_inputs(ids, self._signature("text")), len(ids))

    def output(self, tower: Modality, name: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Any output of a tower's graph, from all of its inputs, as float32."""
        return self._run(tower, name, inputs)

    def _rows(self, tower: Modality, inputs: dict[str, np.ndarray], most: int) -> np.ndarray:
        """Runs of at most so many rows, or of the graph's own number, whose last one is filled up with copies of a row."""
        signature = self._signature(tower)
        count = len(next(iter(inputs.values())))
        step = signature.batch or max(most, 1)
        results = [np.empty((0, signature.width), dtype=np.float32)]
        for start in range(0, count, step):
            part = {name: values[start : start + step] for name, values in inputs.items()}
            missing = step - len(part[signature.input]) if signature.batch else 0
            if missing:
                part = {name: np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) for name, rows in part.items()}
            result = self._run(tower, signature.output, part)
            expected = (len(part[signature.input]), signature.width or result.shape[-1])
            if result.shape != expected:
                raise ModelError(f"{self._file(tower)} gives an output {result.shape}, expected {expected}")
            results.append(result[: len(result) - missing])
        return np.concatenate(results[bool(count) :])

    def _file(self, tower: Modality) -> Path:
        return self._folder / self._signature(tower).file

    def _signature(self, tower: Modality) -> Signature:
        for modality, signature in self._signatures.items():
            if modality == tower:
                return signature
        raise MissingCapability(f"this model has no {tower} tower")


def text_inputs(ids: np.ndarray, signature: Signature) -> dict[str, np.ndarray]:
    """ids (B, L) -> the inputs of a text graph by name."""
    inputs = {signature.input: ids.astype(signature.dtype)}
    if (mask := signature.mask) is not None:
        inputs[mask.input] = attention_mask(ids, mask).astype(mask.dtype)
    return inputs


def attention_mask(ids: np.ndarray, mask: Mask) -> np.ndarray:
    """ids (B, L) -> (B, L) bool: false for the padding that ends a text."""
    padding = np.logical_and.accumulate(ids[:, ::-1] == mask.pad_id, axis=1)[:, ::-1]
    if mask.ends_with_pad:  # the first of the pad ids at the end is the text's own
        padding = padding & np.pad(padding, ((0, 0), (1, 0)))[:, :-1]
    return ~padding
