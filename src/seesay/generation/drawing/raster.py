"""Rasterises paths softly, so that pixels have gradients with respect to points, widths and colours.

The opacity of a pixel follows its distance from a path: a smooth step about a pixel wide stands where a renderer would count
how much of the pixel is covered (as in soft rasterisers since Liu and others 2019, "Soft Rasterizer"; Li and others 2020
compute the gradient of the coverage itself, "diffvg"). Paths are polylines for this; they are painted over each other in order.

The canvas is cut into tiles. A path takes part in the tiles that it touches only, so that the work grows with the painted area,
not with paths times canvas.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seesay.generation.drawing.paths import Paths

TILE = 16
PIXELS = TILE * TILE
EDGE = 1.3  # width of the smooth step in pixels: of all widths, renderers come nearest to the picture with this one
NEAR = 1e-12  # squared distance below which its direction is not defined


def rasterise(layers: tuple[Paths, ...], size: int, background: Tensor | None = None) -> Tensor:
    """Layers of paths, the first one lowest -> a picture (3, size, size), on `background` (3, size, size) or on white.

    Gradients reach the paths' tensors and the background's; where nothing is near a path's edge, its points have none.
    """
    dtype = layers[0].points.dtype
    canvas = torch.ones(3, size, size, dtype=dtype) if background is None else background
    tiles = _tiles(canvas)
    for paths in layers:
        tiles = _painted(tiles, paths, -(-size // TILE))
    return _untiled(tiles, size)


def _painted(tiles: Tensor, paths: Paths, side: int) -> Tensor:
    """Tiles (T, 3, PIXELS) with the paths painted on them, in order."""
    lines = paths.polylines()
    with torch.no_grad():
        inside = _inside(lines, side) if paths.closed else None
        radii = torch.zeros_like(paths.widths) if paths.closed else paths.widths / 2
        meetings = _meetings(lines, radii, inside, side)
    if meetings is None:
        return tiles
    distance: Tensor = _Distance.apply(lines, meetings, side)  # type: ignore[no-untyped-call]
    radius = paths.widths[meetings.path][:, None] / 2
    if inside is not None:
        held = inside[meetings.path, meetings.tile]
        cover = _step(torch.where(held, distance, -distance))
    else:  # of a line thinner than a pixel both edges are in it
        cover = _step(radius - distance) + _step(radius + distance) - 1
    alpha = cover * paths.colours[meetings.path, 3:]
    painted: Tensor = _Over.apply(tiles, alpha, paths.colours[meetings.path, :3], meetings)  # type: ignore[no-untyped-call]
    return painted


def _step(x: Tensor) -> Tensor:
    """From 0 to 1 around 0, within EDGE."""
    t = (x / EDGE + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Meetings:
    """Where paths meet tiles: Q pairs, sorted by tile and then in order of painting.

    path, tile (Q,). order (Q,): the pairs by falling number of their segments; segments (Q, S): in that order, the numbers of
    the lines' segments that may be near; counts: how many rows have more than 0, 1, ... of them. layers: for each of the paths
    of a tile in turn, which pairs they are and which tiles those cover.
    """

    path: Tensor
    tile: Tensor
    order: Tensor
    segments: Tensor
    counts: list[int]
    layers: list[Tensor]


def _meetings(lines: Tensor, radii: Tensor, inside: Tensor | None, side: int) -> Meetings | None:
    """Finds the tiles that each path touches, and by which of its segments. None where all are outside of the canvas."""
    paths = len(lines)
    segment, tile = _segments_on_tiles(lines, radii, side)
    keys = tile * paths + segment // (lines.shape[1] - 1)
    filled = torch.empty(0, dtype=torch.int64)
    if inside is not None:
        path, whole = inside.any(dim=2).nonzero(as_tuple=True)
        filled = whole * paths + path
    pairs, which = torch.unique(torch.cat([keys, filled]), return_inverse=True)
    if not len(pairs):
        return None
    which = which[: len(keys)]
    count = torch.bincount(which, minlength=len(pairs))
    order = torch.argsort(count, descending=True, stable=True)
    by_pair = torch.argsort(which, stable=True)
    first = torch.cumsum(count, 0) - count
    rank = torch.arange(len(which)) - first[which[by_pair]]
    table = torch.zeros(len(pairs), int(count.max()), dtype=torch.int64)
    table[which[by_pair], rank] = segment[by_pair]
    counts = [int((count > number).sum()) for number in range(table.shape[1])]
    tiles = pairs // paths
    depth = torch.arange(len(pairs)) - torch.searchsorted(tiles, tiles)
    layers = [(depth == number).nonzero()[:, 0] for number in range(int(depth.max()) + 1)]
    return Meetings(pairs % paths, tiles, order, table[order], counts, layers)


def _segments_on_tiles(lines: Tensor, radii: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Pairs of a segment's number and the number of a tile that its stroke may touch."""
    starts, ends = _ends(lines)
    reach = (radii + EDGE / 2).repeat_interleave(lines.shape[1] - 1)[:, None]
    low = ((torch.minimum(starts, ends) - reach) / TILE).floor().clamp(0, side).long()
    high = ((torch.maximum(starts, ends) + reach) / TILE).floor().clamp(-1, side - 1).long()
    spans = (high - low + 1).clamp(min=0)
    number = spans[:, 0] * spans[:, 1]
    segment = torch.repeat_interleave(torch.arange(len(starts)), number)
    place = torch.arange(len(segment)) - (torch.cumsum(number, 0) - number)[segment]
    column = low[segment, 0] + place % spans[segment, 0]
    row = low[segment, 1] + place // spans[segment, 0]
    centre = (torch.stack([column, row], dim=1) + 0.5) * TILE
    offset, _ = _offset(centre, starts[segment], ends[segment])
    touches = offset.norm(dim=1) <= reach[segment, 0] + TILE / 2**0.5
    return segment[touches], (row * side + column)[touches]


