"""Directional similarity: whether a picture changed the way that its texts did."""

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import check_vectors, normalize

LEAST = 1e-6  # length of a difference of unit vectors that still has a direction in float32


def directional_similarity(before: np.ndarray, after: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The cosine between the change of the picture's vector and that of the text's: all (N, D) -> (N,) float64, -1 to 1.

    Vectors are brought to unit length first; 1 minus this is the loss of StyleGAN-NADA (Gal and others 2021). NaN where the
    pictures, or the texts, are the same, so that there is no direction. Raises InputError.
    """
    given = {"before": before, "after": after, "source": source, "target": target}
    rows = [normalize(check_vectors(each, name)).astype(np.float64) for name, each in given.items()]
    if len({each.shape for each in rows}) != 1:
        raise InputError(f"expected four arrays of one shape, got {', '.join(str(each.shape) for each in rows)}")
    picture, text = rows[1] - rows[0], rows[3] - rows[2]
    lengths = np.linalg.norm(picture, axis=1), np.linalg.norm(text, axis=1)
    defined = (lengths[0] > LEAST) & (lengths[1] > LEAST)
    product = (picture * text).sum(axis=1)
    found: np.ndarray = np.divide(product, lengths[0] * lengths[1], out=np.full(len(product), np.nan), where=defined)
    return found
