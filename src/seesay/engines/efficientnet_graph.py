"""The EfficientNet-Lite tower as a graph, its maps in float32 or in 8 bits.

With 8 bits each map has one scale, fixed beforehand: what a ReLU6 leaves lies in 0..6, pixels have 256 levels anyway, and the
other maps' ranges are found on pictures (`map_ranges`). So no picture sees what shares its batch. ONNX Runtime runs such a
convolution on integers, at twice the speed or more (Jacob et al. 2017, arXiv 1712.05877).
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from seesay.engines.graph_builder import KERNEL_LEVELS, WEIGHT_LEVELS, GraphBuilder, Weights
from seesay.engines.onnx import runtime
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig

Ranges = Mapping[str, tuple[float, float]]  # of maps by name: least and largest value
PIXELS = (-127 / 128, 1.0)  # of Lite's normalisation; 256 levels of 1/128
SIX = (0.0, 6.0)


class Maps:
    """Convolutions over maps (B, channels, rows, columns)."""

    def __init__(self, g: GraphBuilder, config: EfficientNetLiteConfig) -> None:
        self.g, self.norm = g, config.norm
        self.zero, self.six = g.constant(0.0), g.constant(6.0)
        self.named: dict[str, str] = {}  # maps that no activation bounds

    def pixels(self) -> str:
        return "pixels"

    def conv(self, x: str, name: str, *, stride: int = 1, groups: int = 1) -> str:
        """Without its activation."""
        bias = [self.g.weight(f"{name}.bias")] if self.norm == "folded" else []
        y = self._conv(x, self.g.kernel(f"{name}.weight"), bias, stride, groups)
        return y if self.norm == "folded" else self.g.batch_norm(y, f"{name}.norm")

    def _conv(self, x: str, kernel: str, bias: list[str], stride: int, groups: int) -> str:
        # SAME_UPPER is TensorFlow's padding, with which the published weights were trained.
        return self.g.node("Conv", x, kernel, *bias, auto_pad="SAME_UPPER", strides=[stride, stride], group=groups)

    def relu6(self, x: str) -> str:
        return self.g.node("Clip", x, self.zero, self.six)

    def linear(self, x: str, name: str) -> str:
        """A map that no activation follows."""
        self.named[name] = x
        return x

    def block(self, x: str, at: str, stride: int) -> str:
        weights = self.g.weights
        expands = f"{at}.expand.weight" in weights
        inside = self.relu6(self.conv(x, f"{at}.expand")) if expands else x
        channels = weights[f"{at}.depthwise.weight"].shape[0]
        inside = self.relu6(self.conv(inside, f"{at}.depthwise", stride=stride, groups=channels))
        inside = self.linear(self.conv(inside, f"{at}.project"), f"{at}.project")
        inputs = weights[f"{at}.expand.weight"].shape[1] if expands else channels
        outputs = weights[f"{at}.project.weight"].shape[0]
        return self.linear(self.g.node("Add", x, inside), at) if stride == 1 and outputs == inputs else inside


class Maps8(Maps):
    """The same in 8 bits: every map is rounded, and stands in the graph as what it was rounded to."""

    def __init__(self, g: GraphBuilder, config: EfficientNetLiteConfig, ranges: Ranges) -> None:
        super().__init__(g, config)
        self.ranges = ranges
        self.scales: dict[str, float] = {}

    def pixels(self) -> str:
        return self._rounded("pixels", PIXELS)

    def conv(self, x: str, name: str, *, stride: int = 1, groups: int = 1) -> str:
        g, step = self.g, self.scales[x]
        bias = g.weights[f"{name}.bias"]
        least = np.abs(bias) / (step * 2**30)  # the bias is counted in steps of both scales, in 32 bits
        largest = KERNEL_LEVELS if groups > 1 else WEIGHT_LEVELS
        levels, scale = g.kernel_levels(f"{name}.weight", largest, least)
        kernel = g.node("DequantizeLinear", levels, scale, axis=0)
        steps = g.kernel_scale(f"{name}.weight", largest, least) * np.float32(step)
        whole = g.stored(np.rint(bias / steps).astype(np.int32), f"{name}.bias")
        wide = g.node("DequantizeLinear", whole, g.stored(steps, f"{name}.bias.scale"), axis=0)
        return self._conv(x, kernel, [wide], stride, groups)

    def relu6(self, x: str) -> str:
        return self._rounded(x, SIX)  # which is cut off at both ends

    def linear(self, x: str, name: str) -> str:
        return self._rounded(x, self.ranges[name])

    def _rounded(self, x: str, bounds: tuple[float, float]) -> str:
        low, high = min(bounds[0], 0.0), max(bounds[1], 0.0)  # zero must be a level
        scale = float(np.float32((high - low) / 255)) or 1.0
        step, zero = self.g.constant(scale), self.g.constant(round(-low / scale), np.uint8)
        y = self.g.node("DequantizeLinear", self.g.node("QuantizeLinear", x, step, zero), step, zero)
        self.scales[y] = float(np.float32(scale))
        return y


def efficientnet_lite(g: GraphBuilder, c: EfficientNetLiteConfig, dim: int, ranges: Ranges | None = None) -> int:
    """Adds the tower to a graph; the cells of a side of its last map."""
    maps = Maps(g, c) if ranges is None else Maps8(g, c, ranges)
    states = _states(maps, c)
    last = [maps.relu6(maps.conv(states[-1], "head"))]
    if c.branch:
        last.append(_branch(maps, c, states))

    def mixture(features: str, output: str = "") -> str:
        probabilities = g.node("Softmax", g.linear(features, "classifier"), axis=-1)
        return g.node("MatMul", probabilities, g.weight("class_embedding"), output=output)

    def project(features: list[str], output: str = "") -> str:
        if c.branch:
            both = g.node("Concat", features[1], features[0], axis=1)
            return g.node("Add", g.projection(both, "linear"), mixture(features[0]), output=output)
        return mixture(features[0], output) if c.head == "conse" else g.projection(features[0], c.head, output=output)

    channels, cells = c.widths[-1], c.grid
    project([g.node("Flatten", g.node("GlobalAveragePool", x)) for x in last], "embedding")

    def dense() -> str:
        rows = [g.node("Reshape", g.node("Transpose", x, perm=[0, 2, 3, 1]), g.ints(-1, channels)) for x in last]
        return g.node("Reshape", project(rows), g.ints(-1, cells, cells, dim))

    g.on_request("dense", [cells, cells, dim], dense)
    return cells


def trunk_graph(config: EfficientNetLiteConfig, weights: Weights) -> onnx.ModelProto:
    """What `EfficientNetLite.trunk` makes, one row a picture: the map that the branch begins from, and the features."""
    g = GraphBuilder(weights, "float32")
    maps = Maps(g, config)
    states = _states(maps, config)
    pooled = g.node("Flatten", g.node("GlobalAveragePool", maps.relu6(maps.conv(states[-1], "head"))))
    g.node("Concat", g.node("Flatten", states[-1 - config.branch]), pooled, axis=1, output="embedding")
    return g.model(
        "trunk", [_pixels(config)], [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "values"])]
    )


def map_ranges(
    config: EfficientNetLiteConfig, weights: Weights, pixels: np.ndarray, batch: int = 8
) -> dict[str, tuple[float, float]]:
    """The ranges of a tower's maps over pixels (N, 3, image_px, image_px): what `image_graph` takes for 8 bits."""
    g = GraphBuilder(weights, "float32")
    maps = Maps(g, config)
    states = _states(maps, config)
    if config.branch:
        _branch(maps, config, states)
    ends = [
        g.node(
            "Concat", *(g.node("Reshape", g.node(op, x, keepdims=0), g.ints(1)) for op in ("ReduceMin", "ReduceMax")), axis=0
        )
        for x in maps.named.values()
    ]
    model = g.model("ranges", [_pixels(config)], [helper.make_tensor_value_info(x, TensorProto.FLOAT, [2]) for x in ends])
    session = runtime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = np.array([session.run(ends, {"pixels": pixels[i : i + batch]}) for i in range(0, len(pixels), batch)])
    return {
        name: (float(lo.min()), float(hi.max())) for name, (lo, hi) in zip(maps.named, found.transpose(1, 2, 0), strict=True)
    }


def _states(maps: Maps, c: EfficientNetLiteConfig) -> list[str]:
    """The stem's output and every block's."""
    states = [maps.relu6(maps.conv(maps.pixels(), "stem", stride=2))]
    for i, stride in enumerate(c.strides):
        states.append(maps.block(states[-1], f"blocks.{i}", stride))
    return states


def _branch(maps: Maps, c: EfficientNetLiteConfig, states: list[str]) -> str:
    x = states[-1 - c.branch]
    for i, stride in enumerate(c.strides[-c.branch :]):
        x = maps.block(x, f"branch.blocks.{i}", stride)
    return maps.relu6(maps.conv(x, "branch.head"))


def _pixels(c: EfficientNetLiteConfig) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, c.image_px, c.image_px])
