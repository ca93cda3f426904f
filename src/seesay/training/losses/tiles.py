"""Logits of every image against every text, made one square tile at a time and never whole.

A batch of N pairs has N x N logits; at N = 32,768 one such matrix is 4 GB, and the plain formulas hold several. Here a tile is
made, used and overwritten, forward and again backward, so that beside the gradients memory is a few tiles. A tile that stays in
the processor's cache is also faster than rows that travel to memory between two steps.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# Rows and columns of a tile. On two cores 1024 loses to this where others use them too: more, shorter steps wait for a thread.
TILE = 2048


def blocks(count: int, tile: int) -> list[slice]:
    return [slice(start, min(start + tile, count)) for start in range(0, count, tile)]


def wide(device: torch.device) -> torch.dtype:
    """What sums over a whole batch are kept in: they are N numbers, not N x N, and so cost nothing."""
    return torch.float32 if device.type == "mps" else torch.float64


class Logits:
    """scale * images @ texts.T + offset: iterating gives (rows, columns, tile), row after row.

    The tile is one buffer that the next step overwrites; its user may change it in place.
    """

    def __init__(self, images: Tensor, texts: Tensor, scale: Tensor, tile: int, offset: Tensor | None = None) -> None:
        self.images, self.texts, self.scale = images, texts, scale
        self.offset = offset  # (1,)
        self.blocks = blocks(len(images), tile)
        self._buffer = images.new_empty(min(tile, len(images)) ** 2)

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        for rows in self.blocks:
            scaled = self.images[rows] * self.scale  # the smaller matrix takes the scale
            for columns in self.blocks:
                texts = self.texts[columns]
                tile = self._buffer[: len(scaled) * len(texts)].view(len(scaled), len(texts))
                if self.offset is None:
                    torch.mm(scaled, texts.T, out=tile)
                else:
                    torch.addmm(self.offset, scaled, texts.T, out=tile)
                yield rows, columns, tile


class Gradients:
    """From the gradient of every logit, given tile by tile, those of the images, the texts and the scale."""

    def __init__(self, images: Tensor, texts: Tensor, *, of_images: bool = True, of_texts: bool = True) -> None:
        self._images, self._texts = images, texts
        of_images = of_images or not of_texts  # the scale needs one of them
        self._to_images = torch.zeros_like(images, memory_format=torch.contiguous_format) if of_images else None
        self._to_texts = torch.zeros_like(texts, memory_format=torch.contiguous_format) if of_texts else None

    def add(self, tile: Tensor, rows: slice, columns: slice) -> None:
        if self._to_images is not None:
            self._to_images[rows].addmm_(tile, self._texts[columns])
        if self._to_texts is not None:
            self._to_texts[columns].addmm_(tile.T, self._images[rows])

    def finish(self, scale: Tensor, factor: Tensor, tile: int) -> tuple[Tensor | None, Tensor | None, Tensor]:
        """Of images, texts and scale, where `factor` stands before the sum of all logits' gradients."""
        # sum of (gradient of logit ij) * (cosine ij) is the sum of images * (gradient @ texts): no further product of matrices.
        vectors, sums = (self._images, self._to_images) if self._to_images is not None else (self._texts, self._to_texts)
        assert sums is not None
        of_scale = sums.new_zeros((), dtype=wide(sums.device))
        for rows in blocks(len(sums), tile):
            of_scale += (vectors[rows] * sums[rows]).sum(dtype=of_scale.dtype)
        for part in (self._to_images, self._to_texts):
            if part is not None:
                part.mul_(scale * factor)
        return self._to_images, self._to_texts, (of_scale * factor).to(scale.dtype)
