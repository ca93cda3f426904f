"""EfficientNet-Lite as an ONNX graph, its maps in float32 or in 8 bits.

With 8 bits each map has one scale, fixed beforehand: outputs of ReLU6 are in 0..6, pixels have 256 levels anyway, and the
ranges of the other maps are measured on images (`map_ranges`). So no image depends on its batch-mates. ONNX Runtime computes
such a convolution on integers, at twice the speed or more (Jacob et al. 2017, arXiv 1712.05877).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.graph_builder import KERNEL_LEVELS, WEIGHT_LEVELS, GraphBuilder, Ranges, Weights

PIXELS = (-127 / 128, 1.0)  # the range of Lite's normalisation; 256 levels of 1/128
SIX = (0.0, 6.0)
Runner = Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]]  # inputs by name -> all outputs, in order


class Maps:
    """Adds convolutions over maps (B, channels, rows, columns)."""

    def __init__(self, g: GraphBuilder, config: EfficientNetLiteConfig) -> None:
        self.g, self.norm = g, config.norm
        self.zero, self.six = g.constant(0.0), g.constant(6.0)
        self.unbounded: dict[str, str] = {}  # maps without an activation, by the layer's name

    def pixels(self) -> str:
        """The image as the stem takes it."""
        return "pixels"

    def conv(self, x: str, name: str, *, stride: int = 1, groups: int = 1) -> str:
        """A convolution and its norm, without an activation."""
        bias = [self.g.weight(f"{name}.bias")] if self.norm == "folded" else []
        y = self._conv(x, self.g.kernel(f"{name}.weight"), bias, stride, groups)
        return y if self.norm == "folded" else self.g.batch_norm(y, f"{name}.norm")

    def _conv(self, x: str, kernel: str, bias: list[str], stride: int, groups: int) -> str:
        # SAME_UPPER is TensorFlow's padding, with which the published weights were trained.
        return self.g.node("Conv", x, kernel, *bias, auto_pad="SAME_UPPER", strides=[stride, stride], group=groups)

    def relu6(self, x: str) -> str:
        """The activation of every map but those of `linear`."""
        return self.g.node("Clip", x, self.zero, self.six)

    def linear(self, x: str, name: str) -> str:
        """A map without an activation."""
        self.unbounded[name] = x
        return x

    def block(self, x: str, prefix: str, stride: int) -> str:
        """An inverted bottleneck (see `tower.InvertedBottleneck`)."""
        weights = self.g.weights
        expands = f"{prefix}.expand.weight" in weights
        inside = self.relu6(self.conv(x, f"{prefix}.expand")) if expands else x
        channels = weights[f"{prefix}.depthwise.weight"].shape[0]
        inside = self.relu6(self.conv(inside, f"{prefix}.depthwise", stride=stride, groups=channels))
        inside = self.linear(self.conv(inside, f"{prefix}.project"), f"{prefix}.project")
        inputs = weights[f"{prefix}.expand.weight"].shape[1] if expands else channels
        outputs = weights[f"{prefix}.project.weight"].shape[0]
        return self.linear(self.g.node("Add", x, inside), prefix) if stride == 1 and outputs == inputs else inside


class QuantizedMaps(Maps):
    """The same in 8 bits: every map is rounded, and the next layer reads its dequantized values."""

    def __init__(self, g: GraphBuilder, config: EfficientNetLiteConfig, ranges: Ranges) -> None:
        super().__init__(g, config)
        self.ranges = ranges
        self.scales: dict[str, float] = {}  # of rounded maps, by their name in the graph

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
        bias_levels = g.stored(np.rint(bias / steps).astype(np.int32), f"{name}.bias")
        bias_values = g.node("DequantizeLinear", bias_levels, g.stored(steps, f"{name}.bias.scale"), axis=0)
        return self._conv(x, kernel, [bias_values], stride, groups)

    def relu6(self, x: str) -> str:
        return self._rounded(x, SIX)  # rounding clips at both ends

    def linear(self, x: str, name: str) -> str:
        return self._rounded(x, self.ranges[name])

    def _rounded(self, x: str, bounds: tuple[float, float]) -> str:
        low, high = min(bounds[0], 0.0), max(bounds[1], 0.0)  # zero must be a level
        scale = float(np.float32((high - low) / 255)) or 1.0
        step, zero = self.g.constant(scale), self.g.constant(round(-low / scale), np.uint8)
        y = self.g.node("DequantizeLinear", self.g.node("QuantizeLinear", x, step, zero), step, zero)
        self.scales[y] = float(np.float32(scale))
        return y


def add_tower(g: GraphBuilder, config: EfficientNetLiteConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request; in 8 bits where the graph has ranges."""
    maps = Maps(g, config) if g.ranges is None else QuantizedMaps(g, config, g.ranges)
    states = _states(maps, config)
    last = [maps.relu6(maps.conv(states[-1], "head"))]
    if config.branch:
        last.append(_branch(maps, config, states))

    def mixture(features: str, output: str = "") -> str:
        probabilities = g.node("Softmax", g.linear(features, "classifier"), axis=-1)
        return g.node("MatMul", probabilities, g.weight("class_embedding"), output=output)

    def project(features: list[str], output: str = "") -> str:
        if config.branch:
            both = g.node("Concat", features[1], features[0], axis=1)
            return g.node("Add", g.projection(both, "linear"), mixture(features[0]), output=output)
        if config.head == "conse":
            return mixture(features[0], output)
        return g.projection(features[0], config.head, output=output)

    channels, cells = config.widths[-1], config.grid
    project([g.node("Flatten", g.node("GlobalAveragePool", x)) for x in last], "embedding")

    def dense() -> str:
        rows = [g.node("Reshape", g.node("Transpose", x, perm=[0, 2, 3, 1]), g.ints(-1, channels)) for x in last]
        return g.node("Reshape", project(rows), g.ints(-1, cells, cells, dim))

    g.on_request("dense", [cells, cells, dim], dense)


