"""torch's operators as ONNX nodes: those of which timm's towers are made.

Each function takes the program that is translated and one call, its arguments under torch's names, and returns the name of its
value, or a list of names where the operator returns several.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from seesay.errors import ModelError
from seesay.models.families.timm.program import Operator, Program

LAST = 2**63 - 1  # as the end of a slice: none
OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Lists a function under torch's names for it."""

    def listed(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return listed


def _pair(value: Any) -> list[int]:
    sides = [value] if isinstance(value, int) else list(value)
    return sides * 2 if len(sides) == 1 else sides


def _axis(p: Program, x: Any, dim: int) -> int:
    return dim % max(len(p.shape(x)), 1)


def _axes(p: Program, c: SimpleNamespace) -> str:
    rank = len(p.shape(c.self))
    given = range(rank) if c.dim is None else [c.dim] if isinstance(c.dim, int) else c.dim
    return p.g.ints(*(dim % rank for dim in given))


def _refuse(condition: bool, what: str) -> None:
    if condition:
        raise ModelError(f"{what} has no counterpart in SeeSay's graphs; engine='torch' runs this tower")


# Element by element

ELEMENTWISE = {
    **{
        "abs": "Abs",
        "erf": "Erf",
        "exp": "Exp",
        "hardswish": "HardSwish",
        "mish": "Mish",
        "neg": "Neg",
        "reciprocal": "Reciprocal",
    },
    **{"relu": "Relu", "sigmoid": "Sigmoid", "softplus": "Softplus", "sqrt": "Sqrt", "tanh": "Tanh"},
    **{"mul": "Mul", "maximum": "Max", "minimum": "Min", "pow": "Pow", "matmul": "MatMul", "bmm": "MatMul"},
}


def _elementwise(onnx: str) -> Operator:
    def translate(p: Program, c: SimpleNamespace) -> str:
        others = [getattr(c, name) for name in ("other", "exponent", "mat2") if hasattr(c, name)]
        return p.g.node(onnx, p.value(c.self), *map(p.value, others))

    return translate


OPERATORS.update({torch: _elementwise(onnx) for torch, onnx in ELEMENTWISE.items()})


@operator(
    "alias", "clone", "contiguous", "detach", "dropout", "feature_dropout", "lift_fresh_copy", "to", "type_as", "_to_copy"
)
def same(p: Program, c: SimpleNamespace) -> str:
    """Values that stay as they are, in eval mode."""
    x = c.input if hasattr(c, "input") else c.self
    _refuse(x.meta["val"].dtype != c.result.meta["val"].dtype, "a change of number type")
    return p.value(x)


@operator("add", "sub")
def add(p: Program, c: SimpleNamespace) -> str:
    other = p.value(c.other) if c.alpha == 1 else p.g.node("Mul", p.value(c.other), p.g.constant(float(c.alpha)))
    return p.g.node("Add" if "add" in c.result.target.__name__ else "Sub", p.value(c.self), other)


@operator("div")
def divide(p: Program, c: SimpleNamespace) -> str:
    _refuse(getattr(c, "rounding_mode", None) is not None, "a division that rounds")
    return p.g.node("Div", p.value(c.self), p.value(c.other))


@operator("gelu")
def gelu(p: Program, c: SimpleNamespace) -> str:
    return p.g.activation(p.value(c.self), "gelu_tanh" if c.approximate == "tanh" else "gelu")


@operator("silu")
def silu(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("Mul", p.value(c.self), p.g.node("Sigmoid", p.value(c.self)))


@operator("hardsigmoid")
def hard_sigmoid(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("HardSigmoid", p.value(c.self), alpha=1 / 6, beta=0.5)


@operator("leaky_relu")
def leaky_relu(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("LeakyRelu", p.value(c.self), alpha=float(c.negative_slope))


@operator("relu6", "hardtanh", "clamp", "clamp_min")
def clamp(p: Program, c: SimpleNamespace) -> str:
    bounds = vars(c) | ({"min": 0.0, "max": 6.0} if "relu6" in c.result.target.__name__ else {})
    least, most = (bounds.get(name, bounds.get(f"{name}_val")) for name in ("min", "max"))
    x = p.value(c.self)
    if least is not None:
        x = p.g.node("Max", x, p.value(least))
    return x if most is None else p.g.node("Min", x, p.value(most))


@operator("rsqrt")
def reciprocal_root(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("Reciprocal", p.g.node("Sqrt", p.value(c.self)))


@operator("softmax")
def softmax(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("Softmax", p.value(c.self), axis=_axis(p, c.self, c.dim))


# Layers with weights


@operator("conv2d")
def convolution(p: Program, c: SimpleNamespace) -> str:
    name = p.weight(c.weight)
    padding: dict[str, Any] = {"pads": _pair(c.padding) * 2} if not isinstance(c.padding, str) else {}
    if isinstance(c.padding, str):
        padding = {"auto_pad": "SAME_UPPER" if c.padding == "same" else "VALID"}
    return p.g.node(
        "Conv",
        p.value(c.input),
        p.g.kernel(name) if name else p.value(c.weight),
        *([] if c.bias is None else [p.value(c.bias)]),
        strides=_pair(c.stride),
        dilations=_pair(c.dilation),
        group=c.groups,
        **padding,
    )


def _filled(p: Program, value: float, *sides: Any) -> str:
    name = f"filled.{value}.{'.'.join(map(str, sides))}"
    return p.g.stored(np.full([int(side) for side in sides], value, dtype=np.float32), name)


@operator("batch_norm")
def batch_norm(p: Program, c: SimpleNamespace) -> str:
    running = [p.value(c.running_mean), p.value(c.running_var)]
    count = p.shape(c.running_mean)[0]
    weight = _filled(p, 1.0, count) if c.weight is None else p.value(c.weight)
    bias = _filled(p, 0.0, count) if c.bias is None else p.value(c.bias)
    return p.g.node("BatchNormalization", p.value(c.input), weight, bias, *running, epsilon=c.eps)


@operator("layer_norm")
def layer_norm(p: Program, c: SimpleNamespace) -> str:
    sides = list(c.normalized_shape)
    weight = _filled(p, 1.0, *sides) if c.weight is None else p.value(c.weight)
    bias = [] if c.bias is None else [p.value(c.bias)]
    return p.g.node("LayerNormalization", p.value(c.input), weight, *bias, axis=-len(sides), epsilon=c.eps)


@operator("rms_norm")
def rms_norm(p: Program, c: SimpleNamespace) -> str:
    g, x = p.g, p.value(c.input)
    axes = g.ints(*range(-len(c.normalized_shape), 0))
    eps = float(np.finfo(np.float32).eps) if c.eps is None else c.eps
    mean = g.node("Add", g.node("ReduceMean", g.node("Mul", x, x), axes), g.constant(eps))
    x = g.node("Div", x, g.node("Sqrt", mean))
    return x if c.weight is None else g.node("Mul", x, p.value(c.weight))


@operator("linear")
def linear(p: Program, c: SimpleNamespace) -> str:
    """On rows, so that weights are used as they are stored, and quantized as in every other tower."""
    name, shape = p.weight(c.weight), p.shape(c.input)
    layer = (name or "").removesuffix(".weight")
    bias = f"{layer}.bias" if f"{layer}.bias" in p.g.weights else None
    if name is None or (None if c.bias is None else p.weight(c.bias)) != bias:  # computed from other weights
        y = p.g.node("MatMul", p.value(c.input), p.g.node("Transpose", p.value(c.weight), perm=[1, 0]))
        return y if c.bias is None else p.g.node("Add", y, p.value(c.bias))
    if len(shape) == 2:
        return p.g.linear(p.value(c.input), layer)
    rows = p.g.node("Reshape", p.value(c.input), p.g.ints(-1, int(shape[-1])))
    return p.reshaped(p.g.linear(rows, layer), p.shape(c.result))


@operator("scaled_dot_product_attention")
def attention(p: Program, c: SimpleNamespace) -> str:
    g, rank = p.g, len(p.shape(c.query))
    _refuse(c.is_causal or c.enable_gqa, "causal or grouped attention in an image tower")
    scale = int(p.shape(c.query)[-1]) ** -0.5 if c.scale is None else c.scale
    keys = g.node("Transpose", p.value(c.key), perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = g.node("MatMul", g.node("Mul", p.value(c.query), g.constant(float(scale))), keys)
    if c.attn_mask is not None:
        _refuse(not c.attn_mask.meta["val"].is_floating_point(), "a mask of true and false")
        scores = g.node("Add", scores, p.value(c.attn_mask))
    return g.node("MatMul", g.node("Softmax", scores, axis=-1), p.value(c.value))


# Shapes


@operator("flatten", "reshape", "squeeze", "unflatten", "unsqueeze", "view", "_unsafe_view")
def reshape(p: Program, c: SimpleNamespace) -> str:
    return p.reshaped(p.value(c.self), p.shape(c.result))


@operator("expand")
def expand(p: Program, c: SimpleNamespace) -> str:
    return p.expanded(p.value(c.self), p.shape(c.result))


@operator("permute")
def permute(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("Transpose", p.value(c.self), perm=[_axis(p, c.self, dim) for dim in c.dims])


@operator("transpose")
def transpose(p: Program, c: SimpleNamespace) -> str:
    perm = list(range(len(p.shape(c.self))))
    first, second = _axis(p, c.self, c.dim0), _axis(p, c.self, c.dim1)
    perm[first], perm[second] = second, first
    return p.g.node("Transpose", p.value(c.self), perm=perm)


@operator("cat")
def concatenate(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("Concat", *map(p.value, c.tensors), axis=_axis(p, c.result, c.dim))


@operator("stack")
def stack(p: Program, c: SimpleNamespace) -> str:
    axis = _axis(p, c.result, c.dim)
    return p.g.node("Concat", *(p.g.node("Unsqueeze", p.value(x), p.g.ints(axis)) for x in c.tensors), axis=axis)


@operator("chunk", "split", "split_with_sizes")
def split(p: Program, c: SimpleNamespace) -> list[str]:
    axis, begin, parts = _axis(p, c.self, c.dim), 0, []
    for part in c.result.meta["val"]:
        end = begin + int(part.shape[axis])
        parts.append(p.g.node("Slice", p.value(c.self), p.g.ints(begin), p.g.ints(end), p.g.ints(axis)))
        begin = end
    return parts


@operator("unbind")
def unbind(p: Program, c: SimpleNamespace) -> list[str]:
    axis = _axis(p, c.self, c.dim)
    return [_at(p, c.self, number, axis) for number in range(len(c.result.meta["val"]))]


@operator("select")
def select(p: Program, c: SimpleNamespace) -> str:
    return _at(p, c.self, c.index, _axis(p, c.self, c.dim))


def _at(p: Program, x: Any, index: int, axis: int) -> str:
    return p.g.node("Gather", p.value(x), p.g.constant(index, np.int64), axis=axis)


@operator("slice")
def cut(p: Program, c: SimpleNamespace) -> str:
    axis = _axis(p, c.self, c.dim)
    begin, end = c.start or 0, LAST if c.end is None else c.end
    return p.g.node("Slice", p.value(c.self), *(p.g.ints(number) for number in (begin, end, axis, c.step)))


@operator("index")
def index(p: Program, c: SimpleNamespace) -> str:
    chosen = [(axis, each) for axis, each in enumerate(c.indices) if each is not None]
    _refuse(len(chosen) != 1, "indexing along several sides")
    ((axis, indices),) = chosen
    return p.g.node("Gather", p.value(c.self), p.value(indices), axis=axis)


@operator("roll")
def roll(p: Program, c: SimpleNamespace) -> str:
    x = p.value(c.self)
    for shift, dim in zip(c.shifts, c.dims, strict=True):
        side = int(p.shape(c.self)[dim])
        begin, axis = p.g.ints(-shift % side), p.g.ints(dim)
        rest, front = p.g.node("Slice", x, begin, p.g.ints(LAST), axis), p.g.node("Slice", x, p.g.ints(0), begin, axis)
        x = p.g.node("Concat", rest, front, axis=dim)
    return x


@operator("pad")
def pad(p: Program, c: SimpleNamespace) -> str:
    _refuse(c.mode != "constant", f"padding of the kind {c.mode!r}")
    if not any(c.pad):
        return p.value(c.self)
    before, after = c.pad[0::2][::-1], c.pad[1::2][::-1]  # torch begins with the last side
    others = [0] * (len(p.shape(c.self)) - len(before))
    return p.g.node("Pad", p.value(c.self), p.g.ints(*others, *before, *others, *after), p.value(c.value or 0.0))


# Pooling


@operator("mean", "sum", "amax")
def reduce(p: Program, c: SimpleNamespace) -> str:
    kind = {"mean": "ReduceMean", "sum": "ReduceSum", "amax": "ReduceMax"}[c.result.target._schema.name.removeprefix("aten::")]
    return p.g.node(kind, p.value(c.self), _axes(p, c), keepdims=int(c.keepdim))


@operator("linalg_vector_norm")
def norm(p: Program, c: SimpleNamespace) -> str:
    _refuse(c.ord != 2, "a norm other than the length")
    return p.g.node("ReduceL2", p.value(c.self), _axes(p, c), keepdims=int(c.keepdim))


@operator("adaptive_avg_pool2d")
def adaptive_average(p: Program, c: SimpleNamespace) -> str:
    sides, wanted = [int(side) for side in p.shape(c.self)[-2:]], _pair(c.output_size)
    if wanted == [1, 1]:
        return p.g.node("GlobalAveragePool", p.value(c.self))
    _refuse(any(side % each for side, each in zip(sides, wanted, strict=True)), "pooling to uneven cells")
    cell = [side // each for side, each in zip(sides, wanted, strict=True)]
    return p.g.node("AveragePool", p.value(c.self), kernel_shape=cell, strides=cell)


@operator("avg_pool2d")
def average(p: Program, c: SimpleNamespace) -> str:
    _refuse(c.divisor_override is not None, "an average with another divisor")
    return p.g.node("AveragePool", p.value(c.self), count_include_pad=int(c.count_include_pad), **_windows(c))


@operator("max_pool2d")
def largest(p: Program, c: SimpleNamespace) -> str:
    return p.g.node("MaxPool", p.value(c.self), dilations=_pair(c.dilation), **_windows(c))


def _windows(c: SimpleNamespace) -> dict[str, Any]:
    return {
        "kernel_shape": _pair(c.kernel_size),
        "strides": _pair(c.stride or c.kernel_size),
        "pads": _pair(c.padding) * 2,
        "ceil_mode": int(c.ceil_mode),
    }
