"""Resizes learned position embeddings to another resolution or context length."""

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_grid(table: Tensor, grid: int, *, prefix: int = 1) -> Tensor:
    """(prefix + old * old, W) -> (prefix + grid * grid, W): bicubic with antialiasing over the grid; prefix tokens are
    unchanged.

    The rule of OpenCLIP, so that a tower opened at another resolution gives OpenCLIP's numbers.
    """
    tokens, cells = table[:prefix], table[prefix:]
    old = round(len(cells) ** 0.5)
    if old * old != len(cells):
        raise ValueError(f"expected {prefix} prefix tokens and a square grid, got {len(table)} positions")
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
