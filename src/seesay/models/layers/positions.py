"""Resizes learned position embeddings to another resolution or context length."""

from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_grid(table: Tensor, grid: int) -> Tensor:
    """(1 + old * old, W) -> (1 + grid * grid, W): bicubic with antialiasing over the grid; the first token's position is
    unchanged. A table that is itself a square has no such token, as SigLIP's.

    The rule of OpenCLIP, and for SigLIP that of timm, so that a tower opened at another resolution gives their numbers.
    """
    prefix = 0 if isqrt(len(table)) ** 2 == len(table) else 1
    tokens, cells = table[:prefix], table[prefix:]
    old = isqrt(len(cells))
    if old * old != len(cells):
        raise ValueError(f"expected a square grid, or one and a token before it, got {len(table)} positions")
    if old == grid:
        return table
    plane = cells.float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    plane = F.interpolate(plane, size=(grid, grid), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([tokens, plane.permute(0, 2, 3, 1).flatten(0, 2).to(table.dtype)])


def resize_line(table: Tensor, length: int) -> Tensor:
    """(old, W) -> (length, W), linear: for text towers with another context length."""
    if len(table) == length:
        return table
    line = F.interpolate(table.float().T[None], size=length, mode="linear", antialias=False, align_corners=False)
    return line[0].T.to(table.dtype)
