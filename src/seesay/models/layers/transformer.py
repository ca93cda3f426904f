"""The transformer block that ViT, CLIP's text tower and BERT share: batch-first, with torch's fused attention."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.fields import Activation


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation, with which its models were trained: swapping it for GELU costs points without an error."""
    return x * torch.sigmoid(1.702 * x)


def gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "gelu_tanh": gelu_tanh, "quick_gelu": quick_gelu}


class Attention(nn.Module):
    """Multi-head self-attention. Query, key and value are separate layers, so that each can be adapted or left alone."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, asking: Tensor, x: Tensor, *, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """asking (B, Q, W), what it sees x (B, N, W) -> (B, Q, W); mask (B, 1, 1, N) bool, true where a token may be seen."""
        q, k, v = (self._split(y) for y in (self.query(asking), self.key(x), self.value(x)))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)  # (B, heads, Q, W / heads)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def alone(self, x: Tensor) -> Tensor:
        """Each token attending to itself only: what is left is its value."""
        return self.out(self.value(x))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, heads, N, W / heads)


class Mlp(nn.Module):
    def __init__(self, width: int, inner: int, activation: Activation) -> None:
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
    """Attention and MLP, each with a residual; the norm stands before the branch ("pre") or after the sum ("post", BERT)."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        activation: Activation,
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

    def forward(self, x: Tensor, *, mask: Tensor | None = None, causal: bool = False, only: Tensor | None = None) -> Tensor:
        """x (B, N, W) -> (B, N, W); or with `only` (B,), the number of one token in each row, (B, W): what becomes of that
        token, for a last block of which nothing else is read (a sixth of its work)."""
        if only is not None and causal:
            mask, causal = (torch.arange(x.shape[1], device=x.device) <= only[:, None])[:, None, None, :], False
        seen = x if self.norm == "post" else self.norm1(x)
        asking = seen
        if only is not None:
            rows = torch.arange(x.shape[0], device=x.device)
            x, asking = x[rows, only][:, None], seen[rows, only][:, None]  # (B, 1, W)
        mixed = self.attention(asking, seen, mask=mask, causal=causal)
        if self.norm == "post":
            x = self.norm1(x + mixed)
            x = self.norm2(x + self.mlp(x))
        else:
            x = x + self.scale1(mixed)
            x = x + self.scale2(self.mlp(self.norm2(x)))
        return x if only is None else x[:, 0]

    def alone(self, x: Tensor) -> Tensor:
        """The block with every token attending to itself only (pre-norm)."""
        x = x + self.scale1(self.attention.alone(self.norm1(x)))
        return x + self.scale2(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]