def _ends(lines: Tensor) -> tuple[Tensor, Tensor]:
    """Where the segments of all polylines begin and end: (M, 2) each."""
    return lines[:, :-1].reshape(-1, 2), lines[:, 1:].reshape(-1, 2)


def _offset(x: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """From the nearest point of a segment to x: (..., 2); and where that is, 0 for its start and 1 for its end: (..., 1)."""
    along = end - start
    length = (along * along).sum(dim=-1, keepdim=True)
    t = (((x - start) * along).sum(dim=-1, keepdim=True) / length.clamp(min=NEAR)).clamp(0, 1)
    return x - start - t * along, t


def _centres(tile: Tensor, side: int, dtype: torch.dtype) -> Tensor:
    """The centres of the pixels of tiles (Q,): (Q, PIXELS, 2)."""
    grid = torch.arange(TILE, dtype=dtype) + 0.5
    inside = torch.stack([grid.repeat(TILE), grid.repeat_interleave(TILE)], dim=1)
    corner = torch.stack([tile % side, tile // side], dim=1).to(dtype) * TILE
    return corner[:, None] + inside


class _Distance(torch.autograd.Function):
    """Polylines (N, V, 2) -> from every pixel of the meetings' tiles to the nearest point of the path there, (Q, PIXELS).

    Written by hand, since only pixels on an edge pass a gradient on: of all the segments that were compared, to the nearest one
    alone, along the direction from its nearest point to the pixel.
    """

    @staticmethod
    def forward(ctx: Any, lines: Tensor, meetings: Meetings, side: int) -> Tensor:
        starts, ends = _ends(lines)
        along = ends - starts
        shares = along / (along * along).sum(dim=1, keepdim=True).clamp(min=NEAR)
        # x and y apart: sums over a dimension of two take torch three times as long.
        x, y = _centres(meetings.tile[meetings.order], side, lines.dtype).unbind(dim=2)
        best = torch.full(x.shape, float("inf"), dtype=lines.dtype)
        nearest = torch.zeros(x.shape, dtype=torch.int64)
        for number, count in enumerate(meetings.counts):
            segment = meetings.segments[:count, number]
            (x0, y0), (dx, dy), (sx, sy) = (each[segment].T[:, :, None] for each in (starts, along, shares))
            from_x, from_y = x[:count] - x0, y[:count] - y0
            t = (from_x * sx + from_y * sy).clamp_(0, 1)
            squared = (from_x - t * dx).square_() + (from_y - t * dy).square_()
            nearer = squared < best[:count]
            best[:count] = torch.where(nearer, squared, best[:count])
            nearest[:count] = torch.where(nearer, segment[:, None], nearest[:count])
        distance, segments = torch.empty_like(best), torch.empty_like(nearest)
        distance[meetings.order] = best.sqrt()
        segments[meetings.order] = nearest
        ctx.save_for_backward(lines, segments)
        ctx.meetings, ctx.side = meetings, side
        return distance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        lines, segments = ctx.saved_tensors
        starts, ends = _ends(lines)
        pair, pixel = (gradient != 0).nonzero(as_tuple=True)
        segment = segments[pair, pixel]
        x = _centres(ctx.meetings.tile, ctx.side, lines.dtype)[pair, pixel]
        offset, t = _offset(x, starts[segment], ends[segment])
        towards = offset / offset.norm(dim=1, keepdim=True).clamp(min=NEAR) * gradient[pair, pixel][:, None]
        paths, vertices, _ = lines.shape
        start = segment + segment // (vertices - 1)  # a path has one vertex more than segments
        moved = torch.zeros(paths * vertices, 2, dtype=lines.dtype)
        moved.index_add_(0, start, -towards * (1 - t))
        moved.index_add_(0, start + 1, -towards * t)
        return moved.view(paths, vertices, 2), None, None


class _Over(torch.autograd.Function):
    """Paints over tiles (T, 3, PIXELS): opacities (Q, PIXELS) and colours (Q, 3) of the meetings, in order (Porter and Duff
    1984). Written by hand, since torch would keep whole tiles for every path."""

    @staticmethod
    def forward(ctx: Any, tiles: Tensor, alpha: Tensor, colours: Tensor, meetings: Meetings) -> Tensor:
        painted = tiles.clone()
        below = torch.empty(len(alpha), 3, PIXELS, dtype=tiles.dtype)
        for pairs in meetings.layers:
            on = meetings.tile[pairs]
            before = painted[on]
            below[pairs] = before
            painted[on] = before + alpha[pairs, None] * (colours[pairs, :, None] - before)
        ctx.save_for_backward(alpha, colours, below)
        ctx.meetings = meetings
        return painted

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        alpha, colours, below = ctx.saved_tensors
        of_alpha, of_colours = torch.empty_like(alpha), torch.empty_like(colours)
        passed = gradient.clone()
        for pairs in reversed(ctx.meetings.layers):
            on = ctx.meetings.tile[pairs]
            own = passed[on]
            of_alpha[pairs] = (own * (colours[pairs, :, None] - below[pairs])).sum(dim=1)
            of_colours[pairs] = (own * alpha[pairs, None]).sum(dim=2)
            passed[on] = own * (1 - alpha[pairs, None])
        return passed, of_alpha, of_colours, None


def _inside(lines: Tensor, side: int) -> Tensor:
    """Which pixels are inside of closed polylines by the even-odd rule: (N, tiles, PIXELS) bool.

    By rows: each segment that crosses the middle of a row toggles all pixels to the right of the crossing.
    """
    paths, pixels = len(lines), side * TILE
    starts, ends = lines[:, :-1, :, None], lines[:, 1:, :, None]
    middle = torch.arange(pixels, dtype=lines.dtype) + 0.5
    path, segment, row = ((starts[:, :, 1] <= middle) != (ends[:, :, 1] <= middle)).nonzero(as_tuple=True)
    start, end = starts[path, segment, :, 0], ends[path, segment, :, 0]
    crossing = start[:, 0] + (middle[row] - start[:, 1]) * (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
    column = (crossing - 0.5).ceil().clamp(0, pixels).long()
    toggles = torch.zeros(paths * pixels * (pixels + 1), dtype=torch.uint8)
    toggles.index_add_(0, (path * pixels + row) * (pixels + 1) + column, torch.ones(len(path), dtype=torch.uint8))
    odd = toggles.view(paths, pixels, pixels + 1).cumsum(dim=2, dtype=torch.uint8)[:, :, :-1] & 1
    parts = odd.view(paths, side, TILE, side, TILE).transpose(2, 3)
    return parts.reshape(paths, side * side, PIXELS).bool()


def _tiles(picture: Tensor) -> Tensor:
    """(3, size, size) -> (tiles, 3, PIXELS), with white where the last tiles are larger than the picture."""
    size = picture.shape[1]
    side = -(-size // TILE)
    rest = side * TILE - size
    padded = torch.nn.functional.pad(picture, (0, rest, 0, rest), value=1.0)
    return padded.view(3, side, TILE, side, TILE).permute(1, 3, 0, 2, 4).reshape(side * side, 3, PIXELS)


def _untiled(tiles: Tensor, size: int) -> Tensor:
    """(tiles, 3, PIXELS) -> (3, size, size)"""
    side = -(-size // TILE)
    whole = tiles.view(side, side, 3, TILE, TILE).permute(2, 0, 3, 1, 4).reshape(3, side * TILE, side * TILE)
    return whole[:, :size, :size]
