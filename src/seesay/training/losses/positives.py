"""Which image and which text of a batch belong together: always those of one row, and by identity those of others."""

import torch
from torch import Tensor

from seesay.training.losses.tiles import wide


class Positives:
    """Image i and text j are positives of each other where i = j, or rows i and j have the same image id or the same text id.

    Answers tile by tile; nothing here is larger than a tile, and without repeated ids only the diagonal is touched.
    """

    def __init__(self, count: int, image_ids: Tensor | None = None, text_ids: Tensor | None = None) -> None:
        self._ids: list[Tensor] = []  # each numbered from 0, without those that never repeat
        self._shares: Tensor | None = None  # (N,) 1 / positives of that row, and of that column
        groups, sizes = [], []
        for ids in (image_ids, text_ids):
            if ids is not None:
                numbers, group_sizes = _numbered(ids)
                groups.append(numbers)
                sizes.append(group_sizes)
        if len(groups) == 2:  # rows alike in both were counted twice
            _, both = _numbered(groups[0] * count + groups[1])
            sizes[1] = sizes[1] - both
        positives = sum(sizes[1:], start=sizes[0]) if sizes else None
        if positives is not None and int(positives.max()) > 1:
            self._ids = [numbers.int() for numbers in groups]
            self._shares = positives.to(wide(positives.device)).reciprocal()

    def _mask(self, rows: slice, columns: slice) -> Tensor:
        first, *others = (ids[rows, None] == ids[columns] for ids in self._ids)
        for other in others:
            first |= other
        return first

    def _weights(self, rows: slice, columns: slice, dtype: torch.dtype) -> Tensor:
        """1/n_i + 1/n_j at positives, where n counts a row's positives, and 0 elsewhere."""
        assert self._shares is not None
        shares = self._shares.to(dtype)
        return (shares[rows, None] + shares[columns]).mul_(self._mask(rows, columns))

    def target(self, tile: Tensor, rows: slice, columns: slice) -> Tensor | float:
        """Sum over the tile's positives of their logits, each by its share of its row's targets and of its column's."""
        sums = wide(tile.device)
        if self._shares is None:
            return 2 * tile.diagonal().sum(dtype=sums) if rows == columns else 0.0
        return self._weights(rows, columns, tile.dtype).mul_(tile).sum(1).sum(dtype=sums)

    def subtract(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Takes those shares off the tile."""
        if self._shares is not None:
            tile.sub_(self._weights(rows, columns, tile.dtype))
        elif rows == columns:
            tile.diagonal().sub_(2)

    def negate(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Turns the sign of the tile's positives."""
        if self._shares is not None:
            tile.mul_(1 - 2 * self._mask(rows, columns).to(tile.dtype))
        elif rows == columns:
            tile.diagonal().neg_()


def _numbered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Ids as numbers from 0 on, and for every row how many have its id."""
    _, numbers, counts = torch.unique(ids, return_inverse=True, return_counts=True)
    return numbers, counts[numbers]
