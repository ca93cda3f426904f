"""CLIPSeg's image tower (Lüddecke & Ecker 2022): a Vision Transformer, and a decoder that makes masks of its tokens."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.clipseg.config import ClipSegConfig
from seesay.models.families.vit.tower import Vit
from seesay.models.layers.groups import Group
from seesay.models.layers.transformer import Block


class Decoder(nn.Module):
    """States of the tower's chosen blocks, each (B, 1 + N, W), and queries (Q, dim) -> logits (B, Q, image_px, image_px)."""

    def __init__(self, config: ClipSegConfig, dim: int) -> None:
        super().__init__()
        self.config, parts = config, config.decoder
        width, eps = parts.width, config.layer_norm_eps
        self.multiply = nn.Linear(dim, width)
        self.add = nn.Linear(dim, width)
        self.reduce = nn.ModuleList(nn.Linear(config.width, width) for _ in parts.blocks)
        self.blocks = nn.ModuleList(Block(width, parts.heads, parts.mlp_width, "relu", eps, norm="post") for _ in parts.blocks)
        self.draw = nn.ModuleList(_convolutions(config))

    def forward(self, states: list[Tensor], queries: Tensor) -> Tensor:
        query_at, count, grid = self.config.decoder.query_at, len(queries), self.config.grid
        x: Tensor | None = None
        for i, (reduce, block) in enumerate(zip(self.reduce, self.blocks, strict=True)):
            reduced = reduce(states[-1 - i])  # (B, L, w), from the deepest block to the first
            if i > query_at:
                reduced = reduced.repeat_interleave(count, dim=0)  # (B * Q, L, w)
            x = reduced if x is None else x + reduced
            if i == query_at:
                x = x[:, None] * self.multiply(queries)[:, None] + self.add(queries)[:, None]  # (B, Q, L, w)
                x = x.flatten(0, 1)
            x = block(x)
        assert x is not None
        x = x[:, 1:].transpose(1, 2).reshape(len(x), -1, grid, grid)  # (B * Q, w, grid, grid)
        for number, layer in enumerate(self.draw):
            x = layer(F.relu(x) if number else x)
        return x.view(-1, count, *x.shape[2:])


def _convolutions(config: ClipSegConfig) -> list[nn.Module]:
    """One transposed convolution from patches to pixels; or a convolution and two transposed ones, ReLU between."""
    width, patch = config.decoder.width, config.patch_px
    if config.decoder.convolutions == 1:
        return [nn.ConvTranspose2d(width, 1, patch, stride=patch)]
    part = patch // 4
    return [
        nn.Conv2d(width, width, 3, padding=1),
        nn.ConvTranspose2d(width, width // 2, part, stride=part),
        nn.ConvTranspose2d(width // 2, 1, part, stride=part),
    ]


class ClipSeg(Vit):
    """pixels (B, 3, image_px, image_px) -> (B, dim), and `masks`."""

    config: ClipSegConfig

    def __init__(self, config: ClipSegConfig, dim: int) -> None:
        super().__init__(config, dim)
        self.position_embedding = nn.Parameter(torch.zeros(config.positions_grid**2 + 1, config.width))
        self.decoder = Decoder(config, dim)

    def masks(self, pixels: Tensor, queries: Tensor) -> Tensor:
        """Logits (B, Q, image_px, image_px) of the masks of queries (Q, dim): raw projections of texts or pictures."""
        states, chosen = [self._embed(pixels)], self.config.decoder.blocks
        for block in self.blocks[: max(chosen) + 1]:
            states.append(block(states[-1]))
        return self.decoder([states[number + 1] for number in chosen], queries)  # type: ignore[no-any-return]

    def positions(self) -> Tensor:
        """Interpolated to the grid of `image_px`: bicubic without antialiasing, as transformers does at every run."""
        grid, old = self.config.grid, self.config.positions_grid
        if grid == old:
            return self.position_embedding
        first, cells = self.position_embedding[:1], self.position_embedding[1:]
        plane = cells.view(1, old, old, -1).permute(0, 3, 1, 2)
        plane = F.interpolate(plane, size=(grid, grid), mode="bicubic", align_corners=False)
        return torch.cat([first, plane.permute(0, 2, 3, 1).flatten(0, 2)])

    def groups(self) -> list[Group]:
        *first, projection = super().groups()
        return [*first, [self.decoder], projection]
