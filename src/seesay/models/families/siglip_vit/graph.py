"""SigLIP's Vision Transformer as an ONNX graph."""

from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.models.graph_builder import GraphBuilder
from seesay.models.graph_transformer import TransformerGraph


def add_tower(g: GraphBuilder, config: SiglipVitConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request."""
    count, eps, width, patch = config.grid**2, config.layer_norm_eps, config.width, config.patch_px
    transformer = TransformerGraph(g, config.heads, eps, config.activation, count)
    kernel, bias = g.weight("patch_embedding.weight"), g.weight("patch_embedding.bias")
    x = g.node("Conv", "pixels", kernel, bias, strides=[patch, patch])
    x = g.node("Transpose", g.node("Reshape", x, g.ints(0, width, count)), perm=[0, 2, 1])  # (B, N, W)
    x = g.node("Reshape", g.node("Add", x, g.weight("position_embedding")), g.ints(-1, width))
    for i in range(config.depth):
        x = transformer.block(x, f"blocks.{i}")
    patches = g.layer_norm(x, "norm_after", eps)  # (B * N, W)

    def finish(x: str) -> str:
        """The pooling after its attention."""
        return g.node("Add", x, transformer.mlp(g.layer_norm(x, "pool.norm", eps), "pool.mlp"))

    query = g.node("Unsqueeze", g.weight("pool.query"), g.ints(0))  # (1, W), the same for all images
    pooled = finish(transformer.attention(patches, "pool.attention", queries=query))
    g.projection(pooled, config.projection, output="embedding")

    def dense() -> str:
        """Each patch pooled alone (see `SiglipVit.with_dense`)."""
        value = g.linear(patches, "pool.attention.value")
        alone = g.projection(finish(g.linear(value, "pool.attention.out")), config.projection)
        return g.node("Reshape", alone, g.ints(-1, config.grid, config.grid, dim))

    g.on_request("dense", [config.grid, config.grid, dim], dense)
