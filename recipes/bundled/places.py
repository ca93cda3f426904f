"""Where names belong in the space, before anything is learnt from captions.

The space has three parts. The first is for what contrast with captions learns (heads.py); a name has little of it, since it
says which scenes go with a word rather than what the word means. The second is MiniLM's own, centred on the class names and cut
down to its main directions: there a picture is its class probabilities times the classes' vectors (ConSE), and a text stands
where its meaning stands. The third is for looks (looks.py): there a picture is its features, and a name stands where its
drawings do.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recipes.bundled import sources
from recipes.bundled.heads import Heads
from recipes.bundled.looks import LOOKS, Looks
from recipes.bundled.nouns import Noun, above
from seesay.tasks.encoder import unit

LEARNT, NAMED = 224, 160  # dimensions of the first parts; the third has LOOKS
DIM = LEARNT + NAMED + LOOKS
LOOKS_SHARE = 0.7  # of looks to meaning, in pictures and in texts
NAMES_LEARNT = 0.1  # of the first part that a caption would have, in a name
KIND_SHARE = 0.6  # of what a class is a kind of, in its vector
WIDEST = 400  # classes below a kind; "entity" says nothing
TEMPERATURE = 1.25  # of the class probabilities: what else it could be counts for more
PROMPTS = ("{}", "a photo of a {}")
SAID = {  # how a name may be put
    "en": ("{}", "{}", "a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}.", "a picture of {}", "a {}"),
    "zh": ("{}", "{}", "一张{}的照片。", "{}的照片。", "{}的特写照片。", "一个{}"),
}


class Lesson(NamedTuple):
    """A text that belongs at the mean place of some English texts."""

    text: str
    meanings: tuple[str, ...]
    caption: bool = False


@dataclass(frozen=True)
class Class:
    wnid: str
    en: str
    zh: str


@cache
def classes() -> tuple[Class, ...]:
    """ImageNet-1k's, in its order."""
    with (Path(__file__).parent / "classes.tsv").open(encoding="utf-8") as file:
        return tuple(Class(**row) for row in csv.DictReader(file, delimiter="\t"))


