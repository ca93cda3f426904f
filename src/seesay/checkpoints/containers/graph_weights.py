"""The weights inside a graph, as float32 arrays by tower name: what lets torch use a model that ships as graphs only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seesay.checkpoints.containers.border import reading
from seesay.engines import external_data
from seesay.errors import MissingExtra


def read_weights(graph: Path) -> dict[str, np.ndarray]:
    """Every named weight of an .onnx file -> float32, dequantised. Linear weights are (out, in). Needs the extra `torch`.

    float16 is widened. A narrow weight `w` comes with `w.scale`: int8 with one scale per row (rows, 1); int8 turned (in, out)
    with one scale per output (out,); uint8 (out, blocks, block) around 128 with one scale per block, as ONNX Runtime's
    MatMulNBits stores it; of a convolution int8 (out, in, height, width), and int32 of its bias, with one scale per output
    (out,).
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise MissingExtra("reading a graph's weights", "torch") from None
    external_data.check(graph)
    with reading(graph, "a graph"):
        return _dequantised(onnx.load(graph).graph, numpy_helper.to_array)


def _dequantised(read: Any, to_array: Callable[[Any], np.ndarray]) -> dict[str, np.ndarray]:
    defaults = {value.name for value in read.input}  # of inputs that nobody needs to give
    stored = {tensor.name: to_array(tensor) for tensor in read.initializer if tensor.name not in defaults}
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
                wide = value.astype(np.float32) * scale
                weights[name] = wide.T if scale.ndim == 1 else wide
        else:
            weights[name] = value.astype(np.float32)
    return weights
