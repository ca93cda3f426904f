"""Writes ONNX graphs node by node, so that every initializer keeps its tower's name and layout.

So a graph can point into `model.safetensors` instead of holding the weights again, and torch can read a graph that holds its
own (`checkpoints.containers.graph_weights`). Export takes a second or two, where tracing takes half a minute and renames the
weights that it transposes.

How weights are stored; inputs and outputs are always float32:
  float32    As they are.
  float16    Followed by Cast, which ONNX Runtime folds when it opens the graph.
  int8       Linear layers as MatMulNBits (an ONNX Runtime operator): 8 bits, one scale per 32 inputs of each output.
             Activations are rounded to 8 bits too, but in blocks within a row, so that a vector never depends on its
             batch-mates, as it would with DynamicQuantizeLinear, whose one scale spans the batch. Tables: one scale per row.
             Convolutions: one scale per output, dequantized when ONNX Runtime opens the graph.
  int8-rows  Linear layers as products of 8-bit integers: one scale per output for weights, one per row (a token, a patch) for
             activations. Two to four times the speed of float32 where there are many rows; rows stay independent here too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seesay.models.fields import BlockActivation, Projection

Storage = Literal["float32", "float16", "int8", "int8-rows"]
Weights = Mapping[str, np.ndarray]
Ranges = Mapping[str, tuple[float, float]]  # least and largest value of maps, by name

OPSET = 20  # Gelu arrived in 20, LayerNormalization in 17
IR_VERSION = 10
ORT_DOMAIN = "com.microsoft"
BLOCK = 32
SMALLEST = np.float32(1e-12)
# Processors without VNNI add pairs of products in 16 bits, and 255 * 127 * 2 does not fit; 255 * 64 * 2 does.
WEIGHT_LEVELS = 64
KERNEL_LEVELS = 127  # of convolutions that are computed in float32
LOWEST = float(np.finfo(np.float32).min)  # for what attention may not see


@dataclass(frozen=True)
class ExternalWeights:
    """Weights in a file beside the graph; spans: name -> (offset, length) in bytes."""

    file: str
    spans: Mapping[str, tuple[int, int]]


class GraphBuilder:
    """Collects nodes and initializers; methods that add nodes return the name of their output.

    Tokens and patches are rows: the stream of a transformer is (batch * length, width), so that a linear layer is one Gemm,
    whose weights stay (out, in). prefix: of the tower's names in `external`. ranges: of the tower's maps, where it is to
    compute them in 8 bits.
    """

    def __init__(
        self,
        weights: Weights,
        storage: Storage,
        *,
        external: ExternalWeights | None = None,
        prefix: str = "",
        ranges: Ranges | None = None,
    ) -> None:
        self.weights, self.storage, self.external, self.prefix, self.ranges = weights, storage, external, prefix, ranges
        self.nodes: list[onnx.NodeProto] = []
        self.node_count = 0  # nodes in branches included, so that every name is unique
        self.initializers: list[onnx.TensorProto] = []
        self.initialized: set[str] = set()
        self.float_values: dict[str, str] = {}  # of stored weights, by the weight's name
        self.constants: dict[tuple[object, ...], str] = {}
        self.quantized_rows: dict[str, tuple[str, str]] = {}
        self.optional_inputs: dict[str, np.ndarray] = {}  # with their values where nobody gives any
        self.extended = storage.startswith("int8")  # whether operators of ONNX Runtime are used

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds one node; `output` names its output, which otherwise gets a new name."""
        self.node_count += 1
        name = output or f"{op.lower()}_{self.node_count}"
        self.extended |= "domain" in attributes
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: float | list[int], dtype: type = np.float32) -> str:
        """An initializer with this value, shared by all nodes that use the same."""
        key = (dtype, *np.ravel(value).tolist(), np.ndim(value))
        if key not in self.constants:
            name = f"constant_{len(self.constants)}"
            self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
            self.constants[key] = name
        return self.constants[key]

    def ints(self, *values: int) -> str:
        """A constant of int64 values (N,)."""
        return self.constant(list(values), np.int64)

    # Weights

    def weight(self, name: str) -> str:
        """A weight as a float32 value. Vectors (biases, norms) are small and always stored in float32."""
        if name not in self.float_values:
            value = self.weights[name]
            if value.ndim < 2 or self.storage == "float32":
                self.float_values[name] = self.stored(value, name)
            else:
                self.float_values[name] = self.node("Cast", self.stored(value.astype(np.float16), name), to=TensorProto.FLOAT)
        return self.float_values[name]

    def kernel(self, name: str) -> str:
        """A convolution's weights (out, in / groups, height, width) as a float32 value."""
        if not self.storage.startswith("int8"):
            return self.weight(name)
        if name not in self.float_values:
            levels, scale = self.kernel_levels(name, KERNEL_LEVELS)
            # Plain operators, which ONNX Runtime computes once, when it opens the graph.
            floats = self.node("Cast", levels, to=TensorProto.FLOAT)
            self.float_values[name] = self.node("Mul", floats, self.node("Reshape", scale, self.ints(-1, 1, 1, 1)))
        return self.float_values[name]

    def kernel_levels(self, name: str, largest: int, least: np.ndarray | float = 0.0) -> tuple[str, str]:
        """A convolution's weights as int8 levels from -largest to largest, and their scales (out,), which are at least
        `least`."""
        scale = self.kernel_scale(name, largest, least)
        levels = np.rint(self.weights[name] / scale[:, None, None, None]).astype(np.int8)
        return self.stored(levels, name), self.stored(scale, f"{name}.scale")

    def kernel_scale(self, name: str, largest: int, least: np.ndarray | float = 0.0) -> np.ndarray:
        """The value of one level for each output: (out,) float32."""
        values = np.maximum(np.abs(self.weights[name]).max(axis=(1, 2, 3)), SMALLEST)
        return np.asarray(np.maximum(values / largest, least), dtype=np.float32)

    def stored(self, value: np.ndarray, name: str) -> str:
        """An initializer of this name, added once however often it is used; external where the file beside the graph has it."""
        if name in self.initialized:
            return name
        self.initialized.add(name)
        span = self.external.spans.get(self.prefix + name) if self.external else None
        if self.external is None or span is None or value.dtype != np.float32:
            self.initializers.append(numpy_helper.from_array(value, name))
            return name
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=value.shape, data_location=TensorProto.EXTERNAL)
        for key, text in (("location", self.external.file), ("offset", str(span[0])), ("length", str(span[1]))):
            tensor.external_data.add(key=key, value=text)
        self.initializers.append(tensor)
        return name

    def table(self, name: str, ids: str) -> str:
        """Rows of an embedding table, dequantized after the look-up, so that the table stays quantized in memory."""
        value = self.weights[name]
        if not self.storage.startswith("int8"):
            dtype = np.float16 if self.storage == "float16" else np.float32
            rows = self.node("Gather", self.stored(value.astype(dtype, copy=False), name), ids)
            return rows if self.storage == "float32" else self.node("Cast", rows, to=TensorProto.FLOAT)
        scale = np.maximum(np.abs(value).max(axis=1, keepdims=True), SMALLEST) / 127
        rows = self.node("Gather", self.stored(np.rint(value / scale).astype(np.int8), name), ids)
        scales = self.node("Gather", self.stored(scale, f"{name}.scale"), ids)
        return self.node("Mul", self.node("Cast", rows, to=TensorProto.FLOAT), scales)

    # Layers

    def linear(self, x: str, name: str, *, output: str = "") -> str:
        """x (rows, in) @ weight.T, plus the bias if the layer has one -> (rows, out)."""
        bias = [self.weight(f"{name}.bias")] if f"{name}.bias" in self.weights else []
        if self.storage == "int8-rows":
            y = self._linear_rows(x, f"{name}.weight", output="" if bias else output)
            return self.node("Add", y, bias[0], output=output) if bias else y
        if self.storage != "int8" or self.weights[f"{name}.weight"].shape[1] % BLOCK:
            return self.node("Gemm", x, self.weight(f"{name}.weight"), *bias, output=output, transB=1)
        y = self._linear_blocks(x, f"{name}.weight", output="" if bias else output)
        return self.node("Add", y, bias[0], output=output) if bias else y

    def _linear_blocks(self, x: str, name: str, *, output: str) -> str:
        outputs, inputs = self.weights[name].shape
        blocks = self.weights[name].reshape(outputs, inputs // BLOCK, BLOCK)
        scale = np.maximum(np.abs(blocks).max(axis=2, keepdims=True), SMALLEST) / 127
        levels = (np.rint(blocks / scale) + 128).astype(np.uint8)  # 128 stands for zero
        return self.node(
            "MatMulNBits",
            x,
            self.stored(levels, name),
            self.stored(scale[:, :, 0], f"{name}.scale"),
            output=output,
            domain=ORT_DOMAIN,
            K=inputs,
            N=outputs,
            bits=8,
            block_size=BLOCK,
            accuracy_level=4,
        )

    def _linear_rows(self, x: str, name: str, *, output: str) -> str:
        levels, largest = self._quantized_rows(x)
        value = self.weights[name]
        scale = np.maximum(np.abs(value).max(axis=1), SMALLEST) / WEIGHT_LEVELS
        transposed = np.ascontiguousarray(np.rint(value / scale[:, None]).astype(np.int8).T)  # MatMulInteger takes (in, out)
        product = self.node(
            "MatMulIntegerToFloat",
            levels,
            self.stored(transposed, name),
            self.constant(1 / 127),
            self.stored(scale, f"{name}.scale"),
            self.constant(128, np.uint8),
            domain=ORT_DOMAIN,
        )
        return self.node("Mul", product, largest, output=output)

    def _quantized_rows(self, x: str) -> tuple[str, str]:
        """x (rows, in) as levels around 128, and the value (rows, 1) of 127 levels; computed once for all layers that read x.

        A row of zeros needs no special case: its levels, from 0 / 0, are multiplied by 0.
        """
        if x not in self.quantized_rows:
            largest = self.node("ReduceMax", self.node("Abs", x), self.ints(1))
            levels = self.node(
                "QuantizeLinear", self.node("Div", x, largest), self.constant(1 / 127), self.constant(128, np.uint8)
            )
            self.quantized_rows[x] = (levels, largest)
        return self.quantized_rows[x]

    def layer_norm(self, x: str, name: str, eps: float) -> str:
        """Layer norm over the last axis."""
        parts = (self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))
        return self.node("LayerNormalization", x, *parts, axis=-1, epsilon=eps)

    def batch_norm(self, x: str, name: str, eps: float = 1e-5) -> str:
        """Batch norm with its running statistics, which ONNX Runtime folds into the convolution before it."""
        parts = (self.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
        return self.node("BatchNormalization", x, *parts, epsilon=eps)

    def projection(self, x: str, kind: Projection, *, output: str = "") -> str:
        """The tower's `projection`: x (rows, width) -> (rows, dim)."""
        if kind == "none":
            return self.node("Identity", x, output=output)
        if kind == "mlp":
            x = self.activation(self.linear(x, "projection.up"), "gelu")
        return self.linear(x, "projection.down" if kind == "mlp" else "projection", output=output)

    def activation(self, x: str, kind: BlockActivation) -> str:
        """The activation of this name, element by element."""
        if kind == "quick_gelu":
            return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, self.constant(1.702))))
        if kind == "relu":
            return self.node("Relu", x)
        return self.node("Gelu", x, approximate="tanh" if kind == "gelu_tanh" else "none")

    def masked_mean(self, rows: str, present: str, *, empty: float | None = None) -> str:
        """The mean (B, W) of rows (B, L, W) where present (B, L) is 1. empty: the divisor of a text without any, else a
        division by zero."""
        weight = self.node("Unsqueeze", present, self.ints(2))
        total = self.node("ReduceSum", self.node("Mul", rows, weight), self.ints(1), keepdims=0)
        count = self.node("ReduceSum", weight, self.ints(1), keepdims=0)
        return self.node("Div", total, count if empty is None else self.node("Max", count, self.constant(empty)))

    def on_request(self, output: str, shape: list[int], build: Callable[[], str]) -> None:
        """Adds an output (B, *shape) that is computed only where the input `with_{output}` is true, and has no rows otherwise.

        Without the condition ONNX Runtime would compute it at every run: it does not prune nodes whose output nobody fetches.
        """
        outer, float_values, quantized = self.nodes, dict(self.float_values), dict(self.quantized_rows)
        branches = {}
        for branch in ("then", "else"):
            self.nodes = []
            value = build() if branch == "then" else self.node("ConstantOfShape", self.ints(0, *shape))
            result = self.node("Identity", value, output=f"{output}_{branch}")
            info = helper.make_tensor_value_info(result, TensorProto.FLOAT, [None, *shape])
            branches[f"{branch}_branch"] = helper.make_graph(self.nodes, branch, [], [info])
        # Values that were made inside a branch do not exist outside it.
        self.nodes, self.float_values, self.quantized_rows = outer, float_values, quantized
        self.optional_inputs[f"with_{output}"] = np.array(False)
        self.node("If", f"with_{output}", output=output, **branches)

    def optional_rows(self, name: str, width: int) -> str:
        """An input (any number of rows, width) float32, which is one row of zeros where nobody gives it."""
        self.optional_inputs[name] = np.zeros((1, width), dtype=np.float32)
        return name

    def starts(self, batch: str, length: int | str) -> str:
        """The number of each item's first row among rows (B * length): (B,) int64. batch: the name of a (1,) value."""
        return self.node("Mul", self.range(batch), self.ints(length) if isinstance(length, int) else length)

    def range(self, count: str) -> str:
        """0 ... count - 1, int64. count: the name of a (1,) value."""
        return self.node(
            "Range", self.constant(0, np.int64), self.node("Squeeze", count, self.ints(0)), self.constant(1, np.int64)
        )

    def shape(self, *sides: int | str) -> str:
        """A shape for Reshape or Expand, of numbers and names of (1,) values."""
        if all(isinstance(side, int) for side in sides):
            return self.ints(*(side for side in sides if isinstance(side, int)))
        return self.node("Concat", *(self.ints(side) if isinstance(side, int) else side for side in sides), axis=0)

    def model(self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The whole graph; its optional inputs are false or zero by default."""
        defaults = [numpy_helper.from_array(value, name) for name, value in self.optional_inputs.items()]
        optional = [
            helper.make_tensor_value_info(
                each.name, each.data_type, [f"rows of {each.name}", *each.dims[1:]] if each.dims else []
            )
            for each in defaults
        ]
        graph = helper.make_graph(self.nodes, name, [*inputs, *optional], outputs, [*self.initializers, *defaults])
        opsets = [helper.make_opsetid("", OPSET)]
        if self.extended:
            opsets.append(helper.make_opsetid(ORT_DOMAIN, 1))
        model = helper.make_model(graph, opset_imports=opsets, producer_name="seesay")
        model.ir_version = IR_VERSION
        return model
