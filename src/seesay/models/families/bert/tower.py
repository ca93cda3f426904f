"""BERT text tower: Chinese-CLIP's, MiniLM's, and as RoBERTa and XLM-R that of multilingual OpenCLIP.

Devlin et al. 2018.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.bert.config import BertConfig, Gate
from seesay.models.layers.groups import Group
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import TextTower
from seesay.models.layers.transformer import Block


class Embeddings(nn.Module):
    """ids (B, L) -> (B, L, width): the sum of word, position and type embeddings, normed."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.word = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.positions, config.width)
        self.token_type = nn.Embedding(config.types, config.width) if config.types else None
        self.norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        if self.config.position_ids == "after-padding":  # RoBERTa counts what is not padding, from pad_id + 1
            present = (ids != self.config.pad_id).long()
            positions = present.cumsum(dim=1) * present + self.config.pad_id
        else:
            positions = torch.arange(ids.shape[1], device=ids.device)
        x = self.word(ids) + self.position(positions)
        if self.token_type is not None:
            x = x + self.token_type.weight[0]
        return self.norm(x)  # type: ignore[no-any-return]


class Transformation(nn.Module):
    """(B, width) -> (B, outputs): the norm and the linear layer of AltCLIP (Chen et al. 2022)."""

    def __init__(self, width: int, outputs: int, eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=eps)
        self.linear = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(x))  # type: ignore[no-any-return]


class Bert(TextTower):
    """ids (B, L) int64, padded with `pad_id` -> (B, dim)."""

    config: BertConfig
    block_types = (Block,)

    def __init__(self, config: BertConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        width, eps = config.width, config.layer_norm_eps
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.mlp_width, config.activation, eps, norm="post") for _ in range(config.depth)
        )
        self.pooler = nn.Linear(width, width) if config.pooling == "tanh" else None
        self.transformation = Transformation(width, config.transformation, eps) if config.transformation else None
        self.projection = projection("none" if config.head == "unit-centred" else config.head, config.feature_width, dim)
        if config.head == "unit-centred":
            self.centre = nn.Parameter(torch.zeros(dim))

    @property
    def token_table(self) -> nn.Embedding:
        return self.embeddings.word

    def features(self, ids: Tensor) -> Tensor:
        """The input of the head: (B, config.feature_width)."""
        *blocks, _ = self.blocks
        mask = self._mask(ids)
        x = self.embeddings(ids)
        for block in blocks:
            x = block(x, mask=mask)
        return self.pool(x, ids)

    def pool_states(self, states: list[Tensor], ids: Tensor) -> Tensor:
        return self.pool(states[-2], ids)

    def pool(self, x: Tensor, ids: Tensor) -> Tensor:
        """The input of the last block (B, L, width) -> features (B, config.feature_width)."""
        last, mask = self.blocks[-1], self._mask(ids)
        if self.config.pooling == "mean":
            present = (ids != self.config.pad_id).to(x.dtype).unsqueeze(-1)
            return (last(x, mask=mask) * present).sum(dim=1) / present.sum(dim=1)  # type: ignore[no-any-return]
        first = last(x, mask=mask, query_index=torch.zeros_like(ids[:, 0]))
        if self.transformation is not None:
            return self.transformation(first)  # type: ignore[no-any-return]
        return first if self.pooler is None else torch.tanh(self.pooler(first))

    def project(self, features: Tensor) -> Tensor:
        """(B, config.feature_width) -> (B, dim)"""
        if self.config.head == "unit-centred":
            return F.normalize(features, dim=-1) - self.centre
        projected: Tensor = self.projection(features)
        return projected if self.config.gate is None else gated(projected, self.config.gate)

    def groups(self) -> list[Group]:
        *blocks, last = self.blocks
        pooled: Group = [last, *(part for part in (self.pooler, self.transformation) if part is not None)]
        head: Group = [self.centre] if self.config.head == "unit-centred" else [self.projection]
        return [[self.embeddings], *([block] for block in blocks), pooled, head]

    def hidden_states(self, ids: Tensor, visible: Tensor | None = None) -> list[Tensor]:
        """The embeddings, then what leaves each block: depth + 1 times (B, L, width)."""
        mask = self._mask(ids) if visible is None else self._mask(ids) & visible[:, None, None, :]
        states = [self.embeddings(ids)]
        for block in self.blocks:
            states.append(block(states[-1], mask=mask))
        return states

    def _mask(self, ids: Tensor) -> Tensor:
        return (ids != self.config.pad_id)[:, None, None, :]  # (B, 1, 1, L)


def gated(x: Tensor, gate: Gate) -> Tensor:
    """(..., dim) -> (..., dim), weighted as `Gate` describes."""
    first, rest = x[..., : gate.dims], x[..., gate.dims :]
    share = first.norm(dim=-1, keepdim=True) / x.norm(dim=-1, keepdim=True)
    weight = gate.least + (1 - gate.least) * torch.sigmoid((share - gate.middle) / gate.slope)
    return torch.cat([first * weight, rest], dim=-1)
