"""Logits of images against texts, computed one square tile at a time and never as a whole.

A process has rows for its own images, and columns for the texts of all processes.

A batch of N pairs has N x N logits; at N = 32,768 one such matrix is 4 GB, and the plain formulas hold several. Here a tile is
computed, used and overwritten, forward and again backward, so that besides the gradients a few tiles are all the memory needed.
A tile that stays in the processor's cache is also faster than rows that travel to memory between two steps.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from seesay.training.processes import ALONE, Processes

# Rows and columns of a tile. 1024 is slower on two busy cores: more, shorter steps wait for a thread.
TILE = 2048


def blocks(count: int, tile: int) -> list[slice]:
    """Slices of at most `tile` rows that cover `count` rows."""
    return [slice(start, min(start + tile, count)) for start in range(0, count, tile)]


def sum_dtype(device: torch.device) -> torch.dtype:
    """The dtype of sums over a whole batch: float64 where the device has it. They are N numbers, not N x N, so it is cheap."""
    return torch.float32 if device.type == "mps" else torch.float64


class LogitTiles:
    """scale * images @ texts.T + offset; iterating yields (rows, columns, tile), row of tiles by row of tiles.

    The tile is one buffer that the next iteration overwrites; it may be changed in place.
    """

    def __init__(self, images: Tensor, texts: Tensor, scale: Tensor, tile: int, offset: Tensor | None = None) -> None:
        self.images, self.texts, self.scale = images, texts, scale
        self.offset = offset  # (1,)
        self.row_blocks, self.column_blocks = blocks(len(images), tile), blocks(len(texts), tile)
        self._buffer = images.new_empty(min(tile, len(images)) * min(tile, len(texts)))

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor]]:
        for rows in self.row_blocks:
            scaled = self.images[rows] * self.scale  # D columns to multiply rather than the tile's
            for columns in self.column_blocks:
                texts = self.texts[columns]
                tile = self._buffer[: len(scaled) * len(texts)].view(len(scaled), len(texts))
                if self.offset is None:
                    torch.mm(scaled, texts.T, out=tile)
                else:
                    torch.addmm(self.offset, scaled, texts.T, out=tile)
                yield rows, columns, tile


class VectorGradients:
    """Gradients of images, texts and scale, accumulated from the gradients of the logits tile by tile.

    needs_images, needs_texts: the vectors whose gradients `finish` returns; the scale's is always computed.
    """

    def __init__(self, images: Tensor, texts: Tensor, *, needs_images: bool = True, needs_texts: bool = True) -> None:
        self._images, self._texts = images, texts
        needs_images = needs_images or not needs_texts  # the scale needs one of them
        self._image_gradients = torch.zeros_like(images, memory_format=torch.contiguous_format) if needs_images else None
        self._text_gradients = torch.zeros_like(texts, memory_format=torch.contiguous_format) if needs_texts else None

    def add(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Adds the gradients of one tile of logits."""
        if self._image_gradients is not None:
            self._image_gradients[rows].addmm_(tile, self._texts[columns])
        if self._text_gradients is not None:
            self._text_gradients[columns].addmm_(tile.T, self._images[rows])

    def pass_texts_on(self, processes: Processes) -> tuple[Tensor]:
        """Gives the texts and their gradients so far to the next process; returns those texts that come instead."""
        if self._text_gradients is None:
            (self._texts,) = processes.pass_on(self._texts)
        else:
            self._texts, self._text_gradients = processes.pass_on(self._texts, self._text_gradients)
        return (self._texts,)

    def finish(
        self, scale: Tensor, factor: Tensor, tile: int, processes: Processes = ALONE
    ) -> tuple[Tensor | None, Tensor | None, Tensor]:
        """The gradients of images, texts and scale; `factor` multiplies the gradients of all logits.

        Those of the texts of all processes are added up, and each gets its own.
        """
        # sum of (gradient of logit ij) * (cosine ij) is the sum of images * (gradient @ texts): no further product of matrices.
        vectors, sums = (
            (self._images, self._image_gradients) if self._image_gradients is not None else (self._texts, self._text_gradients)
        )
        assert sums is not None
        scale_gradient = sums.new_zeros((), dtype=sum_dtype(sums.device))
        for rows in blocks(len(sums), tile):
            scale_gradient += (vectors[rows] * sums[rows]).sum(dtype=scale_gradient.dtype)
        for part in (self._image_gradients, self._text_gradients):
            if part is not None:
                part.mul_(scale * factor)
        text_gradients = None if self._text_gradients is None else processes.scatter_sum(self._text_gradients)
        return self._image_gradients, text_gradients, (scale_gradient * factor).to(scale.dtype)
