"""The positive pairs of a batch: image and text of one row, and of rows with the same image or caption."""

import torch
from torch import Tensor

from seesay.training.losses.tiles import sum_dtype


class Positives:
    """Image i and text j are positives of each other where i = j, or rows i and j have the same image id or the same text id.

    Works tile by tile; nothing here is larger than a tile, and without repeated ids only the diagonal is touched.
    """

    def __init__(self, count: int, image_ids: Tensor | None = None, text_ids: Tensor | None = None) -> None:
        self._ids: list[Tensor] = []  # (N,) each, numbered from 0; none if no id repeats
        self._shares: Tensor | None = None  # (N,) 1 / number of positives of each row, which is also that of its column
        groups, sizes = [], []
        for ids in (image_ids, text_ids):
            if ids is not None:
                numbers, group_sizes = _numbered(ids)
                groups.append(numbers)
                sizes.append(group_sizes)
        if len(groups) == 2:  # rows equal in both ids were counted twice
            _, both = _numbered(groups[0] * count + groups[1])
            sizes[1] = sizes[1] - both
        positives = sum(sizes[1:], start=sizes[0]) if sizes else None
        if positives is not None and int(positives.max()) > 1:
            self._ids = [numbers.int() for numbers in groups]
            self._shares = positives.to(sum_dtype(positives.device)).reciprocal()

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
        """Sum of the logits of the tile's positives, each weighted by its share of its row's and its column's targets."""
        sums = sum_dtype(tile.device)
        if self._shares is None:
            return 2 * tile.diagonal().sum(dtype=sums) if rows == columns else 0.0
        return self._weights(rows, columns, tile.dtype).mul_(tile).sum(1).sum(dtype=sums)

    def subtract(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Subtracts those shares from the tile, in place."""
        if self._shares is not None:
            tile.sub_(self._weights(rows, columns, tile.dtype))
        elif rows == columns:
            tile.diagonal().sub_(2)

    def negate(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Changes the sign of the tile's positives, in place."""
        if self._shares is not None:
            tile.mul_(1 - 2 * self._mask(rows, columns).to(tile.dtype))
        elif rows == columns:
            tile.diagonal().neg_()


def _numbered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Ids renumbered from 0, and for every row the number of rows with its id; (N,) each."""
    _, numbers, counts = torch.unique(ids, return_inverse=True, return_counts=True)
    return numbers, counts[numbers]
