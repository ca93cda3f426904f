"""Softmax over every row and every column of all logits, stored as sums so that no logit matrix is held."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seesay.training.losses.positives import Positives
from seesay.training.losses.tiles import LogitTiles, sum_dtype
from seesay.training.processes import ALONE, Processes


@dataclass(frozen=True)
class SoftmaxSums:
    """The sums of both softmaxes, from which any tile of them can be recomputed.

    Vectors have unit length, so no logit exceeds the scale: one shift for all keeps `exp` from overflowing, and one `exp`
    serves both directions. That is exact unless a row or a column is so far below the others that its sum underflows (in
    float32 at scale 100: all its cosines below about -0.4). Then `careful` sums are computed as log-sum-exp of each row and
    column, in float64.

    Rows are those of this process's images; columns are the texts of all processes, of which its `own` are a part.
    """

    rows: Tensor  # (N,) sums of exp(logit - shift) over each row; if careful, their logarithms
    columns: Tensor  # (count * N,) the same over each column, of the images of all processes
    own: slice
    shift: float
    careful: bool
    target: Tensor  # sum of the positives' shifted logits (Positives.target)

    @classmethod
    def over(
        cls,
        images: Tensor,
        texts: Tensor,
        scale: Tensor,
        tile: int,
        positives: Positives | None,
        processes: Processes = ALONE,
    ) -> "SoftmaxSums":
        """The sums for images (N, D) and the texts of all processes (count * N, D); careful where fast ones underflow."""
        fast = _fast(images, texts, scale, tile, positives, processes)
        limits = torch.finfo(images.dtype)
        least = limits.tiny * len(texts) / limits.eps  # beside such a sum, what underflowed is below rounding
        sums = torch.cat([fast.rows, fast.columns])
        exact = bool(((sums > least) & sums.isfinite()).all())
        return _careful(images, texts, scale, tile, positives, processes) if processes.any(not exact) else fast

    def logits(self, images: Tensor, texts: Tensor, scale: Tensor, tile: int) -> LogitTiles:
        """The shifted logits, tile by tile."""
        return LogitTiles(images, texts, scale, tile, images.new_tensor([-self.shift]) if self.shift else None)

    def log_sums(self) -> Tensor:
        """Sum of the log-sum-exp of this process's rows and columns, of shifted logits."""
        columns = self.columns[self.own]
        return (self.rows + columns if self.careful else self.rows.log() + columns.log()).sum()

    def probabilities(self, tile: Tensor, rows: slice, columns: slice) -> None:
        """Turns shifted logits into the sum of both softmaxes, in place."""
        if self.careful:
            exact = tile.to(self.rows.dtype)
            tile.copy_((exact - self.rows[rows, None]).exp_() + (exact - self.columns[columns]).exp_())
        else:
            weights = self.rows[rows, None].reciprocal().to(tile.dtype) + self.columns[columns].reciprocal().to(tile.dtype)
            tile.exp_().mul_(weights)


def _own(images: Tensor, processes: Processes) -> slice:
    return slice(processes.rank * len(images), (processes.rank + 1) * len(images))


def _fast(
    images: Tensor, texts: Tensor, scale: Tensor, tile: int, positives: Positives | None, processes: Processes
) -> SoftmaxSums:
    count = len(texts)
    highest = math.log(torch.finfo(images.dtype).max / count) - 2
    shift = max(0.0, math.ceil(abs(float(scale)) - highest)) if math.isfinite(float(scale)) else 0.0
    rows_sum, columns_sum = (images.new_zeros(len(x), dtype=sum_dtype(images.device)) for x in (images, texts))
    target = rows_sum.new_zeros(())
    ones = images.new_ones(min(tile, count))
    offset = images.new_tensor([-shift]) if shift else None
    for rows, columns, logits in LogitTiles(images, texts, scale, tile, offset):
        if positives is not None:
            target += positives.target(logits, rows, columns)
        logits.exp_()
        rows_sum[rows] += logits.sum(1)
        columns_sum[columns] += torch.mv(logits.T, ones[: len(logits)])  # several times as fast as sum(0)
    columns_sum = processes.sum(columns_sum)
    return SoftmaxSums(rows_sum, columns_sum, _own(images, processes), shift, careful=False, target=target)


def _careful(
    images: Tensor, texts: Tensor, scale: Tensor, tile: int, positives: Positives | None, processes: Processes
) -> SoftmaxSums:
    dtype = sum_dtype(images.device)
    log_rows, log_columns = (images.new_full((len(x),), -math.inf, dtype=dtype) for x in (images, texts))
    target = log_rows.new_zeros(())
    for rows, columns, logits in LogitTiles(images, texts, scale, tile):
        if positives is not None:
            target += positives.target(logits, rows, columns)
        exact = logits.to(log_rows.dtype)
        log_rows[rows] = torch.logaddexp(log_rows[rows], exact.logsumexp(1))
        log_columns[columns] = torch.logaddexp(log_columns[columns], exact.logsumexp(0))
    log_columns = processes.gather(log_columns[None]).logsumexp(0)
    return SoftmaxSums(log_rows, log_columns, _own(images, processes), 0.0, careful=True, target=target)
