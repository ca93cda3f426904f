"""Where a drawing begins: at random, or from a photo."""

import math

import torch
from torch import Tensor

from seesay.generation.drawing.fourier import FourierPicture
from seesay.generation.drawing.medium import Medium, PathMedium, PixelMedium
from seesay.generation.drawing.paths import Paths
from seesay.generation.drawing.settings import Mode
from seesay.generation.drawing.views import blurred

CUBICS = 4  # of a shape
SCATTER = 0.22  # standard deviation of where paths begin, in sides of the canvas
OPACITY = (0.3, 0.7)  # least and greatest in the beginning: what is faint is changed, or taken away, more easily
LARGE = 0.25  # radius of the first shapes where a photo is drawn, in sides of the canvas


def start(mode: Mode, count: int, size: int, generator: torch.Generator, photo: Tensor | None = None) -> Medium:
    """A drawing of size x size pixels before its first step; `count` paths, where it is made of paths.

    With a photo (3, size, size) of levels 0..1, paths have its colours, and lie where it has edges.
    """
    if mode == "pixels":
        return PixelMedium(FourierPicture.random(size, generator))
    if photo is None:
        paths = random_strokes(count, size, generator) if mode == "strokes" else random_shapes(count, size, generator)
    else:
        paths = strokes_of(photo, count, generator) if mode == "strokes" else shapes_of(photo, count, generator)
    return PathMedium((paths,), size)


def random_strokes(count: int, size: int, generator: torch.Generator) -> Paths:
    """Strokes about the middle of the canvas in random colours: a cubic each, whose points wander from one to the next, as in
    CLIPDraw (Frans, Soros and Witkowski 2021)."""
    steps = 0.1 * (2 * torch.rand(count, 3, 2, generator=generator) - 1)
    first = _places(count, generator) - steps[:, :1]
    points = torch.cat([first, first + steps.cumsum(dim=1)], dim=1) * size
    widths = (3 + 5 * torch.rand(count, generator=generator)) * size / 224
    return Paths(points, widths, _colours(count, generator), closed=False)


def random_shapes(count: int, size: int, generator: torch.Generator) -> Paths:
    """Filled blobs about the middle of the canvas in random colours, nearly circles; the more there are, the smaller."""
    centre = _places(count, generator)
    radius = (0.04 + 0.1 * torch.rand(count, 1, 1, generator=generator)) * (64 / max(count, 16)) ** 0.5
    points = (centre + radius * _circle()) * size
    return Paths(points, torch.ones(count), _colours(count, generator), closed=True)


def _places(count: int, generator: torch.Generator) -> Tensor:
    """Places (count, 1, 2) in sides of the canvas, most of them near its middle, which all views see."""
    return (0.5 + SCATTER * torch.randn(count, 1, 2, generator=generator)).clamp(0.05, 0.95)


def strokes_of(photo: Tensor, count: int, generator: torch.Generator) -> Paths:
    """Short strokes along the edges of a photo, in the colours that it has there."""
    size = photo.shape[1]
    at, across = _edges(photo, count, generator)
    along = torch.stack([-across[:, 1], across[:, 0]], dim=1)
    reach = (0.03 + 0.05 * torch.rand(count, 1, generator=generator)) * size
    points = at[:, None] + torch.linspace(-1, 1, 4)[:, None] * (along * reach)[:, None]
    widths = (2 + 3 * torch.rand(count, generator=generator)) * size / 224
    return Paths(points, widths, _colours_at(photo, at), closed=False)


def shapes_of(photo: Tensor, count: int, generator: torch.Generator) -> Paths:
    """Blobs in a photo's colours, from large ones everywhere to small ones at edges, as painters lay in (Hertzmann 1998)."""
    size = photo.shape[1]
    at, _ = _edges(photo, count, generator)
    large = count // 3
    at[:large] = torch.rand(large, 2, generator=generator) * size
    shrink = torch.linspace(0, 1, count)[:, None, None]
    radius = LARGE * size * (64 / max(count, 16)) ** 0.25 * torch.exp(-2.2 * shrink)
    return Paths(at[:, None] + radius * _circle(), torch.ones(count), _colours_at(photo, at), closed=True)


def _edges(photo: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places (count, 2) in pixels, more of them where a photo's brightness changes, and directions of its change (count, 2)."""
    soft = blurred(photo[None], torch.full((1,), photo.shape[1] / 112))[0].mean(dim=0)
    dy, dx = torch.gradient(soft)
    strength = torch.hypot(dx, dy)
    density = strength + 0.3 * strength.mean() + 1e-6
    chosen = torch.multinomial(density.flatten(), count, replacement=True, generator=generator)
    row, column = chosen // photo.shape[1], chosen % photo.shape[1]
    across = torch.stack([dx[row, column], dy[row, column]], dim=1) + 1e-6
    return torch.stack([column, row], dim=1) + 0.5, across / across.norm(dim=1, keepdim=True)


def _colours_at(photo: Tensor, at: Tensor) -> Tensor:
    column, row = at.long().clamp(0, photo.shape[1] - 1).T
    return torch.cat([photo[:, row, column].T, torch.full((len(at), 1), 0.8)], dim=1)


def _colours(count: int, generator: torch.Generator) -> Tensor:
    colours = torch.rand(count, 4, generator=generator)
    colours[:, 3] = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * colours[:, 3]
    return colours


def _circle() -> Tensor:
    """The points (3 * CUBICS, 2) of a closed path that is nearly the unit circle."""
    step = 2 * math.pi / CUBICS
    angle = torch.arange(CUBICS) * step
    on = torch.stack([angle.cos(), angle.sin()], dim=1)
    along = torch.stack([-angle.sin(), angle.cos()], dim=1) * (4 / 3 * math.tan(step / 4))
    return torch.stack([on, on + along, on.roll(-1, 0) - along.roll(-1, 0)], dim=1).flatten(0, 1)
