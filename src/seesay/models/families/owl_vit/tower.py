"""OWL-ViT's and OWLv2's image tower (Minderer et al. 2022 and 2023): a Vision Transformer with heads on its patches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.models.families.owl_vit.bias import box_bias
from seesay.models.families.owl_vit.config import OwlVitConfig
from seesay.models.families.vit.tower import Vit
from seesay.models.layers.groups import Group


class Layers(nn.Module):
    """Three linear layers with GELU between: (..., width) -> (..., outputs)."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.gelu(self.second(F.gelu(self.first(x)))))  # type: ignore[no-any-return]


class Heads(nn.Module):
    """What OWL-ViT says of each patch. Tokens after the last norm (B, 1 + N, W) -> `Regions`' columns (B, N, dim + 6 or 7)."""

    def __init__(self, config: OwlVitConfig, dim: int) -> None:
        super().__init__()
        width = config.width
        self.grid = config.grid
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.embedding = nn.Linear(width, dim)
        self.shift = nn.Linear(width, 1)
        self.scale = nn.Linear(width, 1)
        self.box = Layers(width, 4)
        self.objectness = Layers(width, 1) if config.objectness else None

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(tokens[:, 1:] * tokens[:, :1])  # each patch times the class token
        boxes = torch.sigmoid(self.box(x) + torch.from_numpy(box_bias(self.grid)).to(x))
        columns = [self.embedding(x), self.shift(x), F.elu(self.scale(x)) + 1, boxes]
        return torch.cat(columns if self.objectness is None else [*columns, self.objectness(x)], dim=-1)


class OwlVit(Vit):
    """pixels (B, 3, image_px, image_px) -> (B, dim), and `regions`."""

    config: OwlVitConfig

    def __init__(self, config: OwlVitConfig, dim: int) -> None:
        super().__init__(config, dim)
        self.heads = Heads(config, dim)

    def regions(self, pixels: Tensor) -> Tensor:
        """Per patch its columns, as `models.regions.Regions` splits them: (B, grid * grid, dim + 6), with objectness + 7."""
        return self.heads(self.norm_after(self.blocks[-1](self._before_last(pixels))))  # type: ignore[no-any-return]

    def groups(self) -> list[Group]:
        *first, projection = super().groups()
        return [*first, [self.heads], projection]
