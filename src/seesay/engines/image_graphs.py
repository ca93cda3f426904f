"""The image towers as ONNX graphs: pixels (B, 3, H, W) -> embedding (B, D), and dense (B, rows, columns, D) if `with_dense`.

Both are raw projections. `with_dense` is an optional input, false unless given.
"""

import onnx
from onnx import TensorProto, helper

from seesay.engines.efficientnet_graph import Ranges, efficientnet_lite
from seesay.engines.graph_builder import GraphBuilder, Outside, Storage, Weights
from seesay.models.config import ImageConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.vit.config import VitConfig


def image_graph(
    config: ImageConfig,
    dim: int,
    weights: Weights,
    storage: Storage,
    outside: Outside | None = None,
    ranges: Ranges | None = None,
) -> onnx.ModelProto:
    """`weights` by the tower's own names (no "image." before them). ranges: an EfficientNet's maps then have 8 bits too."""
    g = GraphBuilder(weights, storage, outside=outside, prefix="image.")
    match config:
        case VitConfig():
            cells = _vit(g, config, dim)
        case ModifiedResNetConfig():
            cells = _modified_resnet(g, config, dim)
        case EfficientNetLiteConfig():
            cells = efficientnet_lite(g, config, dim, ranges)
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
        return g.batch_norm(x, f"{name}.norm")

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
