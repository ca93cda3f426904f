"""CLIP's ResNet as an ONNX graph."""

from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.graph_builder import GraphBuilder


def add_tower(g: GraphBuilder, config: ModifiedResNetConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request."""
    grid, width = config.grid, config.feature_width
    x = _last_map(g, config)
    cells = g.node("Transpose", g.node("Reshape", x, g.ints(0, width, grid**2)), perm=[0, 2, 1])  # (B, cells, W)
    _attention_pool(g, cells, config)

    def dense() -> str:
        values = g.linear(g.linear(g.node("Reshape", cells, g.ints(-1, width)), "pool.value"), "pool.out")
        return g.node("Reshape", values, g.ints(-1, grid, grid, dim))

    g.on_request("dense", [grid, grid, dim], dense)


def _last_map(g: GraphBuilder, config: ModifiedResNetConfig) -> str:
    """(B, channels, grid, grid)"""
    x = "pixels"
    for i in range(3):
        x = g.node("Relu", _conv(g, x, f"stem.{i}", stride=2 if i == 0 else 1))
    x = _halved(g, x)
    for stage, blocks in enumerate(config.stages):
        for i in range(blocks):
            x = _bottleneck(g, x, f"stages.{stage}.{i}", strides=stage > 0 and i == 0)
    return x


def _bottleneck(g: GraphBuilder, x: str, prefix: str, *, strides: bool) -> str:
    inside = g.node("Relu", _conv(g, g.node("Relu", _conv(g, x, f"{prefix}.conv1")), f"{prefix}.conv2"))
    inside = _conv(g, _halved(g, inside) if strides else inside, f"{prefix}.conv3")
    if f"{prefix}.shortcut.conv.weight" in g.weights:
        x = _conv(g, _halved(g, x) if strides else x, f"{prefix}.shortcut")
    return g.node("Relu", g.node("Add", inside, x))


def _conv(g: GraphBuilder, x: str, name: str, stride: int = 1) -> str:
    kernel = g.weights[f"{name}.conv.weight"].shape[2]
    x = g.node("Conv", x, g.weight(f"{name}.conv.weight"), strides=[stride, stride], pads=[kernel // 2] * 4)
    return g.batch_norm(x, f"{name}.norm")


def _halved(g: GraphBuilder, x: str) -> str:
    return g.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])


def _attention_pool(g: GraphBuilder, cells: str, config: ModifiedResNetConfig) -> None:
    """cells (B, cells, W) -> "embedding"."""
    width, heads, length = config.feature_width, config.heads, config.grid**2 + 1
    mean = g.node("ReduceMean", cells, g.ints(1), keepdims=1)
    tokens = g.node("Add", g.node("Concat", mean, cells, axis=1), g.weight("pool.position_embedding"))  # (B, 1 + cells, W)
    query = g.node("Reshape", g.node("Slice", tokens, g.ints(0), g.ints(1), g.ints(1)), g.ints(-1, width))
    tokens = g.node("Reshape", tokens, g.ints(-1, width))
    q = g.node("Reshape", g.linear(query, "pool.query"), g.ints(-1, 1, heads, width // heads))
    q = g.node("Mul", g.node("Transpose", q, perm=[0, 2, 1, 3]), g.constant((width // heads) ** -0.5))
    split = g.ints(-1, length, heads, width // heads)
    k = g.node("Transpose", g.node("Reshape", g.linear(tokens, "pool.key"), split), perm=[0, 2, 3, 1])
    v = g.node("Transpose", g.node("Reshape", g.linear(tokens, "pool.value"), split), perm=[0, 2, 1, 3])
    mixed = g.node("MatMul", g.node("Softmax", g.node("MatMul", q, k), axis=-1), v)  # (B, heads, 1, W / heads)
    g.linear(g.node("Reshape", mixed, g.ints(-1, width)), "pool.out", output="embedding")