class Places:
    """`vectors`: unit vectors of MiniLM by text; must know every class name and WordNet name in `texts_needed`."""

    def __init__(self, vectors: dict[str, np.ndarray], nouns: dict[str, Noun]) -> None:
        self.vectors, self.nouns = vectors, nouns
        self.looks: Looks | None = None
        self.heads: Heads | None = None  # none: nothing in the first part

    def see(self, drawn: np.ndarray, names: Sequence[str], photos: np.ndarray) -> None:
        """Features of drawings with their names, and of photos: from now on names have looks."""
        meanings = {name: unit(self.vectors[name] - self.centre) for name in set(names)}
        self.looks = Looks.of(drawn, names, photos, meanings)
        self.named_length = float(np.linalg.norm(probabilities(photos) @ self.class_vectors, axis=1).mean())

    @staticmethod
    def texts_needed(nouns: dict[str, Noun]) -> set[str]:
        needed = {prompt.format(c.en) for c in classes() for prompt in PROMPTS}
        for kind in kinds(nouns):
            needed |= {prompt.format(name) for name in nouns[kind].names for prompt in PROMPTS}
        return needed

    def _mean(self, names: list[str]) -> np.ndarray:
        return unit(np.mean([self.vectors[prompt.format(name)] for name in names for prompt in PROMPTS], axis=0))

    @cached_property
    def _uncentred(self) -> np.ndarray:
        """(1000, 384): each class's name, and what it is a kind of, the narrower the more."""
        below = kinds(self.nouns)
        of_kind = {kind: self._mean(list(self.nouns[kind].names)) for kind in below}
        rows = []
        for c in classes():
            over = [kind for kind in above(c.wnid[1:], self.nouns) if kind in below]
            share = np.array([1 / len(below[kind]) for kind in over])
            kind = np.average([of_kind[k] for k in over], axis=0, weights=share) if over else 0
            rows.append(unit(self._mean([c.en]) + KIND_SHARE * kind))
        return np.stack(rows)

    @cached_property
    def centre(self) -> np.ndarray:
        return np.asarray(self._uncentred.mean(axis=0))

    @cached_property
    def basis(self) -> np.ndarray:
        """(384, NAMED) orthonormal: the main directions of the classes' and their names' vectors."""
        names = np.stack([self.vectors[prompt.format(c.en)] for c in classes() for prompt in PROMPTS])
        rows = np.concatenate([self._uncentred, names]) - self.centre
        return np.asarray(np.linalg.svd(rows, full_matrices=False)[2][:NAMED].T)

    @cached_property
    def class_vectors(self) -> np.ndarray:
        """(1000, NAMED)"""
        return np.asarray((self._uncentred - self.centre) @ self.basis)

    @cached_property
    def class_names(self) -> dict[str, np.ndarray]:
        """(NAMED,) unit vectors where the classes' own names belong: where each class's photos are and the others' are not,
        which is its vector with what the classes share taken out."""
        rows = self.class_vectors
        told = unit(rows @ np.linalg.inv(np.cov(rows.T)))
        return {c.en: row for c, row in zip(classes(), told, strict=True)}

    @property
    def picture_maps(self) -> tuple[np.ndarray, np.ndarray]:
        """(1000, NAMED) of class probabilities and (1280, LOOKS) of features less the mean photo's, which make a photo's second
        part 1 long on average and its third LOOKS_SHARE."""
        assert self.looks is not None
        return self.class_vectors / self.named_length, self.looks.basis * LOOKS_SHARE / self.looks.length

    def seen(self, features: np.ndarray) -> np.ndarray:
        """Pictures' features (N, 1280) -> (N, NAMED + LOOKS)."""
        assert self.looks is not None
        named, looks = self.picture_maps
        return np.concatenate([probabilities(features) @ named, (features - self.looks.mean) @ looks], axis=1)

    def meant(self, vectors: np.ndarray) -> np.ndarray:
        """MiniLM's unit vectors (N, 384) -> (N, NAMED + LOOKS), with a meaning of length 1."""
        assert self.looks is not None
        named = unit((vectors - self.centre) @ self.basis)
        return np.concatenate([named, LOOKS_SHARE * self.looks.meant_by(unit(vectors - self.centre))], axis=1)

    def mean_of(self, meanings: Sequence[str]) -> np.ndarray:
        """(384,) unit vector."""
        return unit(np.mean([self.vectors[text] for text in meanings], axis=0))

    def of(self, lessons: Sequence[Lesson]) -> np.ndarray:
        """(N, DIM) float32 unit vectors."""
        vectors = np.stack([self.mean_of(lesson.meanings) for lesson in lessons])
        rest = self.meant(vectors)
        for row, lesson in zip(rest, lessons, strict=True):
            if len(lesson.meanings) == 1 and (told := self.class_names.get(lesson.meanings[0])) is not None:
                row[:NAMED], row[NAMED:] = told, 0
        learnt = np.zeros((len(lessons), LEARNT))
        if self.heads is not None:
            share = np.array([1.0 if lesson.caption else NAMES_LEARNT for lesson in lessons])
            learnt = share[:, None] * ((vectors - self.centre) @ self.heads.text.T)
        return unit(np.concatenate([learnt, rest], axis=1)).astype(np.float32)


def probabilities(features: np.ndarray) -> np.ndarray:
    """(N, 1280) -> (N, 1000), softened."""
    weights = sources.image_weights()
    logits = (features @ weights["classifier.weight"].T + weights["classifier.bias"]) / TEMPERATURE
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def kinds(nouns: dict[str, Noun]) -> dict[str, list[int]]:
    """WordNet's nouns above the classes, the classes' own among them, with the numbers of the classes below each."""
    below: dict[str, list[int]] = {}
    for number, c in enumerate(classes()):
        for kind in above(c.wnid[1:], nouns):
            below.setdefault(kind, []).append(number)
    return {kind: found for kind, found in below.items() if len(found) <= WIDEST}
