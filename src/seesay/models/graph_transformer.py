"""Transformer blocks as ONNX nodes, the counterpart of `layers.transformer`."""

from dataclasses import dataclass

from seesay.models.fields import BlockActivation
from seesay.models.graph_builder import GraphBuilder

# All scores of 3,601 tokens (OWLv2) at once take 600 MB, several times; of so many tokens some rows are computed at a time.
MOST_ROWS = 2048
CHUNK = 512


@dataclass(frozen=True)
class TransformerGraph:
    """The blocks of one tower over rows x (B * length, W). length: tokens of an item, a number or the name of a (1,) value.

    In all methods `prefix` is the layer's name, `mask` the name of a value that is added to the scores (B, heads, Q, L), and
    `query_rows` the name of the numbers (B,) of one row of x per item: only these rows are computed, and the result is (B, W).
    `queries` names rows (Q, W) that attend to x in place of its own, the same for every item; the result is (B * Q, W).
    """

    g: GraphBuilder
    heads: int
    eps: float
    activation: BlockActivation
    length: int | str

    def attention(self, x: str, prefix: str, mask: str = "", *, query_rows: str = "", queries: str = "") -> str:
        """(B * length, W) -> the same."""
        g, heads = self.g, self.heads
        width = g.weights[f"{prefix}.query.weight"].shape[0]
        q = g.linear(queries or (g.node("Gather", x, query_rows) if query_rows else x), f"{prefix}.query")
        k, v = (g.linear(x, f"{prefix}.{part}") for part in ("key", "value"))
        split = g.shape(-1, self.length, heads, width // heads)
        split_queries = g.ints(-1, 1, heads, width // heads) if query_rows else split
        if queries:
            split_queries = g.ints(1, -1, heads, width // heads)
        q = g.node("Transpose", g.node("Reshape", q, split_queries), perm=[0, 2, 1, 3])
        k = g.node("Transpose", g.node("Reshape", k, split), perm=[0, 2, 3, 1])
        v = g.node("Transpose", g.node("Reshape", v, split), perm=[0, 2, 1, 3])
        q = g.node("Mul", q, g.constant((width // heads) ** -0.5))
        if isinstance(self.length, int) and self.length > MOST_ROWS and not (mask or query_rows or queries):
            starts = range(0, self.length, CHUNK)
            rows = [g.node("Slice", q, g.ints(start), g.ints(start + CHUNK), g.ints(2)) for start in starts]
            mixed = g.node("Concat", *(self._mixed(part, k, v) for part in rows), axis=2)
        else:
            mixed = self._mixed(q, k, v, mask)
        mixed = g.node("Reshape", g.node("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(-1, width))
        return g.linear(mixed, f"{prefix}.out")

    def _mixed(self, q: str, k: str, v: str, mask: str = "") -> str:
        """Values (B, heads, Q, width of a head), mixed as queries and keys say."""
        scores = self.g.node("MatMul", q, k)  # (B, heads, Q, L)
        if mask:
            scores = self.g.node("Add", scores, mask)
        return self.g.node("MatMul", self.g.node("Softmax", scores, axis=-1), v)

    def block(self, x: str, prefix: str, mask: str = "", *, query_rows: str = "") -> str:
        """A pre-norm block."""
        g = self.g
        normed = g.layer_norm(x, f"{prefix}.norm1", self.eps)
        mixed = self.attention(normed, f"{prefix}.attention", mask, query_rows=query_rows)
        if query_rows:
            x = g.node("Gather", x, query_rows)
        return self.mlp_branch(g.node("Add", x, self.scaled(mixed, f"{prefix}.scale1")), prefix)

    def post_norm_block(self, x: str, prefix: str, mask: str = "", *, query_rows: str = "") -> str:
        """A post-norm block, as BERT has them."""
        g = self.g
        mixed = self.attention(x, f"{prefix}.attention", mask, query_rows=query_rows)
        queries = g.node("Gather", x, query_rows) if query_rows else x
        between = g.layer_norm(g.node("Add", queries, mixed), f"{prefix}.norm1", self.eps)
        return g.layer_norm(g.node("Add", between, self.mlp(between, f"{prefix}.mlp")), f"{prefix}.norm2", self.eps)

    def mlp_branch(self, x: str, prefix: str) -> str:
        """The second half of a pre-norm block."""
        inside = self.mlp(self.g.layer_norm(x, f"{prefix}.norm2", self.eps), f"{prefix}.mlp")
        return self.g.node("Add", x, self.scaled(inside, f"{prefix}.scale2"))

    def mlp(self, x: str, prefix: str) -> str:
        """Two linear layers with the activation between."""
        return self.g.linear(self.g.activation(self.g.linear(x, f"{prefix}.up"), self.activation), f"{prefix}.down")

    def scaled(self, x: str, name: str) -> str:
        """Layer scale, where the tower has it."""
        return self.g.node("Mul", x, self.g.weight(f"{name}.weight")) if f"{name}.weight" in self.g.weights else x
