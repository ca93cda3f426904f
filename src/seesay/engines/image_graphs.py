"""The image towers as ONNX graphs: pixels (B, 3, H, W) -> embedding (B, D), and dense (B, rows, columns, D) if `with_dense`.

Both are raw projections. `with_dense` is an optional input, false unless given.
"""

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from seesay.config import EfficientNetLiteConfig, ImageConfig, ModifiedResNetConfig, VitConfig
from seesay.engines.graph_builder import GraphBuilder, Outside, Storage, Weights


def image_graph(
    config: ImageConfig, dim: int, weights: Weights, storage: Storage, outside: Outside | None = None
) -> onnx.ModelProto:
    """`weights` by the tower's own names (no "image." before them)."""
    g = GraphBuilder(weights, storage, outside=outside, prefix="image.")
    match config:
        case VitConfig():
            cells = _vit(g, config, dim)
        case ModifiedResNetConfig():
            cells = _modified_resnet(g, config, dim)
        case EfficientNetLiteConfig():
            cells = _efficientnet_lite(g, config, dim)
    return g.model(
        "image",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, config.image_px, config.image_px])],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim]),
            helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["batch", cells, cells, dim]),
        ],
    )


def _vit(g: GraphBuilder, c: VitConfig, dim: int) -> int:
    count, eps = c.grid**2, c.layer_norm_eps
    length = count + 1

    patches = g.node("Conv", "pixels", g.weight("patch_embedding.weight"), strides=[c.patch_px, c.patch_px])
    patches = g.node("Transpose", g.node("Reshape", patches, g.ints(0, c.width, count)), perm=[0, 2, 1])  # (B, count, W)
    batch = g.node("Shape", "pixels", start=0, end=1)
    first = g.node("Expand", g.weight("class_embedding"), g.shape(batch, 1, c.width))
    x = g.node("Add", g.node("Concat", first, patches, axis=1), g.weight("position_embedding"))
    x = g.node("Reshape", x, g.ints(-1, c.width))  # (B * length, W)
    if c.norm_before:
        x = g.layer_norm(x, "norm_before", eps)
    for i in range(c.depth - 1):
        x = g.block(x, f"blocks.{i}", c.heads, eps, c.activation, length)

    def sliced(x: str, start: int, end: int) -> str:  # (B * length, W) -> (B, end - start, W)
        whole = g.node("Reshape", x, g.ints(-1, length, c.width))
        return g.node("Slice", whole, g.ints(start), g.ints(end), g.ints(1), g.ints(1))

    before, at = x, f"blocks.{c.depth - 1}"
    only = g.starts(batch, length) if c.pooling == "cls" else ""
    x = g.block(x, at, c.heads, eps, c.activation, length, only=only)
    if c.pooling == "cls":
        pooled = g.layer_norm(x, "norm_after", eps)
    elif c.norm_after_pool:
        pooled = g.layer_norm(g.node("ReduceMean", sliced(x, 1, length), g.ints(1), keepdims=0), "norm_after", eps)
    else:
        pooled = g.node("ReduceMean", sliced(g.layer_norm(x, "norm_after", eps), 1, length), g.ints(1), keepdims=0)
    g.projection(pooled, c.projection, output="embedding")

    def dense() -> str:
        """The last block again, each patch attending to itself only (models.vit)."""
        x = g.node("Reshape", sliced(before, 1, length), g.ints(-1, c.width))
        inside = g.linear(g.layer_norm(x, f"{at}.norm1", eps), f"{at}.attention.value")
        inside = g.scaled(g.linear(inside, f"{at}.attention.out"), f"{at}.scale1")
        x = g.mlp_branch(g.node("Add", x, inside), at, eps, c.activation)
        patches = g.projection(g.layer_norm(x, "norm_after", eps), c.projection)
        return g.node("Reshape", patches, g.ints(-1, c.grid, c.grid, dim))

    g.on_request("dense", [c.grid, c.grid, dim], dense)
    return c.grid


