"""CLIPSeg's image tower as an ONNX graph."""

from typing import Any

from seesay.models.families.clipseg.config import ClipSegConfig
from seesay.models.families.vit.graph import embed
from seesay.models.graph_builder import GraphBuilder
from seesay.models.graph_transformer import TransformerGraph


def add_tower(g: GraphBuilder, config: ClipSegConfig, dim: int) -> None:
    """From "pixels" to "embedding"; and from "pixels" and "queries" to "masks" on request, a row per picture and query."""
    eps, length = config.layer_norm_eps, config.grid**2 + 1
    transformer = TransformerGraph(g, config.heads, eps, config.activation, length)
    states = [embed(g, config, _positions(g, config))]
    for i in range(config.depth - 1):
        states.append(transformer.block(states[-1], f"blocks.{i}"))
    batch = g.node("Shape", "pixels", start=0, end=1)
    last = f"blocks.{config.depth - 1}"
    pooled = transformer.block(states[-1], last, query_rows=g.starts(batch, length))
    g.projection(g.layer_norm(pooled, "norm_after", eps), config.projection, output="embedding")
    queries = g.optional_rows("queries", dim)

    def masks() -> str:
        if config.depth - 1 in config.decoder.blocks:
            states.append(transformer.block(states[-1], last))
        return _decode(g, config, [states[number + 1] for number in config.decoder.blocks], queries)

    g.on_request("masks", [config.image_px, config.image_px], masks)


def _positions(g: GraphBuilder, config: ClipSegConfig) -> str:
    """The positions of the grid of `image_px`: ONNX Runtime interpolates them once, when it opens the graph."""
    grid, old, width = config.grid, config.positions_grid, config.width
    table = g.weight("position_embedding")
    if grid == old:
        return table
    first = g.node("Slice", table, g.ints(0), g.ints(1), g.ints(0))
    cells = g.node("Slice", table, g.ints(1), g.ints(1 + old * old), g.ints(0))
    plane = g.node("Transpose", g.node("Reshape", cells, g.ints(1, old, old, width)), perm=[0, 3, 1, 2])
    cubic: dict[str, Any] = {
        "mode": "cubic",
        "cubic_coeff_a": -0.75,
        "coordinate_transformation_mode": "half_pixel",
    }  # as torch
    plane = g.node("Resize", plane, "", "", g.ints(1, width, grid, grid), **cubic)
    cells = g.node("Reshape", g.node("Transpose", plane, perm=[0, 2, 3, 1]), g.ints(grid * grid, width))
    return g.node("Concat", first, cells, axis=0)


def _decode(g: GraphBuilder, config: ClipSegConfig, states: list[str], queries: str) -> str:
    """Rows (B * length, W) of the chosen blocks, and queries (Q, dim) -> logits (B * Q, image_px, image_px)."""
    parts, grid = config.decoder, config.grid
    length, width = grid**2 + 1, parts.width
    transformer = TransformerGraph(g, parts.heads, config.layer_norm_eps, "relu", length)
    count = g.node("Shape", queries, start=0, end=1)
    # (B, 1, L * w) + zeros (Q, 1) repeats each picture's rows for every query.
    repeats = g.node("Expand", g.constant(0.0), g.shape(count, 1))

    def repeated(rows: str) -> str:
        wide = g.node("Add", g.node("Reshape", rows, g.ints(-1, 1, length * width)), repeats)
        return g.node("Reshape", wide, g.ints(-1, width))

    x = ""
    for i in range(len(states)):
        reduced = g.linear(states[-1 - i], f"decoder.reduce.{i}")
        if i > parts.query_at:
            reduced = repeated(reduced)
        x = g.node("Add", x, reduced) if x else reduced
        if i == parts.query_at:
            factor, term = (g.linear(queries, f"decoder.{name}") for name in ("multiply", "add"))
            factor, term = (g.node("Reshape", part, g.ints(1, -1, 1, width)) for part in (factor, term))
            split = g.node("Reshape", x, g.ints(-1, 1, length, width))
            x = g.node("Reshape", g.node("Add", g.node("Mul", split, factor), term), g.ints(-1, width))
        x = transformer.post_norm_block(x, f"decoder.blocks.{i}")
    tokens = g.node("Reshape", x, g.ints(-1, length, width))
    patches = g.node("Slice", tokens, g.ints(1), g.ints(length), g.ints(1))
    plane = g.node("Reshape", g.node("Transpose", patches, perm=[0, 2, 1]), g.ints(-1, width, grid, grid))
    return g.node("Reshape", _draw(g, config, plane), g.ints(-1, config.image_px, config.image_px))


def _draw(g: GraphBuilder, config: ClipSegConfig, x: str) -> str:
    """(B * Q, w, grid, grid) -> (B * Q, 1, image_px, image_px)."""

    def layer(x: str, number: int, op: str, **how: Any) -> str:
        return g.node(op, x, g.weight(f"decoder.draw.{number}.weight"), g.weight(f"decoder.draw.{number}.bias"), **how)

    if config.decoder.convolutions == 1:
        return layer(x, 0, "ConvTranspose", strides=[config.patch_px] * 2)
    x = g.node("Relu", layer(x, 0, "Conv", pads=[1, 1, 1, 1]))
    x = g.node("Relu", layer(x, 1, "ConvTranspose", strides=[config.patch_px // 4] * 2))
    return layer(x, 2, "ConvTranspose", strides=[config.patch_px // 4] * 2)
