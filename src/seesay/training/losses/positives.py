"""The positive pairs of a batch: image and text of one row, and of rows with the same image or caption."""

import torch
from torch import Tensor

from seesay.training.losses.tiles import sum_dtype


class Positives:
    """Image i and text j are positives of each other where i = j, or rows i and j have the same image id or the same text id.

    Works tile by tile; nothing here is larger than a tile, and without repeated ids only the diagonal is touched. first_row: of
    the batch's `count` rows, the one that tiles call row 0; columns are numbered through the batch.
    """

    def __init__(
        self, count: int, image_ids: Tensor | None = None, text_ids: Tensor | None = None, *, first_row: int = 0
    ) -> None:
        self._first_row = first_row
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

    def _batch_rows(self, rows: slice) -> slice:
        return slice(rows.start + self._first_row, rows.stop + self._first_row)

    def _diagonal(self, tile: Tensor, rows: slice, columns: slice) -> Tensor:
        """The tile's pairs of one row, as a view."""
        return tile.diagonal(self._batch_rows(rows).start - columns.start)

    def _mask(self, rows: slice, columns: slice) -> Tensor:
        rows = self._batch_rows(rows)
        first, *others = (ids[rows, None] == ids[columns] for ids in self._ids)
        for other in others:
            first |= other
        return first

    def _weights(self, rows: slice, columns: slice, dtype: torch.dtype) -> Tensor:
        """1/n_i + 1/n_j at positives, where n counts a row's positives, and 0 elsewhere."""
        assert self._shares is not None
        shares = self._shares.to(dtype)
        return (shares[self._batch_rows(rows), None] + shares[columns]).mul_(self._mask(rows, columns))

    def target(self, tile: Tensor, rows: slice, columns: slice) -> Tensor:
        """Sum of the logits of the tile's positives, each weighted by its share of its row's and its column's targets."""
        sums = sum_dtype(tile.device)
        if self._shares is None:
            return 2 * self._diagonal(tile, rows, columns).sum(dtype=sums)
        return self._weights(rows, columns, tile.dtype).mul_(tile).sum(1).sum(dtype=sums)

    def subtract(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Subtracts those shares from the tile, in place."""
        if self._shares is not None:
            tile.sub_(self._weights(rows, columns, tile.dtype))
        else:
            self._diagonal(tile, rows, columns).sub_(2)

    def negate(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Changes the sign of the tile's positives, in place."""
        if self._shares is not None:
            tile.mul_(1 - 2 * self._mask(rows, columns).to(tile.dtype))
        else:
            self._diagonal(tile, rows, columns).neg_()


def _numbered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Ids renumbered from 0, and for every row the number of rows with its id; (N,) each."""
    _, numbers, counts = torch.unique(ids, return_inverse=True, return_counts=True)
    return numbers, counts[numbers]
