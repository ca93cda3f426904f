"""Reads the weights inside an ONNX graph, so that torch can run a model that ships as graphs only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seesay.checkpoints.containers.parsing import parsing
from seesay.engines import external_data
from seesay.errors import MissingExtra


def read_weights(graph: Path) -> dict[str, np.ndarray]:
    """Every named weight of an .onnx file as float32, dequantized. Linear weights are (out, in). Needs the extra `torch`.

    float16 is widened. A quantized weight `w` has its scales in `w.scale`:
    int8 (rows, columns) with one scale per row (rows, 1);
    int8 transposed, (in, out), with one scale per output (out,);
    uint8 (out, blocks, block) around 128 with one scale per block, as ONNX Runtime's MatMulNBits stores it;
    int8 of a convolution (out, in, height, width), and int32 of its bias, with one scale per output (out,).
    Raises MissingExtra, CheckpointError.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise MissingExtra("reading a graph's weights", "torch") from None
    external_data.check(graph)
    with parsing(graph, "a graph"):
        return _dequantized(onnx.load(graph).graph, numpy_helper.to_array)


def _dequantized(graph: Any, to_array: Callable[[Any], np.ndarray]) -> dict[str, np.ndarray]:
    defaults = {value.name for value in graph.input}  # default values of inputs
    stored = {tensor.name: to_array(tensor) for tensor in graph.initializer if tensor.name not in defaults}
    weights = {}
    for name, value in stored.items():
        if name.startswith("constant_") or name.endswith(".scale"):
            continue
        if value.dtype == np.uint8:
            levels = value.astype(np.float32) - 128
            weights[name] = (levels * stored[f"{name}.scale"][:, :, None]).reshape(len(value), -1)
        elif value.dtype == np.int32:
            weights[name] = value.astype(np.float32) * stored[f"{name}.scale"]
        elif value.dtype == np.int8:
            scale = stored[f"{name}.scale"]
            if value.ndim == 4:
                weights[name] = value.astype(np.float32) * scale[:, None, None, None]
            else:
                scaled = value.astype(np.float32) * scale
                weights[name] = scaled.T if scale.ndim == 1 else scaled
        else:
            weights[name] = value.astype(np.float32)
    return weights
