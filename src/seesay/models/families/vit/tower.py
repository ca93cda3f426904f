"""Vision Transformer image tower, as OpenAI's CLIP and its successors use it."""

import torch
from torch import Tensor, nn

from seesay.models.families.vit.config import AttentionPoolConfig, VitConfig
from seesay.models.families.vit.dense import DENSE_MODES, DenseMode, patch_features
from seesay.models.families.vit.relevance import attended, gradients, rollout
from seesay.models.layers.groups import Group
from seesay.models.layers.patch_dropout import kept_patches, take_tokens
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import ImageTower
from seesay.models.layers.transformer import Attention, Block


class AttentionPool(nn.Module):
    """CoCa's pooling (Yu et al. 2022), in OpenCLIP's form: x (B, N, inputs) -> (B, queries, width)."""

    def __init__(self, config: AttentionPoolConfig, inputs: int, eps: float) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(config.queries, config.width))
        self.norm_query = nn.LayerNorm(config.width, eps=eps)
        self.norm_key = nn.LayerNorm(inputs, eps=eps)
        self.attention = Attention(config.width, config.heads, inputs)

    def forward(self, x: Tensor, count: int) -> Tensor:
        """Only the first `count` queries."""
        queries = self.norm_query(self.query[:count]).expand(x.shape[0], -1, -1)
        return self.attention(queries, self.norm_key(x))  # type: ignore[no-any-return]

    def without_mixing(self, x: Tensor) -> Tensor:
        """x (B, N, inputs) -> (B, N, width): each token's own value."""
        return self.attention.without_mixing(self.norm_key(x))


class Vit(ImageTower):
    """pixels (B, 3, image_px, image_px) -> (B, dim).

    patch_dropout: the share of patches that training leaves out (Li et al. 2023, FLIP), which saves as much time.
    """

    config: VitConfig
    block_types = (Block,)
    patch_dropout = 0.0

    def __init__(self, config: VitConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        width, eps = config.width, config.layer_norm_eps
        self.patch_embedding = nn.Conv2d(3, width, config.patch_px, stride=config.patch_px, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.position_embedding = nn.Parameter(torch.zeros(config.grid**2 + 1, width))
        self.norm_before = nn.LayerNorm(width, eps=eps) if config.norm_before else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.mlp_width, config.activation, eps, layer_scale=config.layer_scale)
            for _ in range(config.depth)
        )
        self.attention_pool = None if config.attention_pool is None else AttentionPool(config.attention_pool, width, eps)
        self.norm_after = nn.LayerNorm(config.feature_width, eps=eps)
        self.projection = projection(config.projection, config.feature_width, dim)

    def features(self, pixels: Tensor) -> Tensor:
        """The input of the projection: (B, config.feature_width)."""
        return self.pool(self._before_last(pixels))

    def pool_states(self, states: list[Tensor], pixels: Tensor) -> Tensor:
        return self.pool(states[-2])

    def pool(self, x: Tensor) -> Tensor:
        """The input of the last block (B, 1 + N, W) -> features (B, config.feature_width)."""
        last = self.blocks[-1]
        if self.attention_pool is not None:
            is_first = self.config.pooling == "cls"
            x = self.norm_after(self.attention_pool(last(x), 1 if is_first else len(self.attention_pool.query)))
            return x[:, 0] if is_first else x[:, 1:].mean(dim=1)
        if self.config.pooling == "cls":
            class_token = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
            return self.norm_after(last(x, query_index=class_token))  # type: ignore[no-any-return]
        if self.config.norm_after_pool:
            return self.norm_after(last(x)[:, 1:].mean(dim=1))  # type: ignore[no-any-return]
        return self.norm_after(last(x))[:, 1:].mean(dim=1)  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """(..., config.feature_width) -> (..., dim)"""
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        *blocks, last = self.blocks
        stem: Group = [self.patch_embedding, self.class_embedding, self.position_embedding, self.norm_before]
        pool: Group = [] if self.attention_pool is None else [self.attention_pool]
        return [stem, *([block] for block in blocks), [last, *pool, self.norm_after], [self.projection]]

    def hidden_states(self, pixels: Tensor) -> list[Tensor]:
        """The input of the first block, then the output of each: depth + 1 times (B, 1 + grid * grid, width)."""
        states = [self._embed(pixels)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return states

    @property
    def dense_modes(self) -> tuple[str, ...]:
        return DENSE_MODES if self.attention_pool is None else super().dense_modes

    def with_dense(self, pixels: Tensor, mode: DenseMode = "maskclip") -> tuple[Tensor, Tensor]:
        """The embedding (B, dim), and per patch (B, grid, grid, dim), its last block as `mode` says (`families.vit.dense`).

        With attention pooling the last block is as it is, and each patch attends to itself only in the pooling.
        """
        x = self._before_last(pixels)
        if self.attention_pool is None:
            patches = patch_features(self.blocks[-1], x, mode)  # type: ignore[arg-type]
        else:
            patches = self.attention_pool.without_mixing(self.blocks[-1](x)[:, 1:])
        dense = self.projection(self.norm_after(patches))
        return self.project(self.pool(x)), dense.view(-1, self.config.grid, self.config.grid, dense.shape[2])

    @property
    def has_patch_relevance(self) -> bool:
        return self.attention_pool is None and self.config.pooling == "cls"

    def patch_relevance(self, pixels: Tensor, texts: Tensor | None = None) -> Tensor:
        """How much each patch counts (B, grid, grid) by the attention of the blocks (`families.vit.relevance`): for the cosine
        with texts (B, dim), or without any for the class token, with which the tower has to pool."""
        x, weights, slopes = self._embed(pixels).detach(), [], []
        for block in self.blocks:
            with torch.enable_grad():
                x, own = attended(block, x.detach().requires_grad_())  # type: ignore[arg-type]
                if texts is not None:
                    slopes.append(gradients(own, self.project(self.norm_after(x[:, 0])), texts))
            weights.append(own.detach())
        relevance = rollout(weights) if texts is None else torch.stack(slopes).mean(dim=0)
        return relevance[:, 1:].detach().view(-1, self.config.grid, self.config.grid)

    def _before_last(self, pixels: Tensor) -> Tensor:
        """The input of the last block: (B, 1 + N, W)."""
        *blocks, _ = self.blocks
        x = self._embed(pixels)
        for block in blocks:
            x = block(x)
        return x

    def positions(self) -> Tensor:
        """(1 + N, W), which are added to the tokens."""
        return self.position_embedding

    def _embed(self, pixels: Tensor) -> Tensor:
        """The input of the first block: (B, 1 + N, W)."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)  # (B, N, W)
        first = self.class_embedding.expand(patches.shape[0], 1, -1)
        x = torch.cat([first, patches], dim=1) + self.positions()  # (B, 1 + N, W)
        if self.training and self.patch_dropout:
            x = self._drop(x)
        return self.norm_before(x)  # type: ignore[no-any-return]

    def _drop(self, x: Tensor) -> Tensor:
        """Keeps the class token and a random part of each image's patches, in order."""
        kept = kept_patches(x.shape[0], x.shape[1] - 1, self.patch_dropout, x.device)
        return torch.cat([x[:, :1], take_tokens(x, kept + 1)], dim=1)
