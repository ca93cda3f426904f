"""EVA's Vision Transformer image tower."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.eva.config import EvaConfig
from seesay.models.families.eva.rotation import rotation
from seesay.models.layers.groups import Group
from seesay.models.layers.patch_dropout import kept_patches, take_tokens
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import ImageTower
from seesay.models.layers.transformer import LayerScale

Rotation = tuple[Tensor, Tensor]  # cosines and sines, each (N, head_width / 2)


def turned(x: Tensor, angles: Rotation) -> Tensor:
    """Each pair of neighbouring features (B, heads, N, W / heads), turned by its angle at the token's position."""
    cos, sin = angles
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


def norm_layer(config: EvaConfig, width: int) -> nn.Module:
    """A norm over features of this width."""
    kind = nn.LayerNorm if config.norm == "layer" else nn.RMSNorm
    return kind(width, eps=config.norm_eps)


class EvaAttention(nn.Module):
    """Multi-head self-attention with rotary positions, and a norm over all heads' results where the tower has inner norms."""

    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.query = nn.Linear(width, width, bias=config.qkv_bias)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=config.qkv_bias)
        self.norm = norm_layer(config, width) if config.inner_norm else nn.Identity()
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, x: Tensor, angles: Rotation | None) -> Tensor:
        """queries, the first Q of the tokens x (B, N, W) -> (B, Q, W)."""
        q, k, v = (self._split(y) for y in (self.query(queries), self.key(x), self.value(x)))
        if angles is not None:
            cos, sin = angles
            count = q.shape[2]
            q, k = turned(q, (cos[..., :count, :], sin[..., :count, :])), turned(k, angles)
        mixed = F.scaled_dot_product_attention(q, k, v)  # (B, heads, Q, W / heads)
        return self.out(self.norm(mixed.transpose(1, 2).flatten(2)))  # type: ignore[no-any-return]

    def without_mixing(self, x: Tensor) -> Tensor:
        """Each token attending to itself only, which leaves its value."""
        return self.out(self.norm(self.value(x)))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, heads, N, W / heads)


class EvaMlp(nn.Module):
    """Two linear layers with GELU between, or three with a gate (SwiGLU); a norm before the last where the tower has them."""

    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        width, inner = config.width, config.mlp_width
        self.gate = nn.Linear(width, inner) if config.mlp == "swiglu" else None
        self.up = nn.Linear(width, inner)
        self.norm = norm_layer(config, inner) if config.inner_norm else nn.Identity()
        self.down = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(self.up(x)) if self.gate is None else F.silu(self.gate(x)) * self.up(x)
        return self.down(self.norm(y))  # type: ignore[no-any-return]


class EvaBlock(nn.Module):
    """Attention and MLP, each with a residual; norms come before each branch ("pre") or at its end ("post")."""

    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        self.norm_place = config.norm_place
        self.norm1 = norm_layer(config, config.width)
        self.attention = EvaAttention(config)
        self.scale1 = LayerScale(config.width) if config.layer_scale else nn.Identity()
        self.norm2 = norm_layer(config, config.width)
        self.mlp = EvaMlp(config)
        self.scale2 = LayerScale(config.width) if config.layer_scale else nn.Identity()

    def forward(self, x: Tensor, angles: Rotation | None, *, first_only: bool = False) -> Tensor:
        """x (B, N, W) -> (B, N, W); first_only: the class token alone -> (B, 1, W), for a last block whose other tokens nobody
        reads."""
        tokens = self.norm1(x) if self.norm_place == "pre" else x
        queries = tokens[:, :1] if first_only else tokens
        mixed = self.attention(queries, tokens, angles)
        return self._after_attention(x[:, :1] if first_only else x, mixed)

    def without_mixing(self, x: Tensor) -> Tensor:
        """The block with each token attending to itself only."""
        tokens = self.norm1(x) if self.norm_place == "pre" else x
        return self._after_attention(x, self.attention.without_mixing(tokens))

    def _after_attention(self, x: Tensor, mixed: Tensor) -> Tensor:
        if self.norm_place == "pre":
            x = x + self.scale1(mixed)
            return x + self.scale2(self.mlp(self.norm2(x)))  # type: ignore[no-any-return]
        x = x + self.scale1(self.norm1(mixed))
        return x + self.scale2(self.norm2(self.mlp(x)))  # type: ignore[no-any-return]


