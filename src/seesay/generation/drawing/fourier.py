"""`FourierPicture`: a picture as the spectrum of its waves, for drawing pixel by pixel."""

import torch
from torch import Tensor

# Opponent colours, one a column: brightness, red against blue, green against magenta. In photos of natural scenes these are
# nearly independent, and spread differently (after Ruderman, Cronin and Chiao 1998).
COLOURS = ((0.577, 0.7071, 0.4082), (0.577, 0.0, -0.8165), (0.577, -0.7071, 0.4082))
SPREAD = (1.0, 0.5, 0.4)  # standard deviations of brightness, of red against blue, and of green against magenta
START = 0.02  # standard deviation of the spectrum in the beginning


class FourierPicture:
    """spectrum (3, H, W // 2 + 1, 2): of brightness and two opponent colours; real and imaginary parts of waves, each divided
    by what it weighs in a natural picture, 1 / frequency, so that all waves are learned alike (Olah, Mordvintsev and Schubert
    2017, "Feature Visualization").
    """

    def __init__(self, spectrum: Tensor) -> None:
        self.spectrum = spectrum

    @staticmethod
    def random(size: int, generator: torch.Generator) -> "FourierPicture":
        """A nearly grey picture of size x size pixels."""
        return FourierPicture(START * torch.randn(3, size, size // 2 + 1, 2, generator=generator))

    @staticmethod
    def of(picture: Tensor) -> "FourierPicture":
        """A picture (3, size, size) of levels 0..1 -> itself, as far as levels of exactly 0 and 1 can be."""
        size = picture.shape[1]
        logits = torch.logit(picture.clamp(0.02, 0.98)).flatten(1)
        opponent = torch.linalg.solve(_colours(), logits).view(3, size, size)
        waves = torch.fft.rfft2(opponent, norm="ortho") / _weights(size)
        return FourierPicture(torch.view_as_real(waves))

    def picture(self) -> Tensor:
        """Levels 0..1: (3, size, size)."""
        size = self.spectrum.shape[1]
        waves = torch.view_as_complex(self.spectrum) * _weights(size)
        opponent = torch.fft.irfft2(waves, s=(size, size), norm="ortho").flatten(1)
        return torch.sigmoid(_colours() @ opponent).view(3, size, size)


def _weights(size: int) -> Tensor:
    """What each wave weighs: 1 / its frequency, the lowest like the next one. (size, size // 2 + 1)"""
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None])
    return 1 / frequency.clamp(min=1 / size)


def _colours() -> Tensor:
    """Opponent colours -> red, green and blue: (3, 3)."""
    return torch.tensor(COLOURS) * torch.tensor(SPREAD)
