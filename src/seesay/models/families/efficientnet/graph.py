"""EfficientNet as an ONNX graph."""

from seesay.models.families.efficientnet.config import BlockShape, EfficientNetConfig
from seesay.models.graph_builder import GraphBuilder


def add_tower(g: GraphBuilder, config: EfficientNetConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request."""
    eps, cells = config.norm_eps, config.grid
    x = _swish(g, _conv(g, "pixels", "stem", eps, stride=2, padding=(0, 1)))
    for i, shape in enumerate(config.blocks):
        x = _block(g, x, f"blocks.{i}", shape, eps)
    g.projection(g.node("Flatten", g.node("GlobalAveragePool", x)), config.projection, output="embedding")

    def dense() -> str:
        rows = g.node("Reshape", g.node("Transpose", x, perm=[0, 2, 3, 1]), g.ints(-1, config.feature_width))
        return g.node("Reshape", g.projection(rows, config.projection), g.ints(-1, cells, cells, dim))

    g.on_request("dense", [cells, cells, dim], dense)


def _block(g: GraphBuilder, x: str, prefix: str, shape: BlockShape, eps: float) -> str:
    inner = shape.inputs * shape.expansion
    inside = _swish(g, _conv(g, x, f"{prefix}.expand", eps)) if shape.expansion > 1 else x
    padding = (shape.before, shape.after)
    inside = _swish(g, _conv(g, inside, f"{prefix}.depthwise", eps, stride=shape.stride, groups=inner, padding=padding))
    mean = g.node("GlobalAveragePool", inside)
    squeezed = _swish(g, _biased(g, mean, f"{prefix}.squeeze.reduce"))
    weight = g.node("Sigmoid", _biased(g, squeezed, f"{prefix}.squeeze.expand"))
    inside = _conv(g, g.node("Mul", inside, weight), f"{prefix}.project", eps)
    return g.node("Add", x, inside) if shape.residual else inside


def _conv(
    g: GraphBuilder, x: str, name: str, eps: float, *, stride: int = 1, groups: int = 1, padding: tuple[int, int] = (0, 0)
) -> str:
    """A convolution and its batch norm."""
    before, after = padding
    kernel = g.kernel(f"{name}.conv.weight")
    pads = [before, before, after, after]
    return g.batch_norm(g.node("Conv", x, kernel, strides=[stride, stride], group=groups, pads=pads), f"{name}.norm", eps)


def _biased(g: GraphBuilder, x: str, name: str) -> str:
    return g.node("Conv", x, g.kernel(f"{name}.weight"), g.weight(f"{name}.bias"))


def _swish(g: GraphBuilder, x: str) -> str:
    return g.node("Mul", x, g.node("Sigmoid", x))
