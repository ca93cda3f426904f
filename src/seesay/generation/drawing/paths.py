"""`Paths`: cubic Bezier curves with a colour each, as open strokes or as filled closed shapes."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

SAMPLES = 12  # straight pieces per cubic


@dataclass(frozen=True)
class Paths:
    """N paths of one kind, the first one painted first.

    points (N, P, 2): x and y in pixels from the upper left corner. Of an open path P = 3 k + 1 for k cubics, of a closed one
    P = 3 k; every third is on the curve. widths (N,): pixels, of closed paths unused. colours (N, 4): red, green, blue and
    opacity, 0..1. All of one floating dtype.
    """

    points: Tensor
    widths: Tensor
    colours: Tensor
    closed: bool

    def cubics(self) -> Tensor:
        """The four control points of each cubic: (N, k, 4, 2)."""
        points = torch.cat([self.points, self.points[:, :1]], dim=1) if self.closed else self.points
        return points.unfold(1, 4, 3).transpose(2, 3)

    def polylines(self) -> Tensor:
        """Points along each path, (N, k * SAMPLES + 1, 2), those of a closed path ending where they began."""
        cubics = self.cubics()
        t = torch.arange(SAMPLES, dtype=self.points.dtype) / SAMPLES
        weights = torch.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], dim=1)
        inner = (weights @ cubics).flatten(1, 2)
        return torch.cat([inner, cubics[:, -1, 3:]], dim=1)

    def scaled(self, factor: float) -> "Paths":
        """The same drawing on a canvas larger by a factor."""
        return replace(self, points=self.points * factor, widths=self.widths * factor)
