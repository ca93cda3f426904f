"""`Interrogator`: writes prompts for pictures with the phrases of a bank, in the space of one model.

After clip-interrogator's idea, with a bank of our own and without a captioning network: phrases are ranked by cosine, corrected
for hubs, chosen so that they differ, and chained as long as the encoded text comes nearer to the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from seesay.errors import InputError
from seesay.models.encoder import Encoder
from seesay.models.vectors import top_k
from seesay.system.progress import Progress
from seesay.tasks.interrogation.bank import CONTENT, KINDS, PhraseBank
from seesay.tasks.interrogation.chain import Link, best_chain
from seesay.tasks.interrogation.context import Fits, SpaceEncoder, fits
from seesay.tasks.interrogation.ranking import corrected, diverse, hubs, supported
from seesay.tasks.interrogation.vectors import text_vectors
from seesay.tasks.interrogation.words import phrase_words

Mode = Literal["best", "fast", "negative"]
MODES: tuple[Mode, ...] = get_args(Mode)
COUNT = 6  # phrases of a prompt
COUNTS = (1, 50)
SHORTLIST = 8  # phrases about the content that a chain is made of
FLOOR = 0.75  # of the best one's score, that each of them has at least
MOST = {"subject": 3, "action": 2, "place": 2}  # phrases of a kind in a chain; of others one
STANDS_OUT = 2.5  # standard deviations within its kind; a phrase below says nothing of how the picture is shown


@dataclass(frozen=True)
class ScoredPhrase:
    """A phrase of a prompt. score: what it was ranked by, its cosine corrected for hubs (of a negative prompt: with the
    picture's opposite). cosine: with the picture."""

    text: str
    kind: str
    score: float
    cosine: float


@dataclass(frozen=True)
class Prompt:
    """A prompt for one picture.

    cosine: of the whole text with the picture. steps: the same after each phrase, where a chain was searched for: it never
    falls, in a negative prompt it never rises.
    """

    text: str
    phrases: tuple[ScoredPhrase, ...]
    cosine: float
    steps: tuple[float, ...]


class Interrogator:
    """Writes prompts in the words of one bank. Safe to call from several threads.

    vectors (N, D): of the bank's phrases, at unit length. fits: tells which texts are within the model's context. reference
    (R, D): unit vectors of neutral pictures or phrases, from which hubs are known; by default the phrases themselves.
    """

    def __init__(
        self, encoder: Encoder, bank: PhraseBank, vectors: np.ndarray, *, fits: Fits, reference: np.ndarray | None = None
    ) -> None:
        if len(vectors) != len(bank.texts):
            raise InputError(f"expected a vector for each of {len(bank.texts)} phrases, got {len(vectors)}")
        self.encoder, self.bank, self.vectors, self.fits = encoder, bank, vectors, fits
        self.hubs = hubs(vectors, vectors if reference is None else reference)
        kinds = np.asarray(bank.kinds)
        self._by_kind = {kind: np.flatnonzero(kinds == kind) for kind in KINDS}
        about = np.isin(kinds, CONTENT)
        self._content = np.flatnonzero(about) if about.any() else np.arange(len(kinds))  # a list of manners alone is content

        self._words = [phrase_words(bank.texts[at]) for at in self._content]

    @staticmethod
    def of(model: SpaceEncoder, bank: PhraseBank, progress: Progress | None = None) -> "Interrogator":
        """An interrogator in a model's space; the bank's vectors come from the cache, or go into it."""
        vectors = text_vectors(model, model.space_id, bank.texts, progress)
        return Interrogator(model, bank, vectors, fits=fits(model.tokenizer))

    def prompt(self, picture: np.ndarray, mode: Mode = "best", count: int = COUNT) -> Prompt:
        """A picture's unit vector (D,) -> its prompt of at most `count` phrases.

        "fast" takes the best phrases that differ, and encodes nothing but the result; "best" chains phrases while the text
        comes nearer; "negative" chains what the picture is least like. The text is within the model's context. Raises
        InputError.
        """
        _check(mode, count)
        target = -picture if mode == "negative" else picture
        scores = self.scores(target)
        if mode == "fast":
            return self._fast(picture, scores, count)
        shortlist = self._shortlist(scores)
        links = [Link(self.bank.texts[at], kind := self.bank.kinds[at], MOST.get(kind, 1)) for at in shortlist]
        chain = best_chain(
            self.encoder,
            target,
            links,
            self.vectors[shortlist],
            most=count,
            separator=self.bank.separator,
            fits=self.fits,
        )
        if chain is None:
            raise InputError("no phrase fits the model's context")
        sign = -1.0 if mode == "negative" else 1.0
        steps = tuple(sign * cosine for cosine in chain.cosines)
        chosen = [int(shortlist[at]) for at in chain.positions]
        return Prompt(chain.text, self._scored(chosen, scores, picture), steps[-1], steps)

    def scores(self, target: np.ndarray) -> np.ndarray:
        """A unit vector (D,) -> the corrected score of every phrase (N,)."""
        return corrected(self.vectors @ target, self.hubs)

    def _fast(self, picture: np.ndarray, scores: np.ndarray, count: int) -> Prompt:
        manner = self._manner(scores)[: count // 3]
        pool, ranks = self._nearest(scores, 8 * count)
        chosen = [*pool[diverse(ranks, self.vectors[pool], count - len(manner))].tolist(), *manner]
        while chosen and not self.fits([text := self.bank.separator.join(self.bank.texts[at] for at in chosen)])[0]:
            chosen.pop()
        if not chosen:
            raise InputError("no phrase fits the model's context")
        cosine = float(self.encoder.encode_text([text])[0] @ picture)
        return Prompt(text, self._scored(chosen, scores, picture), cosine, ())

    def _manner(self, scores: np.ndarray) -> list[int]:
        """The best phrase of each kind that is not about the content, if it stands out; the clearest first."""
        found, floor = [], self._floor(scores)
        for kind in KINDS[len(CONTENT) :]:
            own = self._by_kind[kind]
            if not len(own) or own[0] in self._content:
                continue
            best = own[top_k(scores[own], 1)[0]]
            deviations = float((scores[best] - scores[own].mean()) / max(float(scores[own].std()), 1e-6))
            if deviations >= STANDS_OUT and scores[best] >= floor:
                found.append((-deviations, int(best)))
        return [at for _, at in sorted(found)]

    def _shortlist(self, scores: np.ndarray) -> np.ndarray:
        """The phrases of which a chain is made: the best about the content, and of each other kind one that stands out."""
        best, _ = self._nearest(scores, SHORTLIST)
        return np.concatenate([best, np.asarray(self._manner(scores), dtype=np.intp)])

    def _nearest(self, scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """At most `count` phrases about the content that are worth telling, and what they are ordered by: their scores, raised
        where the best ones agree on their words."""
        ranks = supported(scores[self._content], self._words, self.encoder.logits.scale)
        worth = np.flatnonzero(scores[self._content] >= self._floor(scores))
        near = worth[top_k(ranks[worth], count)]
        return self._content[near], ranks[near]

    def _floor(self, scores: np.ndarray) -> float:
        """The least score of a phrase that is worth telling, from that of the best one about the content."""
        highest = float(scores[self._content].max())
        return highest - (1 - FLOOR) * abs(highest)

    def _scored(self, chosen: Sequence[int], scores: np.ndarray, picture: np.ndarray) -> tuple[ScoredPhrase, ...]:
        return tuple(
            ScoredPhrase(self.bank.texts[at], self.bank.kinds[at], float(scores[at]), float(self.vectors[at] @ picture))
            for at in chosen
        )


def _check(mode: str, count: int) -> None:
    if mode not in MODES:
        raise InputError(f"the mode is one of {', '.join(MODES)}, got {mode!r}", parameter="mode", got=mode)
    least, most = COUNTS
    if not least <= count <= most:
        raise InputError(
            f"a prompt has {least} to {most} phrases, got {count}", parameter="count", expected=f"{least} to {most}", got=count
        )
