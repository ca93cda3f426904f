"""What is where in a picture: the cells of its windows at several scales, and maps of how well texts fit them.

An image tower sees a square of a few hundred pixels and gives a coarse grid of cells. Windows of several sizes, which overlap
and together cover the whole picture, give finer grids and whatever the tower's own crop would cut off.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seesay.errors import InputError
from seesay.images.preprocess import shown_whole
from seesay.models.encoder import ImageEncoder
from seesay.models.vectors import normalize

WHOLE = math.inf  # the scale of one window, the whole picture
SCALES = (WHOLE, 1.0, 0.5)
OVERLAP = 0.5
MOST_ALONG = 16  # windows along a side at a scale: a long strip has larger ones, which are squashed
SHALLOWEST = 0.01  # weight at the sides of a window
BATCH = 16  # windows that are cut out at a time

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels


@dataclass(frozen=True)
class Cells:
    """The cells of a picture's windows.

    size: (height, width) of the picture in pixels. windows: each one's box. scales: the number of each one's scale.
    vectors: (windows, rows, columns, D) float32, unit length.
    """

    size: tuple[int, int]
    windows: tuple[Box, ...]
    scales: tuple[int, ...]
    vectors: np.ndarray

    def cosines(self, texts: np.ndarray) -> np.ndarray:
        """Unit vectors of texts (L, D) -> cosines (windows, rows, columns, L) float32."""
        return np.asarray(self.vectors @ texts.T, dtype=np.float32)

    def maps(self, values: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        """Values of the cells (windows, rows, columns, L) -> maps (height, width, L) float32 of `size`, the picture's where it
        is None.

        Between the centres of a window's cells values are linear. Where windows of a scale overlap they are averaged, with
        weights that fall towards a window's sides, where it sees least around a point. The scales are averaged, too. Raises
        InputError for values of other cells.
        """
        if values.shape[:3] != self.vectors.shape[:3]:
            raise InputError(f"expected values of {self.vectors.shape[:3]} cells, got {values.shape[:3]}")
        height, width = size or self.size
        total = np.zeros((height, width, values.shape[3]), dtype=np.float32)
        count = len(set(self.scales))
        for scale in set(self.scales):
            of = [number for number, own in enumerate(self.scales) if own == scale]
            total += self._layer(values, of, (height, width)) / count
        return total

    def coverage(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """How many windows cover each point of a map: (height, width) int64."""
        height, width = size or self.size
        counts = np.zeros((height, width), dtype=np.int64)
        for window in self.windows:
            counts[self._span(window[1::2], height, 0), self._span(window[::2], width, 1)] += 1
        return counts

    def _layer(self, values: np.ndarray, windows: list[int], size: tuple[int, int]) -> np.ndarray:
        """The mean of some windows' values over a map, which they cover."""
        layer = np.zeros((*size, values.shape[3]), dtype=np.float32)
        weights = np.zeros(size, dtype=np.float32)
        for number in windows:
            x0, y0, x1, y1 = self.windows[number]
            rows, columns = self._span((y0, y1), size[0], 0), self._span((x0, x1), size[1], 1)
            down = self._weights(rows, (y0, y1), size[0], 0, values.shape[1])
            across = self._weights(columns, (x0, x1), size[1], 1, values.shape[2])
            inside = np.einsum("yr,rcl,xc->yxl", down, values[number], across, optimize=True)
            weight = self._depth(rows, (y0, y1), size[0], 0)[:, None] * self._depth(columns, (x0, x1), size[1], 1)
            layer[rows, columns] += weight[:, :, None] * inside
            weights[rows, columns] += weight
        return layer / weights[:, :, None]

    def _span(self, side: Sequence[float], points: int, axis: int) -> slice:
        """The points of a map's side whose centres lie within a window's."""
        start, end = (bound * points / self.size[axis] - 0.5 for bound in side)
        return slice(max(0, math.ceil(start - 1e-6)), min(points, math.floor(end + 1e-6) + 1))

    def _inside(self, span: slice, side: Sequence[float], points: int, axis: int) -> np.ndarray:
        """Where the centres of a span's points lie along a window: (points,), from 0 to 1."""
        centres = (np.arange(span.start, span.stop) + 0.5) * self.size[axis] / points
        return np.asarray((centres - side[0]) / (side[1] - side[0]))

    def _depth(self, span: slice, side: Sequence[float], points: int, axis: int) -> np.ndarray:
        """How deep inside a window the points of a span are: (points,) float32, from `SHALLOWEST` at its sides to 0.5."""
        at = self._inside(span, side, points, axis)
        return np.asarray(np.maximum(np.minimum(at, 1 - at), SHALLOWEST), dtype=np.float32)

    def _weights(self, span: slice, side: Sequence[float], points: int, axis: int, cells: int) -> np.ndarray:
        """How the points of a span are mixed from a window's cells: (points, cells) float32."""
        at = np.clip(self._inside(span, side, points, axis) * cells - 0.5, 0, cells - 1)
        return np.asarray(np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells))), dtype=np.float32)