def _modified_resnet(g: GraphBuilder, c: ModifiedResNetConfig, dim: int) -> int:
    def conv(x: str, name: str, stride: int = 1) -> str:
        kernel = g.weights[f"{name}.conv.weight"].shape[2]
        x = g.node("Conv", x, g.weight(f"{name}.conv.weight"), strides=[stride, stride], pads=[kernel // 2] * 4)
        return _batch_norm(g, x, f"{name}.norm")

    def pool(x: str) -> str:
        return g.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])

    x = "pixels"
    for i in range(3):
        x = g.node("Relu", conv(x, f"stem.{i}", stride=2 if i == 0 else 1))
    x = pool(x)
    for stage, blocks in enumerate(c.stages):
        for i in range(blocks):
            at = f"stages.{stage}.{i}"
            inside = g.node("Relu", conv(g.node("Relu", conv(x, f"{at}.conv1")), f"{at}.conv2"))
            smaller = stage > 0 and i == 0
            inside = conv(pool(inside) if smaller else inside, f"{at}.conv3")
            if f"{at}.shortcut.conv.weight" in g.weights:
                x = conv(pool(x) if smaller else x, f"{at}.shortcut")
            x = g.node("Relu", g.node("Add", inside, x))

    count, width, heads = c.grid**2, 32 * c.width, c.heads
    cells = g.node("Transpose", g.node("Reshape", x, g.ints(0, width, count)), perm=[0, 2, 1])  # (B, count, W)
    mean = g.node("ReduceMean", cells, g.ints(1), keepdims=1)
    seen = g.node("Add", g.node("Concat", mean, cells, axis=1), g.weight("pool.position_embedding"))  # (B, 1 + count, W)
    asking = g.node("Reshape", g.node("Slice", seen, g.ints(0), g.ints(1), g.ints(1)), g.ints(-1, width))
    seen = g.node("Reshape", seen, g.ints(-1, width))
    q = g.node("Reshape", g.linear(asking, "pool.query"), g.ints(-1, 1, heads, width // heads))
    q = g.node("Mul", g.node("Transpose", q, perm=[0, 2, 1, 3]), g.constant((width // heads) ** -0.5))
    split = g.ints(-1, count + 1, heads, width // heads)
    k = g.node("Transpose", g.node("Reshape", g.linear(seen, "pool.key"), split), perm=[0, 2, 3, 1])
    v = g.node("Transpose", g.node("Reshape", g.linear(seen, "pool.value"), split), perm=[0, 2, 1, 3])
    mixed = g.node("MatMul", g.node("Softmax", g.node("MatMul", q, k), axis=-1), v)  # (B, heads, 1, W / heads)
    g.linear(g.node("Reshape", mixed, g.ints(-1, width)), "pool.out", output="embedding")

    def dense() -> str:
        each = g.linear(g.linear(g.node("Reshape", cells, g.ints(-1, width)), "pool.value"), "pool.out")
        return g.node("Reshape", each, g.ints(-1, c.grid, c.grid, dim))

    g.on_request("dense", [c.grid, c.grid, dim], dense)
    return c.grid


def trunk_graph(config: EfficientNetLiteConfig, weights: Weights) -> onnx.ModelProto:
    """What `EfficientNetLite.trunk` makes, one row a picture: the map that the branch begins from, and the features."""
    g = GraphBuilder(weights, "float32")
    states, conv, _ = _lite_layers(g, config)
    pooled = g.node("Flatten", g.node("GlobalAveragePool", conv(states[-1], "head")))
    g.node("Concat", g.node("Flatten", states[-1 - config.branch]), pooled, axis=1, output="embedding")
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, config.image_px, config.image_px])
    return g.model("trunk", [pixels], [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "values"])])


Conv = Callable[..., str]


def _lite_layers(g: GraphBuilder, c: EfficientNetLiteConfig) -> tuple[list[str], Conv, Conv]:
    """The stem's output and every block's; and what makes a convolution and a block."""
    zero, six = g.constant(0.0), g.constant(6.0)

    def conv(x: str, name: str, *, stride: int = 1, groups: int = 1, activate: bool = True) -> str:
        bias = [g.weight(f"{name}.bias")] if c.norm == "folded" else []
        # SAME_UPPER is TensorFlow's padding, with which the published weights were trained.
        x = g.node("Conv", x, g.kernel(f"{name}.weight"), *bias, auto_pad="SAME_UPPER", strides=[stride, stride], group=groups)
        if c.norm == "batch":
            x = _batch_norm(g, x, f"{name}.norm")
        return g.node("Clip", x, zero, six) if activate else x

    def block(x: str, at: str, stride: int) -> str:
        inside = conv(x, f"{at}.expand") if f"{at}.expand.weight" in g.weights else x
        channels = g.weights[f"{at}.depthwise.weight"].shape[0]
        inside = conv(inside, f"{at}.depthwise", stride=stride, groups=channels)
        inside = conv(inside, f"{at}.project", activate=False)
        inputs = g.weights[f"{at}.expand.weight"].shape[1] if f"{at}.expand.weight" in g.weights else channels
        outputs = g.weights[f"{at}.project.weight"].shape[0]
        return g.node("Add", x, inside) if stride == 1 and outputs == inputs else inside

    states = [conv("pixels", "stem", stride=2)]
    for i, stride in enumerate(_strides(c)):
        states.append(block(states[-1], f"blocks.{i}", stride))
    return states, conv, block


def _efficientnet_lite(g: GraphBuilder, c: EfficientNetLiteConfig, dim: int) -> int:
    states, conv, block = _lite_layers(g, c)
    maps = [conv(states[-1], "head")]  # (B, C, rows, columns)
    if c.branch:
        own = states[-1 - c.branch]
        for i, stride in enumerate(_strides(c)[-c.branch :]):
            own = block(own, f"branch.blocks.{i}", stride)
        maps.append(conv(own, "branch.head"))

    def mixture(features: str, output: str = "") -> str:
        probabilities = g.node("Softmax", g.linear(features, "classifier"), axis=-1)
        return g.node("MatMul", probabilities, g.weight("class_embedding"), output=output)

    def project(features: list[str], output: str = "") -> str:
        if c.branch:
            both = g.node("Concat", features[1], features[0], axis=1)
            return g.node("Add", g.projection(both, "linear"), mixture(features[0]), output=output)
        return mixture(features[0], output) if c.head == "conse" else g.projection(features[0], c.head, output=output)

    channels, cells = c.widths[-1], c.grid
    project([g.node("Flatten", g.node("GlobalAveragePool", x)) for x in maps], "embedding")

    def dense() -> str:
        rows = [g.node("Reshape", g.node("Transpose", x, perm=[0, 2, 3, 1]), g.ints(-1, channels)) for x in maps]
        return g.node("Reshape", project(rows), g.ints(-1, cells, cells, dim))

    g.on_request("dense", [cells, cells, dim], dense)
    return cells


def _strides(c: EfficientNetLiteConfig) -> list[int]:
    """Of every block."""
    return [stride if repeat == 0 else 1 for repeats, _, stride in c.stages for repeat in range(repeats)]


def _batch_norm(g: GraphBuilder, x: str, name: str) -> str:
    parts = (g.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var"))
    return g.node("BatchNormalization", x, *parts, epsilon=1e-5)  # folded into the convolution when opened
