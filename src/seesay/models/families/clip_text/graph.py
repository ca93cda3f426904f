"""CLIP's text transformer as an ONNX graph."""

import numpy as np
from onnx import TensorProto

from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.graph_builder import LOWEST, GraphBuilder
from seesay.models.graph_transformer import TransformerGraph


def add_tower(g: GraphBuilder, config: ClipTextConfig, dim: int) -> None:
    """From "input_ids" to "embedding"."""
    batch = g.node("Shape", "input_ids", start=0, end=1)  # (1,)
    length = g.node("Shape", "input_ids", start=1, end=2)  # (1,)
    ids = g.node("Reshape", "input_ids", g.ints(-1))
    tokens = g.node("Reshape", g.table("token_embedding.weight", ids), g.shape(-1, length, config.width))
    if config.pooling == "class":
        class_token = g.node("Expand", g.weight("class_embedding"), g.shape(batch, 1, config.width))
        tokens, length = g.node("Concat", tokens, class_token, axis=1), g.node("Add", length, g.ints(1))
    positions = g.node("Slice", g.weight("position_embedding"), g.ints(0), length, g.ints(0))
    x = g.node("Reshape", g.node("Add", tokens, positions), g.ints(-1, config.width))  # (B * L, W)
    mask = ""
    if config.causal:
        steps = g.range(length)
        later = g.node("Greater", g.node("Unsqueeze", steps, g.ints(0)), g.node("Unsqueeze", steps, g.ints(1)))  # (L, L)
        mask = g.node("Where", later, g.constant(LOWEST), g.constant(0.0))
    if config.pooling in ("last", "class"):
        ends = g.node("Expand", g.node("Sub", length, g.ints(1)), batch)
    else:  # the first end of text
        is_end = g.node("Cast", g.node("Equal", "input_ids", g.constant(config.eos_id, np.int64)), to=TensorProto.INT32)
        ends = g.node("ArgMax", is_end, axis=1, keepdims=0)

    padding = _padding_mask(g, config) if config.pooling == "class" else ""
    transformer = TransformerGraph(g, config.heads, config.layer_norm_eps, config.activation, length)
    for i in range(config.depth - 1):
        x = transformer.block(x, f"blocks.{i}", g.node("Min", mask, padding) if mask and padding else mask or padding)
    if padding:
        mask = padding
    elif config.causal:
        mask = g.node("Unsqueeze", g.node("Gather", mask, ends), g.ints(1, 2))  # (B, 1, 1, L)
    end_rows = g.node("Add", g.starts(batch, length), ends)
    pooled = transformer.block(x, f"blocks.{config.depth - 1}", mask, query_rows=end_rows)
    g.projection(g.layer_norm(pooled, "norm_after", config.layer_norm_eps), config.projection, output="embedding")


def _padding_mask(g: GraphBuilder, config: ClipTextConfig) -> str:
    """Scores (B, 1, 1, L + 1) that hide what comes after a padding id: one position late, as OpenCLIP's CoCa was trained."""
    is_padding = g.node("Equal", "input_ids", g.constant(config.pad_id or 0, np.int64))
    scores = g.node("Where", is_padding, g.constant(LOWEST), g.constant(0.0))
    return g.node("Unsqueeze", g.node("Pad", scores, g.ints(0, 1, 0, 0)), g.ints(1, 2))
