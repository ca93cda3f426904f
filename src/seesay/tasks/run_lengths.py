"""Masks as run lengths in COCO's format (Lin and others 2014), packed as its tools pack them."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np


class RunLengths(TypedDict):
    """size: [height, width]. counts: lengths of runs, as `pycocotools.mask` packs them into ASCII."""

    size: list[int]
    counts: str


def to_run_lengths(mask: np.ndarray) -> RunLengths:
    """A mask (height, width) bool -> its run lengths, down the columns, beginning with a run of zeros that may be empty."""
    flat = np.asarray(mask, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    starts = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(starts).tolist()
    if flat.size and flat[0]:
        runs = [0, *runs]
    return RunLengths(size=list(mask.shape), counts="".join(_packed(runs)))


def _packed(runs: list[int]) -> Iterator[str]:
    """Each length, from the fourth on less the one two before it, in groups of 5 bits from the lowest; 0x20 says that another
    group follows, and 48 makes it a printable character."""
    for at, run in enumerate(runs):
        value = run - (runs[at - 2] if at > 2 else 0)
        more = True
        while more:
            group, value = value & 0x1F, value >> 5
            more = value != (-1 if group & 0x10 else 0)
            yield chr(group + (0x20 if more else 0) + 48)


def from_run_lengths(coded: RunLengths) -> np.ndarray:
    """Run lengths -> the mask (height, width) bool. Raises ValueError for what does not fill the size."""
    runs: list[int] = []
    value = shift = 0
    for letter in coded["counts"]:
        group = ord(letter) - 48
        value |= (group & 0x1F) << shift
        shift += 5
        if not group & 0x20:
            if group & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    height, width = coded["size"]
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise ValueError(f"expected runs of {height * width} pixels in all, got {sum(runs)}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")
