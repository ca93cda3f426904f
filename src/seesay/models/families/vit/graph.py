"""The Vision Transformer as an ONNX graph."""

from seesay.models.families.vit.config import AttentionPoolConfig, VitConfig
from seesay.models.graph_builder import GraphBuilder
from seesay.models.graph_transformer import TransformerGraph


def add_tower(g: GraphBuilder, config: VitConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request."""
    count, eps, width = config.grid**2, config.layer_norm_eps, config.width
    length = count + 1
    transformer = TransformerGraph(g, config.heads, eps, config.activation, length)

    x = embed(g, config)
    for i in range(config.depth - 1):
        x = transformer.block(x, f"blocks.{i}")

    def tokens(x: str, start: int, end: int) -> str:  # (B * length, W) -> (B, end - start, W)
        split = g.node("Reshape", x, g.ints(-1, length, width))
        return g.node("Slice", split, g.ints(start), g.ints(end), g.ints(1), g.ints(1))

    before_last, last = x, f"blocks.{config.depth - 1}"
    if config.attention_pool is not None:
        before_last = transformer.block(x, last)
        pooled = _attention_pool(g, config, config.attention_pool, before_last)
    elif config.pooling == "cls":
        batch = g.node("Shape", "pixels", start=0, end=1)
        x = transformer.block(x, last, query_rows=g.starts(batch, length))
        pooled = g.layer_norm(x, "norm_after", eps)
    else:
        x = transformer.block(x, last)
        if config.norm_after_pool:
            pooled = g.layer_norm(g.node("ReduceMean", tokens(x, 1, length), g.ints(1), keepdims=0), "norm_after", eps)
        else:
            pooled = g.node("ReduceMean", tokens(g.layer_norm(x, "norm_after", eps), 1, length), g.ints(1), keepdims=0)
    g.projection(pooled, config.projection, output="embedding")

    def dense() -> str:
        """The last block or the attention pool again, each patch attending to itself only (see `Vit.with_dense`)."""
        x = g.node("Reshape", tokens(before_last, 1, length), g.ints(-1, width))
        if config.attention_pool is not None:
            x = g.linear(g.layer_norm(x, "attention_pool.norm_key", eps), "attention_pool.attention.value")
            x = g.linear(x, "attention_pool.attention.out")
        else:
            value = g.linear(g.layer_norm(x, f"{last}.norm1", eps), f"{last}.attention.value")
            value = transformer.scaled(g.linear(value, f"{last}.attention.out"), f"{last}.scale1")
            x = transformer.mlp_branch(g.node("Add", x, value), last)
        patches = g.projection(g.layer_norm(x, "norm_after", eps), config.projection)
        return g.node("Reshape", patches, g.ints(-1, config.grid, config.grid, dim))

    g.on_request("dense", [config.grid, config.grid, dim], dense)


def _attention_pool(g: GraphBuilder, config: VitConfig, pool: AttentionPoolConfig, x: str) -> str:
    """The output of the last block (B * length, W) -> the pooled vector after the last norm."""
    eps, is_first = config.layer_norm_eps, config.pooling == "cls"
    queries = g.weight("attention_pool.query")
    if is_first:
        queries = g.node("Slice", queries, g.ints(0), g.ints(1), g.ints(0))
    queries = g.layer_norm(queries, "attention_pool.norm_query", eps)
    attention = TransformerGraph(g, pool.heads, eps, config.activation, config.grid**2 + 1)
    tokens = g.layer_norm(x, "attention_pool.norm_key", eps)
    x = g.layer_norm(attention.attention(tokens, "attention_pool.attention", queries=queries), "norm_after", eps)
    if is_first:
        return x
    split = g.node("Reshape", x, g.ints(-1, pool.queries, pool.width))
    others = g.node("Slice", split, g.ints(1), g.ints(pool.queries), g.ints(1))
    return g.node("ReduceMean", others, g.ints(1), keepdims=0)


def embed(g: GraphBuilder, config: VitConfig, positions: str = "") -> str:
    """The input of the first block: (B * (1 + patches), W). positions: the name of (1 + patches, W), or the weights'."""
    patch, width = config.patch_px, config.width
    patches = g.node("Conv", "pixels", g.weight("patch_embedding.weight"), strides=[patch, patch])
    patches = g.node("Transpose", g.node("Reshape", patches, g.ints(0, width, config.grid**2)), perm=[0, 2, 1])  # (B, N, W)
    batch = g.node("Shape", "pixels", start=0, end=1)
    first = g.node("Expand", g.weight("class_embedding"), g.shape(batch, 1, width))
    x = g.node("Add", g.node("Concat", first, patches, axis=1), positions or g.weight("position_embedding"))
    x = g.node("Reshape", x, g.ints(-1, width))
    return g.layer_norm(x, "norm_before", config.layer_norm_eps) if config.norm_before else x