def picture_cells(
    encoder: ImageEncoder, picture: np.ndarray, *, scales: Sequence[float] = SCALES, overlap: float = OVERLAP
) -> Cells:
    """An upright picture (height, width, 3) uint8 -> the cells of its windows.

    scales and overlap: see `window_boxes`. Raises InputError, and MissingCapability where the image tower has no dense output.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InputError(f"expected a uint8 picture (height, width, 3), got {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    layout = [(number, box) for number, scale in enumerate(scales) for box in window_boxes(width, height, scale, overlap)]
    if not layout:
        raise InputError("expected at least one scale, got none")
    image, spec, rows = Image.fromarray(picture), encoder.image_spec, []
    for start in range(0, len(layout), BATCH):
        shown = [shown_whole(image, box, spec) for _, box in layout[start : start + BATCH]]
        rows.append(encoder.encode_dense(shown))
    boxes, numbers = tuple(box for _, box in layout), tuple(number for number, _ in layout)
    return Cells((height, width), boxes, numbers, np.concatenate(rows))


def window_boxes(width: int, height: int, scale: float, overlap: float = OVERLAP) -> list[Box]:
    """Windows that cover a picture, row by row, evenly spaced.

    scale: the side of a window in shorter sides of the picture; it ends where the picture does, so that `WHOLE` is the picture.
    overlap: at least this share of a window lies in the next one; 0 <= overlap < 1. Raises InputError.
    """
    if not (scale > 0 and 0 <= overlap < 1):
        raise InputError(f"expected a scale above 0 and an overlap from 0 to below 1, got {scale} and {overlap}")
    side = max(1.0, scale * min(width, height))
    across, down = (list(_spans(length, side, overlap)) for length in (width, height))
    return [(x0, y0, x1, y1) for y0, y1 in down for x0, x1 in across]


def _spans(length: int, side: float, overlap: float) -> Iterator[tuple[float, float]]:
    """The spans of windows along one side of a picture."""
    side = min(max(side, length / (1 + (MOST_ALONG - 1) * (1 - overlap))), length)
    count = 1 + math.ceil((length - side) / (side * (1 - overlap)) - 1e-6)
    for number in range(count):
        start = (length - side) * number / max(count - 1, 1)
        yield start, start + side


def score_maps(
    encoder: ImageEncoder,
    picture: np.ndarray,
    texts: np.ndarray,
    *,
    size: tuple[int, int] | None = None,
    scales: Sequence[float] = SCALES,
    overlap: float = OVERLAP,
) -> np.ndarray:
    """An upright picture (height, width, 3) uint8 and unit vectors of texts (L, D) -> cosines (rows, columns, L) float32.

    size: (rows, columns) of the maps, the picture's own where it is None. For several sets of texts on one picture, keep its
    `picture_cells`. Raises InputError, MissingCapability.
    """
    cells = picture_cells(encoder, picture, scales=scales, overlap=overlap)
    return cells.maps(cells.cosines(normalize(texts)), size)
