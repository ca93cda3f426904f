"""Short texts for training: which tokens of a long one are kept, drawn anew in each step.

The masks of CLIPA (Li, Wang & Xie 2023, arXiv 2305.07017, section 3.2). Always keeping the first tokens hides the same part
of a text from the whole training.
"""

import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from seesay.tokenizers import Tokenizer
from seesay.training.data.seeds import SHORTENING

Shortening = Literal["truncation", "random", "block"]


def short_ids(tokenizer: Tokenizer, texts: Sequence[str], how: Shortening, seed: int, step: int) -> np.ndarray:
    """Texts -> ids (N, L) int64. Texts that fit are as the tokenizer has them; of others the tokens are kept that `how` says,
    in their order, drawn by the seed, the step and the text alone, so that neither batch nor process matters."""
    tokens = tokenizer(list(texts))
    ids = tokens.ids
    if how == "truncation":
        return ids
    for row in np.flatnonzero(tokens.truncated).tolist():  # L is the whole context then, since this text fills it
        rng = np.random.default_rng((seed, step, SHORTENING, zlib.crc32(texts[row].encode())))
        every = [number for word in tokenizer.words(texts[row]) for number in word]
        ids[row] = tokenizer.framed([every[place] for place in kept_places(len(every), tokenizer.room, how, rng)])
    return ids


def kept_places(count: int, room: int, how: Literal["random", "block"], rng: np.random.Generator) -> np.ndarray:
    """Of `count` tokens, the places of those that are kept, ascending: at random, or a block of neighbours."""
    if count <= room:
        return np.arange(count)
    if how == "block":
        return np.arange(room) + rng.integers(count - room + 1)
    return np.sort(rng.choice(count, room, replace=False))
