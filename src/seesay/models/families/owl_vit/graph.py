"""OWL-ViT's image tower as an ONNX graph."""

from seesay.models.families.owl_vit.bias import box_bias
from seesay.models.families.owl_vit.config import OwlVitConfig
from seesay.models.families.vit.graph import embed
from seesay.models.graph_builder import GraphBuilder
from seesay.models.graph_transformer import TransformerGraph


def add_tower(g: GraphBuilder, config: OwlVitConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "regions" on request."""
    eps, width, count = config.layer_norm_eps, config.width, config.grid**2
    transformer = TransformerGraph(g, config.heads, eps, config.activation, count + 1)
    x = embed(g, config)
    for i in range(config.depth):
        x = transformer.block(x, f"blocks.{i}")
    tokens = g.node("Reshape", g.layer_norm(x, "norm_after", eps), g.ints(-1, count + 1, width))
    first = g.node("Slice", tokens, g.ints(0), g.ints(1), g.ints(1))  # (B, 1, W)
    g.projection(g.node("Reshape", first, g.ints(-1, width)), config.projection, output="embedding")
    ((_, columns),) = config.further_outputs(dim).values()

    def regions() -> str:
        patches = g.node("Slice", tokens, g.ints(1), g.ints(count + 1), g.ints(1))
        merged = g.node("Reshape", g.node("Mul", patches, first), g.ints(-1, width))  # (B * N, W)
        return g.node("Reshape", _heads(g, config, g.layer_norm(merged, "heads.norm", eps)), g.ints(-1, count, columns))

    g.on_request("regions", [count, columns], regions)


def _heads(g: GraphBuilder, config: OwlVitConfig, x: str) -> str:
    """Rows (B * N, W) -> the columns of `Regions`."""
    count = config.grid**2
    boxes = g.node("Reshape", _layers(g, x, "heads.box"), g.ints(-1, count, 4))
    boxes = g.node("Add", boxes, g.stored(box_bias(config.grid), "heads.box_bias"))
    boxes = g.node("Reshape", g.node("Sigmoid", boxes), g.ints(-1, 4))
    scale = g.node("Add", g.node("Elu", g.linear(x, "heads.scale")), g.constant(1.0))
    columns = [g.linear(x, "heads.embedding"), g.linear(x, "heads.shift"), scale, boxes]
    if config.objectness:
        columns.append(_layers(g, x, "heads.objectness"))
    return g.node("Concat", *columns, axis=1)


def _layers(g: GraphBuilder, x: str, name: str) -> str:
    for layer in ("first", "second"):
        x = g.activation(g.linear(x, f"{name}.{layer}"), "gelu")
    return g.linear(x, f"{name}.last")
