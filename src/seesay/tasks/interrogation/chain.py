"""A beam search for the text that is nearest to a picture, phrase by phrase, which accepts only what raises the similarity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seesay.models.encoder import Encoder
from seesay.models.vectors import top_k
from seesay.tasks.interrogation.context import Fits
from seesay.tasks.interrogation.words import phrase_words

WIDTH = 3  # chains that are kept at each step
TRIES = 8  # phrases that are tried after each of them
GAIN = 0.02  # of cosine, that a phrase must bring; less is noise of the text encoder


@dataclass(frozen=True)
class Link:
    """A phrase that may be part of a chain. group: of those, at most `most` are taken."""

    text: str
    group: str
    most: int


@dataclass(frozen=True)
class Chain:
    """Phrases by position, the text that they make, and its cosine with the target: after each phrase, never falling."""

    positions: tuple[int, ...]
    text: str
    vector: np.ndarray
    cosines: tuple[float, ...]


def best_chain(
    encoder: Encoder,
    target: np.ndarray,
    links: Sequence[Link],
    vectors: np.ndarray,
    *,
    most: int,
    separator: str,
    fits: Fits,
) -> Chain | None:
    """The chain of at most `most` links whose text, encoded as a whole, is nearest to the target (D,), among those that begin
    with the first link that fits; None where none does.

    links: the most wanted first. Beginning with any of them comes a little nearer, by phrases that are near by chance, and is
    less often right. vectors (N, D): of the links alone. Which links are worth encoding after a chain is guessed from the sum
    of their vectors; what is accepted is decided by the encoded text alone.
    """
    singles = [Chain((at,), link.text, vectors[at], (float(vectors[at] @ target),)) for at, link in enumerate(links)]
    singles = [single for single, short in zip(singles, fits([link.text for link in links]), strict=True) if short]
    beam = singles[:1]
    best = beam[0] if beam else None
    while best is not None and beam and len(beam[0].positions) < most:
        tried = [(chain, at) for chain in beam for at in _promising(chain, target, links, vectors)]
        texts = [chain.text + separator + links[at].text for chain, at in tried]
        kept = [(chain, at, text) for (chain, at), text, short in zip(tried, texts, fits(texts), strict=True) if short]
        if not kept:
            break
        encoded = encoder.encode_text([text for _, _, text in kept])
        longer = []
        for (chain, at, text), vector in zip(kept, encoded, strict=True):
            cosine = float(vector @ target)
            if cosine >= chain.cosines[-1] + GAIN:
                longer.append(Chain((*chain.positions, at), text, vector, (*chain.cosines, cosine)))
        beam = _best(longer)
        if beam and beam[0].cosines[-1] > best.cosines[-1]:
            best = beam[0]
    return best


def _best(chains: Sequence[Chain]) -> list[Chain]:
    """The chains that are kept, the nearest first; of those with the same links in another order, the nearest."""
    kept: dict[frozenset[int], Chain] = {}
    for chain in sorted(chains, key=lambda chain: -chain.cosines[-1]):
        kept.setdefault(frozenset(chain.positions), chain)
    return list(kept.values())[:WIDTH]


def _promising(chain: Chain, target: np.ndarray, links: Sequence[Link], vectors: np.ndarray) -> list[int]:
    """The links that are tried after a chain: none twice, none without a new word, and no more of a group than may be."""
    words = phrase_words(chain.text)
    groups = [links[at].group for at in chain.positions]
    free = [
        at
        for at, link in enumerate(links)
        if at not in chain.positions and groups.count(link.group) < link.most and not phrase_words(link.text) <= words
    ]
    if not free:
        return []
    sums = len(chain.positions) * chain.vector + vectors[free]
    guesses = (sums @ target) / np.maximum(np.linalg.norm(sums, axis=1), 1e-6)
    return [free[at] for at in top_k(guesses.astype(np.float32), TRIES)]
