"""The nearest caption of a bank as a picture's sentence.

The bank's captions nearest to the picture vote: the one that is most like the others is taken, since what they agree on is
rather in the picture than what one of them alone says (Devlin et al. 2015, "Exploring nearest neighbor approaches for image
captioning").
"""

from dataclasses import dataclass

import numpy as np

from seesay.models.vectors import top_k

NEAREST = 20  # captions that vote
VOTERS = 8  # of those, the ones most like a caption that are counted for it


@dataclass(frozen=True)
class NearCaption:
    """A caption of the bank by its position, and its cosine with the picture."""

    position: int
    cosine: float


def nearest_captions(picture: np.ndarray, captions: np.ndarray, count: int = 1) -> list[NearCaption]:
    """A picture's unit vector (D,), captions' (N, D) -> `count` captions, the one to show first."""
    cosines = captions @ picture
    near = top_k(cosines, max(NEAREST, count))
    agreement = captions[near] @ captions[near].T
    voters = min(VOTERS + 1, len(near))  # the caption itself is one
    votes = np.partition(agreement, len(near) - voters, axis=1)[:, -voters:].mean(axis=1)
    chosen = near[top_k((votes + cosines[near]).astype(np.float32), count)]
    return [NearCaption(int(at), float(cosines[at])) for at in chosen]
