"""Views: random looks at a picture, so that a drawing must please a model from everywhere and not by a pattern of pixels."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.images.spec import ImageSpec


@dataclass(frozen=True)
class Views:
    """How much the views differ; each amount is drawn anew for each view.

    count: views in a step. scale: least and greatest side of the part that is shown, in sides of the picture; more than 1 shows
    white around it. perspective: how far each corner moves, in sides. turn: degrees. blur: greatest standard deviation of a low
    pass, in pixels of the picture. colour: by how much contrast and each channel's level are scaled and moved. noise: greatest
    standard deviation, of levels 0..1.
    """

    count: int = 4
    scale: tuple[float, float] = (0.65, 1.1)
    perspective: float = 0.12
    turn: float = 8.0
    flip: bool = False
    blur: float = 2.0
    colour: float = 0.15
    noise: float = 0.1

    def of(self, picture: Tensor, spec: ImageSpec, generator: torch.Generator, side: int | None = None) -> Tensor:
        """A picture (3, H, W) of levels 0..1 -> `count` views of it as a tower's pixels, (count, 3, side, side); the side is
        size_px unless it is given."""
        return self.of_each([picture], spec, generator, side)[0]

    def of_each(
        self, pictures: list[Tensor], spec: ImageSpec, generator: torch.Generator, side: int | None = None
    ) -> list[Tensor]:
        """The same views of each of some pictures."""
        side = side or spec.size_px
        grid = self._grid(side, generator)
        deviations = self._uniform(generator, self.count, high=self.blur)
        gains = 1 + self.colour * self._symmetric(generator, self.count, 1, 1, 1)
        shifts = self.colour / 2 * self._symmetric(generator, self.count, 3, 1, 1)
        strength = self._uniform(generator, self.count, high=self.noise)[:, None, None, None]
        noise = strength * torch.randn(self.count, 3, side, side, generator=generator)
        found = []
        for picture in pictures:
            soft = blurred(picture.expand(self.count, -1, -1, -1), deviations)
            # Outside of the picture is white, which zero padding gives to the difference from white.
            seen = 1 + F.grid_sample(soft - 1, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
            found.append(normalized(((seen - 0.5) * gains + 0.5 + shifts + noise).clamp(0, 1), spec))
        return found

    def _grid(self, side: int, generator: torch.Generator) -> Tensor:
        """Where each pixel of each view looks in the picture, -1..1: (count, side, side, 2)."""
        low, high = self.scale
        scale = low + (high - low) * torch.rand(self.count, generator=generator)
        centre = (1 - scale).clamp(min=0)[:, None] * self._symmetric(generator, self.count, 2)
        angle = self.turn * torch.pi / 180 * self._symmetric(generator, self.count)
        turned = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(-1, 2, 2)
        corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
        moved = corners + 2 * self.perspective * self._symmetric(generator, self.count, 4, 2)
        if self.flip:
            sign = torch.where(torch.rand(self.count, 1, generator=generator) < 0.5, -1.0, 1.0)
            moved = moved * torch.stack([sign, torch.ones_like(sign)], dim=2)
        moved = moved @ turned * scale[:, None, None] + centre[:, None]
        return _homographies(corners, moved, side)

    @staticmethod
    def _uniform(generator: torch.Generator, *shape: int, high: float) -> Tensor:
        return high * torch.rand(*shape, generator=generator)

    @staticmethod
    def _symmetric(generator: torch.Generator, *shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=generator) - 1


def plain(picture: Tensor, spec: ImageSpec) -> Tensor:
    """The whole picture (3, H, W) as a tower's pixels (1, 3, size_px, size_px)."""
    side = (spec.size_px, spec.size_px)
    return normalized(F.interpolate(picture[None], side, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1), spec)


def normalized(levels: Tensor, spec: ImageSpec) -> Tensor:
    """Levels 0..1 (B, 3, H, W) -> (level - mean) / std, as the tower takes them."""
    mean, std = (torch.tensor(values, dtype=levels.dtype).view(3, 1, 1) for values in (spec.mean, spec.std))
    return (levels - mean) / std


def blurred(pictures: Tensor, deviations: Tensor) -> Tensor:
    """Pictures (B, 3, H, W), each under a Gaussian low pass with a standard deviation of its own (B,), in pixels."""
    radius = int(2 * float(deviations.max()) + 0.5) if len(deviations) else 0
    if radius == 0:
        return pictures
    at = torch.arange(-radius, radius + 1, dtype=pictures.dtype)
    kernels = torch.exp(-0.5 * (at / deviations.to(pictures.dtype).clamp(min=0.05)[:, None]) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)
    count, _, height, width = pictures.shape
    flat = F.pad(pictures.reshape(1, 3 * count, height, width), (radius,) * 4, mode="replicate")
    flat = F.conv2d(flat, kernels[:, None, None, :], groups=3 * count)
    return F.conv2d(flat, kernels[:, None, :, None], groups=3 * count).view(count, 3, height, width)


def _homographies(corners: Tensor, moved: Tensor, side: int) -> Tensor:
    """The plane's projective maps that move four corners (4, 2) to (B, 4, 2), on a grid of side x side: (B, side, side, 2)."""
    x, y = corners[:, 0].expand(len(moved), 4), corners[:, 1].expand(len(moved), 4)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    u, v = moved[..., 0], moved[..., 1]
    upper = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], dim=2)
    lower = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], dim=2)
    solved = torch.linalg.solve(torch.cat([upper, lower], dim=1).double(), torch.cat([u, v], dim=1).double()).float()
    matrices = F.pad(solved, (0, 1), value=1.0).view(-1, 3, 3)
    at = (torch.arange(side, dtype=torch.float32) + 0.5) * 2 / side - 1
    grid = torch.stack([at.repeat(side), at.repeat_interleave(side), torch.ones(side * side)], dim=1)
    seen = grid @ matrices.transpose(1, 2)
    return (seen[..., :2] / seen[..., 2:]).view(-1, side, side, 2)