def cache_graph(config: EfficientNetLiteConfig, weights: Weights) -> onnx.ModelProto | None:
    """`EfficientNetLite.cache_values` of a tower with a branch: the map that enters the branch, then the classes' features."""
    if not config.branch:
        return None
    g = GraphBuilder(weights, "float32")
    maps = Maps(g, config)
    states = _states(maps, config)
    pooled = g.node("Flatten", g.node("GlobalAveragePool", maps.relu6(maps.conv(states[-1], "head"))))
    g.node("Concat", g.node("Flatten", states[-1 - config.branch]), pooled, axis=1, output="embedding")
    return g.model(
        "trunk", [_pixels(config)], [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "values"])]
    )


def map_ranges(
    config: EfficientNetLiteConfig,
    weights: Weights,
    pixels: np.ndarray,
    open_graph: Callable[[onnx.ModelProto], Runner],
    batch: int = 8,
) -> dict[str, tuple[float, float]]:
    """The ranges of a tower's maps over pixels (N, 3, image_px, image_px), which `image_graph` takes for 8 bits.

    open_graph: opens a graph in a runtime, such as `engines.onnx.open_graph`.
    """
    g = GraphBuilder(weights, "float32")
    maps = Maps(g, config)
    states = _states(maps, config)
    if config.branch:
        _branch(maps, config, states)
    ends = [
        g.node(
            "Concat", *(g.node("Reshape", g.node(op, x, keepdims=0), g.ints(1)) for op in ("ReduceMin", "ReduceMax")), axis=0
        )
        for x in maps.unbounded.values()
    ]
    run = open_graph(
        g.model("ranges", [_pixels(config)], [helper.make_tensor_value_info(x, TensorProto.FLOAT, [2]) for x in ends])
    )
    measured = np.array([run({"pixels": pixels[i : i + batch]}) for i in range(0, len(pixels), batch)])  # (batches, maps, 2)
    return {
        name: (float(lows.min()), float(highs.max()))
        for name, (lows, highs) in zip(maps.unbounded, measured.transpose(1, 2, 0), strict=True)
    }


def _states(maps: Maps, config: EfficientNetLiteConfig) -> list[str]:
    """The stem's output and every block's."""
    states = [maps.relu6(maps.conv(maps.pixels(), "stem", stride=2))]
    for i, stride in enumerate(config.strides):
        states.append(maps.block(states[-1], f"blocks.{i}", stride))
    return states


def _branch(maps: Maps, config: EfficientNetLiteConfig, states: list[str]) -> str:
    """The branch's last map."""
    x = states[-1 - config.branch]
    for i, stride in enumerate(config.strides[-config.branch :]):
        x = maps.block(x, f"branch.blocks.{i}", stride)
    return maps.relu6(maps.conv(x, "branch.head"))


def _pixels(config: EfficientNetLiteConfig) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, config.image_px, config.image_px])