class Eva(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim).

    patch_dropout: the share of patches that training leaves out (Li et al. 2023, FLIP), which saves as much time.
    """

    config: EvaConfig
    block_types = (EvaBlock,)
    patch_dropout = 0.0

    def __init__(self, config: EvaConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patch_embedding = nn.Conv2d(3, width, config.patch_px, stride=config.patch_px)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.position_embedding = nn.Parameter(torch.zeros(config.grid**2 + 1, width))
        self.blocks = nn.ModuleList(EvaBlock(config) for _ in range(config.depth))
        self.norm_after = norm_layer(config, width)
        linear = config.projection == "linear"
        self.projection = nn.Linear(width, dim, config.qkv_bias) if linear else projection(config.projection, width, dim)

    def features(self, pixels: Tensor) -> Tensor:
        """The input of the projection: (B, width)."""
        return self._pool(*self._before_last(pixels))

    def pool_states(self, states: list[Tensor], pixels: Tensor) -> Tensor:
        return self._pool(states[-2], self._angles(pixels))

    def project(self, features: Tensor) -> Tensor:
        """(..., width) -> (..., dim)"""
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        *blocks, last = self.blocks
        stem: Group = [self.patch_embedding, self.class_embedding, self.position_embedding]
        return [stem, *([block] for block in blocks), [last, self.norm_after], [self.projection]]

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The input of the first block, then the output of each: depth + 1 times (B, 1 + grid * grid, width)."""
        x, angles = self._embed(pixels)
        states = [x]
        for block in self.blocks:
            states.append(block(states[-1], angles))
        return states

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and per patch (B, grid, grid, dim).

        In the last block each patch attends to itself only (MaskCLIP, Zhou, Loy & Dai 2022): what attention gathers there
        serves the class token and says little about the patch.
        """
        x, angles = self._before_last(pixels)
        dense = self.project(self.norm_after(self.blocks[-1].without_mixing(x[:, 1:])))  # type: ignore[operator]
        return self.project(self._pool(x, angles)), dense.view(-1, self.config.grid, self.config.grid, dense.shape[2])

    def _pool(self, x: Tensor, angles: Rotation | None) -> Tensor:
        """The input of the last block (B, 1 + N, W) -> features (B, W)."""
        return self.norm_after(self.blocks[-1](x, angles, first_only=True)[:, 0])  # type: ignore[no-any-return]

    def _before_last(self, pixels: Tensor) -> tuple[Tensor, Rotation | None]:
        """The input of the last block (B, 1 + N, W), and the angles."""
        *blocks, _ = self.blocks
        x, angles = self._embed(pixels)
        for block in blocks:
            x = block(x, angles)
        return x, angles

    def _embed(self, pixels: Tensor) -> tuple[Tensor, Rotation | None]:
        """The input of the first block (B, 1 + N, W), and the angles."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)  # (B, N, W)
        first = self.class_embedding.expand(patches.shape[0], 1, -1)
        x = torch.cat([first, patches], dim=1) + self.position_embedding  # (B, 1 + N, W)
        angles = self._angles(x)
        if self.training and self.patch_dropout:
            return self._drop(x, angles)
        return x, angles

    def _angles(self, like: Tensor) -> Rotation | None:
        """The angles of all tokens, in the type and on the device of a tensor."""
        found = rotation(self.config)
        if found is None:
            return None
        cos, sin = (torch.from_numpy(part).to(like) for part in found)
        return cos, sin

    def _drop(self, x: Tensor, angles: Rotation | None) -> tuple[Tensor, Rotation | None]:
        """Keeps the class token and a random part of each image's patches, in order, with their angles."""
        kept = kept_patches(x.shape[0], x.shape[1] - 1, self.patch_dropout, x.device) + 1
        indices = F.pad(kept, (1, 0))  # the class token's is 0
        x = take_tokens(x, indices)
        if angles is None:
            return x, None
        cos, sin = (part[indices][:, None] for part in angles)  # (B, 1, 1 + remaining, W / heads / 2)
        return x, (cos, sin)
