"""CLIP's text tower: a pre-norm transformer, pooled at the end-of-text token.

Radford et al. 2021.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.layers.groups import Group
from seesay.models.layers.projection import projection
from seesay.models.layers.tower import TextTower
from seesay.models.layers.transformer import Block


class ClipText(TextTower):
    """ids (B, L) int64, L at most `positions` -> (B, dim). With pooling "eos", every row must have an `eos_id`; nothing checks
    it here."""

    config: ClipTextConfig
    block_types = (Block,)

    def __init__(self, config: ClipTextConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        width, eps = config.width, config.layer_norm_eps
        self.token_embedding = nn.Embedding(config.vocabulary, width)
        self.class_embedding = nn.Parameter(torch.zeros(width)) if config.pooling == "class" else None
        self.position_embedding = nn.Parameter(torch.zeros(config.positions, width))
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.mlp_width, config.activation, eps) for _ in range(config.depth)
        )
        self.norm_after = nn.LayerNorm(width, eps=eps)
        self.projection = projection(config.projection, width, dim)

    @property
    def token_table(self) -> nn.Embedding:
        return self.token_embedding

    def features(self, ids: Tensor) -> Tensor:
        """The input of the projection: (B, width)."""
        *blocks, _ = self.blocks
        x, masking = self._embed(ids), self._masking(ids)
        for block in blocks:
            x = block(x, **masking)
        return self.pool(x, ids)

    def pool_states(self, states: list[Tensor], ids: Tensor) -> Tensor:
        return self.pool(states[-2], ids)

    def last_state(self, states: list[Tensor]) -> Tensor:
        return self.norm_after(states[-1])  # type: ignore[no-any-return]

    def pool(self, x: Tensor, ids: Tensor) -> Tensor:
        """The input of the last block (B, L, width) -> features (B, width)."""
        last, masking = self.blocks[-1], self._masking(ids)
        if self.config.pooling == "class":
            index = torch.full_like(ids[:, 0], ids.shape[1])
            masking["mask"] = masking["mask"][:, :, -1:]
        elif self.config.pooling == "last":
            index = torch.full_like(ids[:, 0], ids.shape[1] - 1)
        else:  # the first end of text, also when padding is made of more of them
            index = (ids == self.config.eos_id).int().argmax(dim=1)
        return self.norm_after(last(x, query_index=index, **masking))  # type: ignore[no-any-return]

    def project(self, features: Tensor) -> Tensor:
        """(B, width) -> (B, dim)"""
        return self.projection(features)  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        *blocks, last = self.blocks
        own_token = [] if self.class_embedding is None else [self.class_embedding]
        stem: Group = [self.token_embedding, self.position_embedding, *own_token]
        return [stem, *([block] for block in blocks), [last, self.norm_after], [self.projection]]

    def hidden_states(self, ids: Tensor, visible: Tensor | None = None) -> list[Tensor]:
        """The embeddings, then what leaves each block, before the last norm: depth + 1 times (B, L, width); with the class
        token, (B, L + 1, width). The first token cannot be hidden: those that see only it would see nothing."""
        states, masking = [self._embed(ids)], self._masking(ids)
        if visible is not None:
            masking = self._hiding(states[0].shape[1], visible, masking.get("mask"))
        for block in self.blocks:
            states.append(block(states[-1], **masking))
        return states

    def _embed(self, ids: Tensor) -> Tensor:
        x: Tensor = self.token_embedding(ids)
        if self.class_embedding is not None:
            x = torch.cat([x, self.class_embedding.expand(x.shape[0], 1, -1)], dim=1)
        return x + self.position_embedding[: x.shape[1]]

    def _hiding(self, length: int, visible: Tensor, mask: Tensor | None) -> dict[str, Any]:
        """Options of the blocks where tokens are hidden: a mask (B, 1, 1 or length, length)."""
        keys = F.pad(visible, (0, length - visible.shape[1]), value=True)[:, None, None, :]
        if mask is None and self.config.causal:
            mask = torch.ones(length, length, dtype=torch.bool, device=visible.device).tril()
        return {"mask": keys if mask is None else keys & mask}

    def _masking(self, ids: Tensor) -> dict[str, Any]:
        """Options of the blocks: for the class token a mask (B, 1, L + 1, L + 1)."""
        if self.config.pooling != "class":
            return {"causal": self.config.causal}
        assert self.config.pad_id is not None
        visible = F.pad(ids.ne(self.config.pad_id), (1, 0), value=True)[:, None, None, :]  # one late, as trained
        length = visible.shape[-1]
        every = torch.ones(length, length, dtype=torch.bool, device=ids.device)
        return {"mask": visible & (every.tril() if self.config.causal else every)}
