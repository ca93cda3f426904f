"""Writing ONNX graphs node by node, so that every initialiser keeps its tower's name and layout.

That is what lets a graph point into `model.safetensors` instead of holding the weights again, and torch read a graph that
holds its own (`checkpoints.graph_weights`). It also keeps export to a second or two, where tracing takes half a minute and
renames the weights that it turns.

Storage, always with float32 in and out:
  float32  as is.
  float16  followed by Cast, which ONNX Runtime folds away when it opens the graph.
  int8     linear layers as MatMulNBits (an ONNX Runtime operator): 8 bits, one scale per 32 inputs of each output. Activations
           are rounded to 8 bits too, but block by block within a row, so a vector never depends on what shares its batch, as
           it would with DynamicQuantizeLinear, whose one scale spans the batch. Tables: one scale per row. EfficientNet's
           convolutions: one scale per output, widened when ONNX Runtime opens the graph.
  int8-rows  linear layers as products of 8-bit integers: one scale per output for weights, one per row (a token, a patch) for
           activations. Two to four times the speed of float32 where there are many rows; again no row sees another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seesay.models.families.bert.config import Gate
from seesay.models.fields import Activation, Projection

Storage = Literal["float32", "float16", "int8", "int8-rows"]
Weights = Mapping[str, np.ndarray]

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
class Outside:
    """Weights that lie in a file beside the graph: name -> (offset, length) in bytes."""

    file: str
    places: Mapping[str, tuple[int, int]]


class GraphBuilder:
    """Collects nodes and initialisers; every method returns the name of the value that it made.

    Tokens and patches are rows: the stream of a transformer is (batch * length, width), so that a linear layer is one Gemm,
    whose weights stay (out, in). `prefix` is what the tower's names have before them in `outside`.
    """

    def __init__(self, weights: Weights, storage: Storage, *, outside: Outside | None = None, prefix: str = "") -> None:
        self.weights, self.storage, self.outside, self.prefix = weights, storage, outside, prefix
        self.nodes: list[onnx.NodeProto] = []
        self.made = 0  # of nodes, those in branches too, so that every name is new
        self.initializers: list[onnx.TensorProto] = []
        self.initialized: set[str] = set()
        self.known: dict[str, str] = {}  # weights as float32 values
        self.scalars: dict[tuple[object, ...], str] = {}
        self.quantized: dict[str, tuple[str, str]] = {}
        self.requests: list[str] = []  # inputs that nobody needs to give

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        self.made += 1
        name = output or f"{op.lower()}_{self.made}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: float | list[int], dtype: type = np.float32) -> str:
        key = (dtype, *np.ravel(value).tolist(), np.ndim(value))
        if key not in self.scalars:
            name = f"constant_{len(self.scalars)}"
            self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
            self.scalars[key] = name
        return self.scalars[key]

    def ints(self, *values: int) -> str:
        return self.constant(list(values), np.int64)

    # Weights

    def weight(self, name: str) -> str:
        """A stored weight as a float32 value. Vectors (biases, norms) are small and always stay float32."""
        if name not in self.known:
            value = self.weights[name]
            if value.ndim < 2 or self.storage == "float32":
                self.known[name] = self.stored(value, name)
            else:
                self.known[name] = self.node("Cast", self.stored(value.astype(np.float16), name), to=TensorProto.FLOAT)
        return self.known[name]

    def kernel(self, name: str) -> str:
        """A convolution's weights (out, in / groups, height, width) as a float32 value."""
        if not self.storage.startswith("int8"):
            return self.weight(name)
        if name not in self.known:
            levels, scale = self.kernel_levels(name, KERNEL_LEVELS)
            # By plain operators, which are computed once, when the graph is opened.
            wide = self.node("Cast", levels, to=TensorProto.FLOAT)
            self.known[name] = self.node("Mul", wide, self.node("Reshape", scale, self.ints(-1, 1, 1, 1)))
        return self.known[name]

    def kernel_levels(self, name: str, largest: int, least: np.ndarray | float = 0.0) -> tuple[str, str]:
        """The same in levels -largest to largest, and a scale (out,) for each output; least: of the scales."""
        scale = self.kernel_scale(name, largest, least)
        levels = np.rint(self.weights[name] / scale[:, None, None, None]).astype(np.int8)
        return self.stored(levels, name), self.stored(scale, f"{name}.scale")

    def kernel_scale(self, name: str, largest: int, least: np.ndarray | float = 0.0) -> np.ndarray:
        """(out,) float32"""
        values = np.maximum(np.abs(self.weights[name]).max(axis=(1, 2, 3)), SMALLEST)
        return np.asarray(np.maximum(values / largest, least), dtype=np.float32)

    def stored(self, value: np.ndarray, name: str) -> str:
        """An initialiser, once however often it is used."""
        if name in self.initialized:
            return name
        self.initialized.add(name)
        place = self.outside.places.get(self.prefix + name) if self.outside else None
        if self.outside is None or place is None or value.dtype != np.float32:
            self.initializers.append(numpy_helper.from_array(value, name))
            return name
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=value.shape, data_location=TensorProto.EXTERNAL)
        for key, told in (("location", self.outside.file), ("offset", str(place[0])), ("length", str(place[1]))):
            tensor.external_data.add(key=key, value=told)
        self.initializers.append(tensor)
        return name

    def table(self, name: str, ids: str) -> str:
        """Rows of an embedding table, dequantised after the look-up so that the table itself stays narrow in memory."""
        value = self.weights[name]
        if not self.storage.startswith("int8"):
            narrow = np.float16 if self.storage == "float16" else np.float32
            rows = self.node("Gather", self.stored(value.astype(narrow, copy=False), name), ids)
            return rows if self.storage == "float32" else self.node("Cast", rows, to=TensorProto.FLOAT)
        scale = np.maximum(np.abs(value).max(axis=1, keepdims=True), SMALLEST) / 127
        rows = self.node("Gather", self.stored(np.rint(value / scale).astype(np.int8), name), ids)
        scales = self.node("Gather", self.stored(scale, f"{name}.scale"), ids)
        return self.node("Mul", self.node("Cast", rows, to=TensorProto.FLOAT), scales)

    # Layers

    def linear(self, x: str, name: str, *, output: str = "") -> str:
        """x (rows, in) @ weight.T, plus the bias if there is one."""
        bias = [self.weight(f"{name}.bias")] if f"{name}.bias" in self.weights else []
        if self.storage == "int8-rows":
            y = self._linear_rows(x, f"{name}.weight", output="" if bias else output)
            return self.node("Add", y, bias[0], output=output) if bias else y
        if self.storage != "int8" or self.weights[f"{name}.weight"].shape[1] % BLOCK:
            return self.node("Gemm", x, self.weight(f"{name}.weight"), *bias, output=output, transB=1)
        y = self._linear_8bit(x, f"{name}.weight", output="" if bias else output)
        return self.node("Add", y, bias[0], output=output) if bias else y

    def _linear_8bit(self, x: str, name: str, *, output: str) -> str:
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
        turned = np.ascontiguousarray(np.rint(value / scale[:, None]).astype(np.int8).T)  # MatMulInteger takes (in, out)
        product = self.node(
            "MatMulIntegerToFloat",
            levels,
            self.stored(turned, name),
            self.constant(1 / 127),
            self.stored(scale, f"{name}.scale"),
            self.constant(128, np.uint8),
            domain=ORT_DOMAIN,
        )
        return self.node("Mul", product, largest, output=output)

    def _quantized_rows(self, x: str) -> tuple[str, str]:
        """x (rows, in) as levels around 128, of which 127 are worth the second value (rows, 1); once where several read x.

        A row of zeros needs no care: whatever levels 0 / 0 gives, they are worth 0.
        """
        if x not in self.quantized:
            largest = self.node("ReduceMax", self.node("Abs", x), self.ints(1))
            levels = self.node(
                "QuantizeLinear", self.node("Div", x, largest), self.constant(1 / 127), self.constant(128, np.uint8)
            )
            self.quantized[x] = (levels, largest)
        return self.quantized[x]

    def layer_norm(self, x: str, name: str, eps: float) -> str:
        parts = (self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))
        return self.node("LayerNormalization", x, *parts, axis=-1, epsilon=eps)

    def batch_norm(self, x: str, name: str) -> str:
        parts = (self.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
        return self.node("BatchNormalization", x, *parts, epsilon=1e-5)  # folded into the convolution when opened

    def projection(self, x: str, kind: Projection, *, output: str = "") -> str:
        """x (rows, width) -> (rows, dim)"""
        if kind == "none":
            return self.node("Identity", x, output=output)
        if kind == "mlp":
            x = self.activation(self.linear(x, "projection.up"), "gelu")
        return self.linear(x, "projection" if kind == "linear" else "projection.down", output=output)

    def gated(self, x: str, gate: Gate, *, output: str = "") -> str:
        """x (rows, dim) -> (rows, dim)"""
        first = self.node("Slice", x, self.ints(0), self.ints(gate.dims), self.ints(1))
        rest = self.node("Slice", x, self.ints(gate.dims), self.ints(np.iinfo(np.int64).max), self.ints(1))
        share = self.node("Div", *(self.node("ReduceL2", part, self.ints(1)) for part in (first, x)))
        above = self.node("Div", self.node("Sub", share, self.constant(gate.middle)), self.constant(gate.slope))
        opened = self.node("Mul", self.node("Sigmoid", above), self.constant(1 - gate.least))
        weight = self.node("Add", opened, self.constant(gate.least))
        return self.node("Concat", self.node("Mul", first, weight), rest, axis=-1, output=output)

    def activation(self, x: str, kind: Activation) -> str:
        if kind == "quick_gelu":
            return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, self.constant(1.702))))
        return self.node("Gelu", x, approximate="tanh" if kind == "gelu_tanh" else "none")

    def attention(self, x: str, at: str, heads: int, length: int | str, mask: str = "", *, only: str = "") -> str:
        """x (B * length, W) -> the same; length a number or the name of a (1,) value; mask is added to (B, heads, Q, L).

        With `only`, the numbers (B,) of one row of x each: (B, W), what these rows see, and Q is 1.
        """
        width = self.weights[f"{at}.query.weight"].shape[0]
        q = self.linear(self.node("Gather", x, only) if only else x, f"{at}.query")
        k, v = (self.linear(x, f"{at}.{part}") for part in ("key", "value"))
        split = self.shape(-1, length, heads, width // heads)
        asked = self.ints(-1, 1, heads, width // heads) if only else split
        q = self.node("Transpose", self.node("Reshape", q, asked), perm=[0, 2, 1, 3])
        k = self.node("Transpose", self.node("Reshape", k, split), perm=[0, 2, 3, 1])
        v = self.node("Transpose", self.node("Reshape", v, split), perm=[0, 2, 1, 3])
        q = self.node("Mul", q, self.constant((width // heads) ** -0.5))
        scores = self.node("MatMul", q, k)  # (B, heads, Q, L)
        if mask:
            scores = self.node("Add", scores, mask)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)
        mixed = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints(-1, width))
        return self.linear(mixed, f"{at}.out")

    def block(
        self, x: str, at: str, heads: int, eps: float, kind: Activation, length: int | str, mask: str = "", *, only: str = ""
    ) -> str:
        """A pre-norm transformer block; `only`: of these rows of x alone (see attention)."""
        inside = self.attention(self.layer_norm(x, f"{at}.norm1", eps), f"{at}.attention", heads, length, mask, only=only)
        if only:
            x = self.node("Gather", x, only)
        return self.mlp_branch(self.node("Add", x, self.scaled(inside, f"{at}.scale1")), at, eps, kind)

    def mlp_branch(self, x: str, at: str, eps: float, kind: Activation) -> str:
        inside = self.activation(self.linear(self.layer_norm(x, f"{at}.norm2", eps), f"{at}.mlp.up"), kind)
        return self.node("Add", x, self.scaled(self.linear(inside, f"{at}.mlp.down"), f"{at}.scale2"))

    def scaled(self, x: str, name: str) -> str:
        """Layer scale, where the tower has it."""
        return self.node("Mul", x, self.weight(f"{name}.weight")) if f"{name}.weight" in self.weights else x

    def on_request(self, output: str, shape: list[int], build: Callable[[], str]) -> None:
        """An output (B, *shape) that is computed only if the graph is given `with_{output}` = true, and has no rows otherwise.

        Without the condition ONNX Runtime would compute it at every run: it prunes no node whose output nobody fetches.
        """
        outer, known, quantized = self.nodes, dict(self.known), dict(self.quantized)
        branches = {}
        for branch in ("then", "else"):
            self.nodes = []
            value = build() if branch == "then" else self.node("ConstantOfShape", self.ints(0, *shape))
            result = self.node("Identity", value, output=f"{output}_{branch}")
            told = helper.make_tensor_value_info(result, TensorProto.FLOAT, [None, *shape])
            branches[f"{branch}_branch"] = helper.make_graph(self.nodes, branch, [], [told])
        self.nodes, self.known, self.quantized = outer, known, quantized  # what was made inside is not seen outside
        self.requests.append(f"with_{output}")
        self.node("If", self.requests[-1], output=output, **branches)

    def starts(self, batch: str, length: int | str) -> str:
        """Where each item begins among rows (B * length): (B,) int64. batch is the name of a (1,) value."""
        return self.node("Mul", self.range(batch), self.ints(length) if isinstance(length, int) else length)

    def range(self, count: str) -> str:
        """0 ... count - 1; count is the name of a (1,) value."""
        return self.node(
            "Range", self.constant(0, np.int64), self.node("Squeeze", count, self.ints(0)), self.constant(1, np.int64)
        )

    def shape(self, *sides: int | str) -> str:
        if all(isinstance(side, int) for side in sides):
            return self.ints(*(side for side in sides if isinstance(side, int)))
        return self.node("Concat", *(self.ints(side) if isinstance(side, int) else side for side in sides), axis=0)

    def model(self, name: str, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        asked = [helper.make_tensor_value_info(request, TensorProto.BOOL, []) for request in self.requests]
        defaults = [numpy_helper.from_array(np.array(False), request) for request in self.requests]
        graph = helper.make_graph(self.nodes, name, [*inputs, *asked], outputs, [*self.initializers, *defaults])
        opsets = [helper.make_opsetid("", OPSET)]
        if self.storage.startswith("int8"):
            opsets.append(helper.make_opsetid(ORT_DOMAIN, 1))
        model = helper.make_model(graph, opset_imports=opsets, producer_name="seesay")
        model.ir_version = IR_VERSION
        return model
