"""Ranks phrases for a picture: by cosines less what a phrase has in common with anything, by agreement, without repetition."""

from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

from seesay.models.vectors import top_k

HUB = 0.5  # how strongly hubs are corrected
VOTERS = 100  # phrases that vote for words
VOTE_SHARPNESS = 0.25  # of their softmax, as a share of the model's own
SUPPORT = 25.0  # what full agreement is worth, in logits: cosines times the model's scale


def hubs(phrases: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Phrases (N, D), neutral pictures or phrases (R, D), unit vectors -> (N,): the mean cosine with all references.

    A phrase that is near to all is near to any picture (a hub, Radovanovic et al. 2010). CSLS (Conneau et al. 2018) takes the
    mean over the nearest references only, which here are the phrase's own paraphrases.
    """
    return np.asarray(phrases @ reference.mean(axis=0), dtype=np.float32)


def corrected(cosines: np.ndarray, phrase_hubs: np.ndarray) -> np.ndarray:
    """Cosines (N,) of phrases with a picture -> scores (N,): cosines less a part of the phrases' hubs."""
    return np.asarray(cosines - HUB * (phrase_hubs - phrase_hubs.mean()), dtype=np.float32)


def supported(scores: np.ndarray, words: Sequence[Set[str]], scale: float) -> np.ndarray:
    """Scores (N,) of phrases, each with its words -> scores (N,), raised by how far the best phrases agree on its words.

    The best phrases vote for their words, by a softmax of their scores; the rarest word of a phrase decides. So "a dog" and
    "a dog on grass" support each other, and an odd phrase, near by chance, stands alone: as nearest captions do when they agree
    on one (Devlin et al. 2015). scale: of the model's cosines.
    """
    best = top_k(scores, VOTERS)
    weights = np.exp(VOTE_SHARPNESS * scale * (scores[best] - scores[best[0]]))
    votes: Counter[str] = Counter()
    for at, weight in zip(best, weights / weights.sum(), strict=True):
        votes.update(dict.fromkeys(words[at], float(weight)))
    agreed = scores.copy()
    agreed[best] += (SUPPORT / scale) * np.asarray([min(map(votes.__getitem__, words[at]), default=0.0) for at in best])
    return agreed


def diverse(scores: np.ndarray, vectors: np.ndarray, count: int, *, weight: float = 0.15) -> np.ndarray:
    """Scores (N,), unit vectors (N, D) -> positions of `count` of them, in order of choice.

    Maximal marginal relevance (Carbonell and Goldstein 1998): each next one has the highest (1 - weight) * score - weight * its
    highest cosine with those chosen before. Equal ones in order of position.
    """
    count = min(count, len(scores))
    chosen: list[int] = []
    relevance = (1 - weight) * scores
    nearest = np.full(len(scores), -1.0, dtype=np.float32)
    open_ = np.ones(len(scores), dtype=bool)
    for _ in range(count):
        penalty = weight * nearest if chosen else 0.0
        best = int(top_k(np.where(open_, relevance - penalty, -np.inf).astype(np.float32), 1)[0])
        chosen.append(best)
        open_[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return np.asarray(chosen, dtype=np.intp)
