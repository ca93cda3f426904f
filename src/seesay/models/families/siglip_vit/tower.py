"""SigLIP's image tower: a Vision Transformer whose patches are pooled by attention.

Zhai et al. 2023, SigLIP; the pooling is that of Zhai et al. 2022, Scaling Vision Transformers.
"""

import torch
from torch import Tensor, nn

from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.models.layers.groups import Group
from seesay.models.layers.patch_dropout import kept_patches, take_tokens
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import ImageTower
from seesay.models.layers.transformer import Attention, Block, Mlp


class AttentionPool(nn.Module):
    """Tokens (B, N, W) -> (B, W): one learned query attends to them, and an MLP with a residual follows."""

    def __init__(self, config: SiglipVitConfig) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(config.width))
        self.attention = Attention(config.width, config.heads)
        self.norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.mlp = Mlp(config.width, config.mlp_width, config.activation)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query.expand(x.shape[0], 1, -1)
        return self._finish(self.attention(query, x)[:, 0])

    def without_mixing(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W): what would be pooled if all attention fell on one token, for each of them."""
        return self._finish(self.attention.without_mixing(x))

    def _finish(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(x))  # type: ignore[no-any-return]


class SiglipVit(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim).

    patch_dropout: the share of patches that training leaves out (Li et al. 2023, FLIP), which saves as much time.
    """

    config: SiglipVitConfig
    block_types = (Block,)
    patch_dropout = 0.0

    def __init__(self, config: SiglipVitConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        width, eps = config.width, config.layer_norm_eps
        self.patch_embedding = nn.Conv2d(3, width, config.patch_px, stride=config.patch_px)
        self.position_embedding = nn.Parameter(torch.zeros(config.grid**2, width))
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.mlp_width, config.activation, eps) for _ in range(config.depth)
        )
        self.norm_after = nn.LayerNorm(width, eps=eps)
        self.pool = AttentionPool(config)
        self.projection = projection(config.projection, width, dim)

    def features(self, pixels: Tensor) -> Tensor:
        """The input of the projection: (B, width)."""
        return self.pool(self._patches(pixels))  # type: ignore[no-any-return]

    def pool_states(self, states: list[Tensor], pixels: Tensor) -> Tensor:
        return self.pool(self.norm_after(states[-1]))  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """(..., width) -> (..., dim)"""
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        stem: Group = [self.patch_embedding, self.position_embedding]
        return [stem, *([block] for block in self.blocks), [self.norm_after, self.pool], [self.projection]]

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The input of the first block, then the output of each: depth + 1 times (B, grid * grid, width)."""
        states = [self._embed(pixels)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return states

    def with_dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and per patch (B, grid, grid, dim): what its pooling would be if all attention fell on that
        patch (after MaskCLIP, Zhou, Loy & Dai 2022)."""
        patches = self._patches(pixels)
        dense = self.project(self.pool.without_mixing(patches))
        return self.project(self.pool(patches)), dense.view(-1, self.config.grid, self.config.grid, dense.shape[2])

    def _embed(self, pixels: Tensor) -> Tensor:
        """The input of the first block: (B, N, W)."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        x: Tensor = patches + self.position_embedding
        if self.training and self.patch_dropout:
            x = take_tokens(x, kept_patches(x.shape[0], x.shape[1], self.patch_dropout, x.device))
        return x

    def _patches(self, pixels: Tensor) -> Tensor:
        """The input of the pooling: (B, N, W)."""
        x = self._embed(pixels)
        for block in self.blocks:
            x = block(x)
        return self.norm_after(x)  # type: ignore[no-any-return]
