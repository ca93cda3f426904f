"""The transformer block of ViT, CLIP's text tower and BERT, batch-first, on torch's fused attention."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.fields import BlockActivation


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of GELU, with which its models were trained; GELU in its place costs accuracy without an error."""
    return x * torch.sigmoid(1.702 * x)


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by its tanh approximation."""
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[BlockActivation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "relu": F.relu,
}


class Attention(nn.Module):
    """Multi-head attention. Query, key and value are separate layers, so that each can be adapted or left alone.

    inputs: features of the tokens that are attended to, where they are not as wide as the queries.
    """

    def __init__(self, width: int, heads: int, inputs: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(inputs or width, width)
        self.value = nn.Linear(inputs or width, width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, x: Tensor, *, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """queries (B, Q, W) over tokens x (B, N, inputs) -> (B, Q, W); mask (B, 1, 1 or Q, N) bool, false where a token is
        hidden."""
        q, k, v = (self.split(y) for y in (self.query(queries), self.key(x), self.value(x)))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)  # (B, heads, Q, W / heads)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def without_mixing(self, x: Tensor) -> Tensor:
        """Each token attending to itself only, which leaves its value."""
        return self.out(self.value(x))  # type: ignore[no-any-return]

    def split(self, x: Tensor) -> Tensor:
        """Tokens (B, N, W) -> their parts by head."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, heads, N, W / heads)


class Mlp(nn.Module):
    """Two linear layers with an activation between."""

    def __init__(self, width: int, inner: int, activation: BlockActivation) -> None:
        super().__init__()
        self.up = nn.Linear(width, inner)
        self.down = nn.Linear(inner, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))  # type: ignore[no-any-return]


class LayerScale(nn.Module):
    """A learned factor per channel (Touvron et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Block(nn.Module):
    """Attention and MLP, each with a residual; norms come before each branch ("pre") or after each sum ("post", BERT)."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: BlockActivation,
        eps: float,
        *,
        norm: Literal["pre", "post"] = "pre",
        layer_scale: bool = False,
    ) -> None:
        super().__init__()
        self.norm = norm
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attention = Attention(width, heads)
        self.scale1 = LayerScale(width) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, inner, activation)
        self.scale2 = LayerScale(width) if layer_scale else nn.Identity()

    def forward(
        self, x: Tensor, *, mask: Tensor | None = None, causal: bool = False, query_index: Tensor | None = None
    ) -> Tensor:
        """x (B, N, W) -> (B, N, W). query_index (B,): computes one token of each row alone -> (B, W), for a last block whose
        other tokens nobody reads (a sixth of its work)."""
        if query_index is not None and causal:
            mask, causal = (torch.arange(x.shape[1], device=x.device) <= query_index[:, None])[:, None, None, :], False
        tokens = x if self.norm == "post" else self.norm1(x)
        queries = tokens
        if query_index is not None:
            rows = torch.arange(x.shape[0], device=x.device)
            x, queries = x[rows, query_index][:, None], tokens[rows, query_index][:, None]  # (B, 1, W)
        mixed = self.attention(queries, tokens, mask=mask, causal=causal)
        if self.norm == "post":
            x = self.norm1(x + mixed)
            x = self.norm2(x + self.mlp(x))
        else:
            x = x + self.scale1(mixed)
            x = x + self.scale2(self.mlp(self.norm2(x)))
        return x if query_index is None else x[:, 0]

    def without_mixing(self, x: Tensor) -> Tensor:
        """A pre-norm block in which each token attends to itself only."""
        x = x + self.scale1(self.attention.without_mixing(self.norm1(x)))
        return x + self.scale2(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]
