"""BERT as an ONNX graph."""

import numpy as np
from onnx import TensorProto

from seesay.models.families.bert.config import BertConfig, Gate
from seesay.models.graph_builder import LOWEST, GraphBuilder
from seesay.models.graph_transformer import TransformerGraph


def add_tower(g: GraphBuilder, config: BertConfig, dim: int) -> None:
    """From "input_ids" to "embedding"."""
    length = g.node("Shape", "input_ids", start=1, end=2)
    is_token = g.node("Not", g.node("Equal", "input_ids", g.constant(config.pad_id, np.int64)))
    present = g.node("Cast", is_token, to=TensorProto.FLOAT)  # (B, L)
    scores = g.node("Mul", g.node("Sub", present, g.constant(1.0)), g.constant(-LOWEST))  # 0 for tokens, lowest for padding
    mask = g.node("Unsqueeze", scores, g.ints(1, 2))  # (B, 1, 1, L)
    x = _embeddings(g, config, present, length)
    transformer = TransformerGraph(g, config.heads, config.layer_norm_eps, config.activation, length)
    for i in range(config.depth - 1):
        x = transformer.post_norm_block(x, f"blocks.{i}", mask)
    last = f"blocks.{config.depth - 1}"
    if config.pooling == "mean":
        x = transformer.post_norm_block(x, last, mask)
        pooled = g.masked_mean(g.node("Reshape", x, g.shape(-1, length, config.width)), present)
    else:
        batch = g.node("Shape", "input_ids", start=0, end=1)
        pooled = transformer.post_norm_block(x, last, mask, query_rows=g.starts(batch, length))
    if config.transformation:
        normed = g.layer_norm(pooled, "transformation.norm", config.layer_norm_eps)
        pooled = g.linear(normed, "transformation.linear")
    if config.pooling == "tanh":
        pooled = g.node("Tanh", g.linear(pooled, "pooler"))
    if config.head == "unit-centred":
        g.node("Sub", g.node("LpNormalization", pooled, axis=-1, p=2), g.weight("centre"), output="embedding")
    elif config.gate is not None:
        _gated(g, g.projection(pooled, config.head), config.gate)
    else:
        g.projection(pooled, config.head, output="embedding")


def _embeddings(g: GraphBuilder, config: BertConfig, present: str, length: str) -> str:
    """The input of the first block: (B * L, W)."""
    if config.position_ids == "after-padding":
        count = g.node("CumSum", present, g.constant(1, np.int64))
        numbers = g.node("Cast", g.node("Mul", count, present), to=TensorProto.INT64)
        positions = g.table("embeddings.position.weight", g.node("Add", numbers, g.constant(config.pad_id, np.int64)))
    else:
        positions = g.table("embeddings.position.weight", g.range(length))
    x = g.node("Add", g.table("embeddings.word.weight", "input_ids"), positions)  # (B, L, W)
    if config.types:
        x = g.node("Add", x, g.node("Gather", g.weight("embeddings.token_type.weight"), g.constant(0, np.int64)))
    return g.layer_norm(g.node("Reshape", x, g.ints(-1, config.width)), "embeddings.norm", config.layer_norm_eps)


def _gated(g: GraphBuilder, x: str, gate: Gate) -> None:
    """x (B, dim) -> "embedding"."""
    first = g.node("Slice", x, g.ints(0), g.ints(gate.dims), g.ints(1))
    rest = g.node("Slice", x, g.ints(gate.dims), g.ints(np.iinfo(np.int64).max), g.ints(1))
    share = g.node("Div", *(g.node("ReduceL2", part, g.ints(1)) for part in (first, x)))
    above = g.node("Div", g.node("Sub", share, g.constant(gate.middle)), g.constant(gate.slope))
    openness = g.node("Mul", g.node("Sigmoid", above), g.constant(1 - gate.least))
    weight = g.node("Add", openness, g.constant(gate.least))
    g.node("Concat", g.node("Mul", first, weight), rest, axis=-1, output="embedding")
