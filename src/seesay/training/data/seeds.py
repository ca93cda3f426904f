"""Purposes of a recipe's seed, which keep its random draws apart: part of `np.random.default_rng((seed, epoch, PURPOSE))`.

0 would not keep anything apart: numpy's seed sequences ignore zeros at their end.
"""

import numpy as np

ORDER = 1  # the order of samples in an epoch
CAPTION = 2  # the caption drawn of each image
SOURCE = 3  # the source drawn at each position of a mixture
CHILD = 4  # the seed of each source of a mixture
TARGETS = 5  # the order of texts with target vectors
PROMPTS = 6  # the prompt of each class in a step
DROPOUT = 7  # torch's random numbers in a step: dropout, and the patches that are left out
SHORTENING = 8  # the tokens that are kept of a long text


def dropout_seed(seed: int, step: int, rank: int = 0) -> int:
    """Seeds torch's random numbers for a step of one process, so that they depend on nothing that came before it."""
    return int(np.random.default_rng((seed, step, rank, DROPOUT)).integers(2**63))
