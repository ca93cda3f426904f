"""`Medium`: what a drawing is made of, paths or waves of pixels, and how it is learned."""

from typing import Protocol

import torch
from torch import Tensor

from seesay.generation.drawing.fourier import FourierPicture
from seesay.generation.drawing.paths import Paths
from seesay.generation.drawing.raster import rasterise

Rates = list[tuple[Tensor, float]]  # tensors that are learned, with the learning rate of each

# For pictures of 224 pixels. CLIPDraw's (Frans, Soros and Witkowski 2021) are 1, 0.1 and 0.01, for six times as many steps.
POINT_RATE, WIDTH_RATE, COLOUR_RATE = 2.0, 0.2, 0.05
SPECTRUM_RATE = 0.05
LEAST_WIDTH = 1.0  # pixels of 224
INK = 0.1
MARGIN = 0.05  # how far a point may leave the canvas without a penalty, in sides


class Medium(Protocol):
    """A drawing under way, of size x size pixels."""

    size: int

    def picture(self) -> Tensor:
        """Levels 0..1 (3, size, size), with gradients."""
        ...

    def rates(self) -> Rates:
        """What is learned, always in the same order."""
        ...

    def penalty(self, picture: Tensor) -> Tensor:
        """What is to be avoided whatever is drawn, a scalar. picture: what `picture` gave."""
        ...

    def constrain(self) -> None:
        """Brings values back to where they may be, after each step."""
        ...


class PathMedium:
    """Layers of strokes and shapes on white paper."""

    def __init__(self, layers: tuple[Paths, ...], size: int) -> None:
        self.layers = layers
        self.size = size

    def picture(self) -> Tensor:
        return rasterise(self.layers, self.size)

    def rates(self) -> Rates:
        unit = self.size / 224
        found: Rates = []
        for paths in self.layers:
            found += [(paths.points, POINT_RATE * unit), (paths.colours, COLOUR_RATE)]
            found += [] if paths.closed else [(paths.widths, WIDTH_RATE * unit)]
        return found

    def penalty(self, picture: Tensor) -> Tensor:
        """Ink, so that what says nothing fades; and how far points are outside of the canvas, since a path that nobody sees has
        no gradients that could bring it back."""
        total = INK * (1 - picture).mean()
        for paths in self.layers:
            at = paths.points / self.size
            total = total + (at - at.clamp(-MARGIN, 1 + MARGIN)).square().sum(dim=2).mean()
        return total

    def constrain(self) -> None:
        unit = self.size / 224
        with torch.no_grad():
            for paths in self.layers:
                paths.colours.clamp_(0, 1)
                paths.widths.clamp_(LEAST_WIDTH * unit, self.size / 4)


class PixelMedium:
    """The waves of a picture."""

    def __init__(self, waves: FourierPicture) -> None:
        self.waves = waves
        self.size = waves.spectrum.shape[1]

    def picture(self) -> Tensor:
        return self.waves.picture()

    def rates(self) -> Rates:
        return [(self.waves.spectrum, SPECTRUM_RATE)]

    def penalty(self, picture: Tensor) -> Tensor:
        return torch.zeros(())

    def constrain(self) -> None:
        """Waves may be as they are."""
