"""CLIPScore: how well pictures fit their prompts, in both of the scales in use; and the same with captions by people."""

from collections.abc import Sequence

import numpy as np

from seesay.errors import InputError
from seesay.models.vectors import check_vectors, normalize

WEIGHT = 2.5  # of Hessel and others 2021


def clip_scores(pictures: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """CLIPScore of each picture with its prompt: 2.5 times the cosine, 0 where it is negative.

    pictures, texts: (N, D) float, of any length -> (N,) float64. Hessel and others 2021, "CLIPScore: A Reference-free
    Evaluation Metric for Image Captioning". `hundred` has the other scale in use. Raises InputError.
    """
    return np.asarray(WEIGHT * np.maximum(cosines(pictures, texts), 0))


def reference_scores(pictures: np.ndarray, texts: np.ndarray, references: Sequence[np.ndarray]) -> np.ndarray:
    """RefCLIPScore: the harmonic mean of a picture's CLIPScore and the prompt's cosine with the nearest reference.

    references: (R, D) of each prompt, at least one -> (N,) float64. The reference's cosine counts as 0 where it is negative,
    and is not weighted, as in the paper's code. Raises InputError.
    """
    if len(references) != len(texts) or any(not len(some) for some in references):
        raise InputError(f"expected at least one reference for each of {len(texts)} texts")
    fits = clip_scores(pictures, texts)
    near = np.array([max(0.0, cosines(some, text[None]).max()) for some, text in zip(references, texts, strict=True)])
    total = fits + near
    found: np.ndarray = np.divide(2 * fits * near, total, out=np.zeros_like(total), where=total > 0)
    return found


def hundred(cosine: np.ndarray) -> float:
    """The score as torchmetrics has it: 100 times the mean cosine (N,), 0 where that is negative.

    It clips the mean, CLIPScore each picture; where all cosines are positive it is 40 times CLIPScore's mean.
    """
    return max(0.0, 100 * float(np.mean(cosine)))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of each row of a (N, D) with that of b (N, D), or with its one row -> (N,) float64. Raises InputError."""
    a, b = check_vectors(a, "pictures"), check_vectors(b, "texts")
    if len(b) not in (1, len(a)) or a.shape[1] != b.shape[1]:
        raise InputError(f"expected as many texts as pictures, of one width; got {a.shape} and {b.shape}")
    return np.asarray((normalize(a).astype(np.float64) * normalize(b)).sum(axis=1))
