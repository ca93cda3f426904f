"""The EVA tower as an ONNX graph."""

from seesay.models.families.eva.config import EvaConfig
from seesay.models.families.eva.rotation import rotation
from seesay.models.graph_builder import ORT_DOMAIN, GraphBuilder


def add_tower(g: GraphBuilder, config: EvaConfig, dim: int) -> None:
    """From "pixels" to "embedding", and "dense" on request."""
    blocks = _Blocks(g, config)
    x = _tokens(g, config)
    for i in range(config.depth - 1):
        x = blocks.block(x, f"blocks.{i}")
    before_last, last = x, f"blocks.{config.depth - 1}"
    pooled = blocks.norm(blocks.block(x, last, first_only=True), "norm_after")
    g.projection(pooled, config.projection, output="embedding")

    def dense() -> str:
        """The last block again, each patch attending to itself only (see `Eva.with_dense`)."""
        length, width = config.grid**2 + 1, config.width
        split = g.node("Reshape", before_last, g.ints(-1, length, width))
        patches = g.node("Slice", split, g.ints(1), g.ints(length), g.ints(1), g.ints(1))
        x = blocks.without_mixing(g.node("Reshape", patches, g.ints(-1, width)), last)
        projected = g.projection(blocks.norm(x, "norm_after"), config.projection)
        return g.node("Reshape", projected, g.ints(-1, config.grid, config.grid, dim))

    g.on_request("dense", [config.grid, config.grid, dim], dense)


def _tokens(g: GraphBuilder, config: EvaConfig) -> str:
    """The input of the first block: (B * (1 + patches), W)."""
    patch, width = config.patch_px, config.width
    weights = (g.weight("patch_embedding.weight"), g.weight("patch_embedding.bias"))
    patches = g.node("Conv", "pixels", *weights, strides=[patch, patch])
    patches = g.node("Transpose", g.node("Reshape", patches, g.ints(0, width, config.grid**2)), perm=[0, 2, 1])  # (B, N, W)
    batch = g.node("Shape", "pixels", start=0, end=1)
    first = g.node("Expand", g.weight("class_embedding"), g.shape(batch, 1, width))
    x = g.node("Add", g.node("Concat", first, patches, axis=1), g.weight("position_embedding"))
    return g.node("Reshape", x, g.ints(-1, width))


class _Blocks:
    """The tower's blocks over rows x (B * length, W), as `EvaBlock` computes them."""

    def __init__(self, g: GraphBuilder, config: EvaConfig) -> None:
        self.g, self.config, self.length = g, config, config.grid**2 + 1
        angles = rotation(config)
        self.angles = [g.stored(part, f"rotation.{name}") for part, name in zip(angles or (), ("cos", "sin"), strict=False)]
        if angles is not None:
            # A row of positions per item: OpenVINO reads a single position as that of all tokens.
            batch = g.node("Shape", "pixels", start=0, end=1)
            self.positions = g.node("Expand", g.ints(*range(self.length)), g.shape(batch, self.length))

    def block(self, x: str, prefix: str, *, first_only: bool = False) -> str:
        """One block; first_only: each item's class token alone, (B, W)."""
        tokens = self.norm(x, f"{prefix}.norm1") if self.config.norm_place == "pre" else x
        mixed = self.attention(tokens, f"{prefix}.attention", first_only=first_only)
        return self._after_attention(self._firsts(x) if first_only else x, mixed, prefix)

    def without_mixing(self, x: str, prefix: str) -> str:
        """One block, each row attending to itself only."""
        tokens = self.norm(x, f"{prefix}.norm1") if self.config.norm_place == "pre" else x
        value = self._inner(self.g.linear(tokens, f"{prefix}.attention.value"), f"{prefix}.attention")
        return self._after_attention(x, self.g.linear(value, f"{prefix}.attention.out"), prefix)

    def attention(self, x: str, prefix: str, *, first_only: bool) -> str:
        g, heads, width = self.g, self.config.heads, self.config.head_width
        q = g.linear(self._firsts(x) if first_only else x, f"{prefix}.query")
        k, v = (g.linear(x, f"{prefix}.{part}") for part in ("key", "value"))
        split = g.ints(-1, self.length, heads, width)
        q, k, v = (
            g.node("Transpose", g.node("Reshape", y, shape), perm=[0, 2, 1, 3])
            for y, shape in ((q, g.ints(-1, 1, heads, width) if first_only else split), (k, split), (v, split))
        )
        q, k = q if first_only else self._turned(q), self._turned(k)  # the class token is not turned
        q = g.node("Mul", q, g.constant(width**-0.5))
        scores = g.node("MatMul", q, g.node("Transpose", k, perm=[0, 1, 3, 2]))  # (B, heads, Q, L)
        mixed = g.node("Transpose", g.node("MatMul", g.node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        mixed = g.node("Reshape", mixed, g.ints(-1, self.config.width))
        return g.linear(self._inner(mixed, prefix), f"{prefix}.out")

    def _turned(self, x: str) -> str:
        """Queries or keys (B, heads, L, W / heads) at their positions, by an operator of ONNX Runtime, which takes a
        quarter of the time of the products and sums that ONNX would need."""
        if not self.angles:
            return x
        return self.g.node("RotaryEmbedding", x, self.positions, *self.angles, domain=ORT_DOMAIN, interleaved=1)

    def mlp(self, x: str, prefix: str) -> str:
        g = self.g
        up = g.linear(x, f"{prefix}.up")
        if self.config.mlp == "swiglu":
            gate = g.linear(x, f"{prefix}.gate")
            up = g.node("Mul", g.node("Mul", gate, g.node("Sigmoid", gate)), up)
        else:
            up = g.activation(up, "gelu")
        return g.linear(self._inner(up, prefix), f"{prefix}.down")

    def norm(self, x: str, name: str) -> str:
        """Layer norm or RMS norm over the last axis."""
        g, eps = self.g, self.config.norm_eps
        if self.config.norm == "layer":
            return g.layer_norm(x, name, eps)
        mean = g.node("ReduceMean", g.node("Mul", x, x), g.ints(-1))
        deviation = g.node("Sqrt", g.node("Add", mean, g.constant(eps)))
        return g.node("Mul", g.node("Div", x, deviation), g.weight(f"{name}.weight"))

    def _inner(self, x: str, prefix: str) -> str:
        return self.norm(x, f"{prefix}.norm") if self.config.inner_norm else x

    def _after_attention(self, x: str, mixed: str, prefix: str) -> str:
        g, pre = self.g, self.config.norm_place == "pre"
        mixed = mixed if pre else self.norm(mixed, f"{prefix}.norm1")
        x = g.node("Add", x, self._scaled(mixed, f"{prefix}.scale1"))
        inside = self.mlp(self.norm(x, f"{prefix}.norm2") if pre else x, f"{prefix}.mlp")
        inside = inside if pre else self.norm(inside, f"{prefix}.norm2")
        return g.node("Add", x, self._scaled(inside, f"{prefix}.scale2"))

    def _scaled(self, x: str, name: str) -> str:
        return self.g.node("Mul", x, self.g.weight(f"{name}.weight")) if self.config.layer_scale else x

    def _firsts(self, x: str) -> str:
        """The first row of each item: (B, W)."""
        batch = self.g.node("Shape", "pixels", start=0, end=1)
        return self.g.node("Gather", x, self.g.starts(batch, self.length))
