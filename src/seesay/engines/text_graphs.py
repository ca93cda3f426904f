"""The text towers as ONNX graphs: input_ids (B, L) int64, padded with the tokenizer's pad id -> embedding (B, D), raw."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from seesay.engines.graph_builder import LOWEST, GraphBuilder, Outside, Storage, Weights
from seesay.models.config import TextConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.cbow.config import CbowConfig
from seesay.models.families.clip_text.config import ClipTextConfig


def text_graph(
    config: TextConfig, dim: int, weights: Weights, storage: Storage, outside: Outside | None = None
) -> onnx.ModelProto:
    """`weights` by the tower's own names (no "text." before them)."""
    g = GraphBuilder(weights, storage, outside=outside, prefix="text.")
    match config:
        case ClipTextConfig():
            _clip_text(g, config)
        case BertConfig():
            _bert(g, config)
        case CbowConfig():
            _cbow(g, config)
    return g.model(
        "text",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
    )


def _clip_text(g: GraphBuilder, c: ClipTextConfig) -> None:
    batch = g.node("Shape", "input_ids", start=0, end=1)  # (1,)
    length = g.node("Shape", "input_ids", start=1, end=2)  # (1,)
    flat = g.node("Reshape", "input_ids", g.ints(-1))
    places = g.node("Slice", g.weight("position_embedding"), g.ints(0), length, g.ints(0))
    rows = g.node("Reshape", g.table("token_embedding.weight", flat), g.shape(-1, length, c.width))
    x = g.node("Reshape", g.node("Add", rows, places), g.ints(-1, c.width))  # (B * L, W)
    mask = ""
    if c.causal:
        steps = g.range(length)
        later = g.node("Greater", g.node("Unsqueeze", steps, g.ints(0)), g.node("Unsqueeze", steps, g.ints(1)))  # (L, L)
        mask = g.node("Where", later, g.constant(LOWEST), g.constant(0.0))
    if c.pooling == "last":
        ends = g.node("Expand", g.node("Sub", length, g.ints(1)), batch)
    else:  # the first end of text
        found = g.node("Cast", g.node("Equal", "input_ids", g.constant(c.eos_id, np.int64)), to=TensorProto.INT32)
        ends = g.node("ArgMax", found, axis=1, keepdims=0)

    def block(i: int, mask: str, only: str = "") -> str:
        return g.block(x, f"blocks.{i}", c.heads, c.layer_norm_eps, c.activation, length, mask, only=only)

    for i in range(c.depth - 1):
        x = block(i, mask)
    if c.causal:
        mask = g.node("Unsqueeze", g.node("Gather", mask, ends), g.ints(1, 2))  # (B, 1, 1, L)
    pooled = block(c.depth - 1, mask, only=g.node("Add", g.starts(batch, length), ends))
    g.projection(g.layer_norm(pooled, "norm_after", c.layer_norm_eps), c.projection, output="embedding")


def _bert(g: GraphBuilder, c: BertConfig) -> None:
    length = g.node("Shape", "input_ids", start=1, end=2)
    present = g.node("Cast", g.node("Not", g.node("Equal", "input_ids", g.constant(c.pad_id, np.int64))), to=TensorProto.FLOAT)
    unseen = g.node("Mul", g.node("Sub", present, g.constant(1.0)), g.constant(-LOWEST))  # 0 for tokens, lowest for padding
    mask = g.node("Unsqueeze", unseen, g.ints(1, 2))  # (B, 1, 1, L)

    if c.position_ids == "after-padding":
        counted = g.node("CumSum", present, g.constant(1, np.int64))
        numbers = g.node("Cast", g.node("Mul", counted, present), to=TensorProto.INT64)
        places = g.table("embeddings.position.weight", g.node("Add", numbers, g.constant(c.pad_id, np.int64)))
    else:
        places = g.table("embeddings.position.weight", g.range(length))
    x = g.node("Add", g.table("embeddings.word.weight", "input_ids"), places)  # (B, L, W)
    if c.types:
        x = g.node("Add", x, g.node("Gather", g.weight("embeddings.token_type.weight"), g.constant(0, np.int64)))
    x = g.layer_norm(g.node("Reshape", x, g.ints(-1, c.width)), "embeddings.norm", c.layer_norm_eps)  # (B * L, W)

    def block(i: int, only: str = "") -> str:
        at = f"blocks.{i}"
        inside = g.attention(x, f"{at}.attention", c.heads, length, mask, only=only)
        asking = g.node("Gather", x, only) if only else x
        between = g.layer_norm(g.node("Add", asking, inside), f"{at}.norm1", c.layer_norm_eps)
        inside = g.linear(g.activation(g.linear(between, f"{at}.mlp.up"), c.activation), f"{at}.mlp.down")
        return g.layer_norm(g.node("Add", between, inside), f"{at}.norm2", c.layer_norm_eps)

    for i in range(c.depth - 1):
        x = block(i)
    if c.pooling == "mean":
        pooled = _mean(g, g.node("Reshape", block(c.depth - 1), g.shape(-1, length, c.width)), present)
    else:
        batch = g.node("Shape", "input_ids", start=0, end=1)
        pooled = block(c.depth - 1, only=g.starts(batch, length))
    if c.pooling == "tanh":
        pooled = g.node("Tanh", g.linear(pooled, "pooler"))
    if c.head == "unit-centred":
        g.node("Sub", g.node("LpNormalization", pooled, axis=-1, p=2), g.weight("centre"), output="embedding")
    elif c.gate is not None:
        g.gated(g.projection(pooled, c.head), c.gate, output="embedding")
    else:
        g.projection(pooled, c.head, output="embedding")


def _cbow(g: GraphBuilder, c: CbowConfig) -> None:
    present = g.node("Cast", g.node("Not", g.node("Equal", "input_ids", g.constant(c.pad_id, np.int64))), to=TensorProto.FLOAT)
    mean = _mean(g, g.table("token_embedding.weight", "input_ids"), present, empty=1.0)
    g.projection(mean, c.projection, output="embedding")


def _mean(g: GraphBuilder, rows: str, present: str, *, empty: float | None = None) -> str:
    """rows (B, L, W) over what is present (B, L); `empty` is the divisor of a text of nothing but padding."""
    weight = g.node("Unsqueeze", present, g.ints(2))
    total = g.node("ReduceSum", g.node("Mul", rows, weight), g.ints(1), keepdims=0)
    count = g.node("ReduceSum", weight, g.ints(1), keepdims=0)
    return g.node("Div", total, count if empty is None else g.node("Max", count, g.constant(empty)))
