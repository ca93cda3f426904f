"""Strangers: 144 small everyday pictures, with which a gallery of few names finds out how high something else may score.

strangers.webp beside this file has them as squares, 12 by 12 (its sources: NOTICE).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seesay.models.vectors import normalize
from seesay.system.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from PIL import Image

    from seesay.model import Model

SHEET = Path(__file__).parent / "strangers.webp"
SIDE = 12  # squares
SQUARE_PX = 96
VERSION = 1  # of the sheet; vectors of another one are not read


def stranger_pictures() -> "list[Image.Image]":
    """The pictures, RGB, each `SQUARE_PX` wide and high."""
    from PIL import Image

    with Image.open(SHEET) as opened:
        sheet = opened.convert("RGB")
    corners = [(x * SQUARE_PX, y * SQUARE_PX) for y in range(SIDE) for x in range(SIDE)]
    return [sheet.crop((x, y, x + SQUARE_PX, y + SQUARE_PX)) for x, y in corners]


def stranger_vectors(model: "Model") -> np.ndarray:
    """(144, D) unit vectors of the strangers, read from the cache; else encoded, which takes seconds, and cached."""
    from seesay.system.cache import cache_dir

    cached = cache_dir() / "strangers" / f"{model.space_id}-{VERSION}.npz"
    stored = read_arrays(cached)
    if stored is not None and stored.get("vectors", np.empty(0)).shape == (SIDE * SIDE, model.dim):
        return normalize(stored["vectors"].astype(np.float32))
    vectors = model.encode_image(stranger_pictures()).astype(np.float16)
    write_arrays(cached, vectors=vectors)
    return normalize(vectors.astype(np.float32))  # as they will be read: the first run decides like the others
