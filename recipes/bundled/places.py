"""Where texts belong in the space, in either language, by what they mean in English.

The space has four parts.

- Learnt: what contrast with captions learns, beginning from heads.py. A name has little of it, since it says which scenes go
  with a word rather than what the word means.
- Named: MiniLM's own space, centred on the classes' names, its main directions made more alike in length. There a picture is
  its class probabilities times the classes' vectors (ConSE), and a text stands where its meaning stands; the name of a kind,
  such as "dog", on the way to its classes.
- Looks: a picture's features; a name stands where its drawings do (looks.py).
- Crowd: a picture has the same in it, always. A name has the less, the more classes lie near it, or it would be taken for
  everything of its kind: "passion fruit" for any fruit.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recipes.bundled import sources
from recipes.bundled.heads import Heads
from recipes.bundled.looks import LOOKS, Looks
from recipes.bundled.nouns import PHYSICAL, Noun, above
from seesay.models.vectors import normalize

LEARNT, NAMED, CROWD = 192, 207, 1  # dimensions; LOOKS are 112
DIM = LEARNT + NAMED + LOOKS + CROWD
LOOKS_SEEN, LOOKS_MEANT = 1.2, 0.4  # to meaning, in pictures and in names
NAMES_LEARNT = 0.04  # of the first part that a caption would have, in a name
GLOSS_SHARE = 0.5  # of what a dictionary says of a thing, to its name
CROWD_SHARE, NEAREST = 0.35, 10  # by the mean cosine with so many classes
WHITENED = 0.25  # power of the variances by which the directions of the named part are divided: 0.5 would make them equal
KIND_SHARE = 0.6  # of what a class is a kind of, in its vector
CLASSES_MEANT = 0.6  # of where its classes are, in the name of a kind: a "dog" is any of 118
WIDEST = 400  # classes below a kind; "entity" says nothing
TEMPERATURE = 1.1  # of the class probabilities: what else it could be counts for more
PHOTO = "a photo of a {}"
PROMPTS = ("{}", PHOTO)
STRESS = np.repeat(np.array([2, 1, 3, 3], np.float32), [LEARNT, NAMED, LOOKS, CROWD])  # in lessons on names
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
    """`vectors`: unit vectors of MiniLM by text; must know those of `needed` and of captions."""

    def __init__(self, vectors: dict[str, np.ndarray], nouns: dict[str, Noun], senses: dict[str, list[str]]) -> None:
        self.vectors, self.nouns, self.senses = vectors, nouns, senses
        self.looks: Looks | None = None
        self.heads: Heads | None = None  # none: nothing in the first part

    def see(self, drawn: np.ndarray, names: Sequence[str], photos: np.ndarray) -> None:
        """Features of drawings with their names, and of photos: from now on names have looks."""
        meanings = {name: normalize(self.vectors[name] - self.centre) for name in set(names)}
        self.looks = Looks.of(drawn, names, photos, meanings)
        self.named_length = float(np.linalg.norm(probabilities(photos) @ self.class_vectors, axis=1).mean())

    @staticmethod
    def needed(names: Iterable[str], nouns: dict[str, Noun], senses: dict[str, list[str]]) -> set[str]:
        """The texts whose vectors the classes and these names need."""
        wanted = {prompt.format(c.en) for c in classes() for prompt in PROMPTS}
        for kind in kinds(nouns):
            wanted |= {prompt.format(name) for name in nouns[kind].names for prompt in PROMPTS}
        for name in names:
            wanted.add(name)
            if (thing := thing_called(name, nouns, senses)) is not None:
                wanted |= {PHOTO.format(name), thing.meaning, *thing.names}
        return wanted

    def _mean(self, names: Sequence[str]) -> np.ndarray:
        return normalize(np.mean([self.vectors[prompt.format(name)] for name in names for prompt in PROMPTS], axis=0))

    @cached_property
    def _uncentred(self) -> np.ndarray:
        """(1000, 384): each class's name, and what it is a kind of, the narrower the more."""
        below = kinds(self.nouns)
        of_kind = {kind: self._mean(self.nouns[kind].names) for kind in below}
        rows = []
        for c in classes():
            over = [kind for kind in above(c.wnid[1:], self.nouns) if kind in below]
            share = np.array([1 / len(below[kind]) for kind in over])
            kind = np.average([of_kind[k] for k in over], axis=0, weights=share) if over else 0
            rows.append(normalize(self._mean([c.en]) + KIND_SHARE * kind))
        return np.stack(rows)

    @cached_property
    def centre(self) -> np.ndarray:
        return np.asarray(self._uncentred.mean(axis=0))

    @cached_property
    def basis(self) -> np.ndarray:
        """(384, NAMED): the main directions of the classes' and their names' vectors, the long ones shortened."""
        names = np.stack([self.vectors[prompt.format(c.en)] for c in classes() for prompt in PROMPTS])
        rows = np.concatenate([self._uncentred, names]) - self.centre
        main = np.linalg.svd(rows, full_matrices=False)[2][:NAMED].T
        variances, directions = np.linalg.eigh(np.cov(((self._uncentred - self.centre) @ main).T))
        return np.asarray(main @ directions * variances**-WHITENED)

    @cached_property
    def class_vectors(self) -> np.ndarray:
        """(1000, NAMED)"""
        return np.asarray((self._uncentred - self.centre) @ self.basis)

    @cached_property
    def class_names(self) -> dict[str, np.ndarray]:
        """(NAMED,) unit vectors where the classes' own names belong: where each class's photos are and the others' are not,
        which is its vector with what the classes share taken out."""
        rows = self.class_vectors
        told = normalize(rows @ np.linalg.inv(np.cov(rows.T)))
        return {c.en: row for c, row in zip(classes(), told, strict=True)}

    @cached_property
    def _of_kinds(self) -> dict[Noun, np.ndarray]:
        """(NAMED,) unit vectors: the mean of the classes that are of a kind."""
        found = kinds(self.nouns).items()
        return {self.nouns[kind]: normalize(self.class_vectors[numbers].mean(axis=0)) for kind, numbers in found}

    @property
    def picture_maps(self) -> tuple[np.ndarray, np.ndarray]:
        """(1000, NAMED) of class probabilities and (1280, LOOKS) of features less the mean photo's, which make a photo's named
        part 1 long on average and its looks LOOKS_SEEN."""
        assert self.looks is not None
        return self.class_vectors / self.named_length, self.looks.basis * LOOKS_SEEN / self.looks.length

    def seen(self, features: np.ndarray) -> np.ndarray:
        """Pictures' features (N, 1280) -> (N, DIM - LEARNT)."""
        assert self.looks is not None
        named, looks = self.picture_maps
        parts = [probabilities(features) @ named, (features - self.looks.mean) @ looks, np.ones((len(features), CROWD))]
        return np.concatenate(parts, axis=1)

    def of_captions(self, vectors: np.ndarray) -> np.ndarray:
        """MiniLM's unit vectors (N, 384) -> (N, DIM)."""
        learnt = np.zeros((len(vectors), LEARNT)) if self.heads is None else (vectors - self.centre) @ self.heads.text.T
        named = normalize((vectors - self.centre) @ self.basis)
        return normalize(np.concatenate([learnt, named, np.zeros((len(vectors), LOOKS + CROWD))], axis=1))

    def of_names(self, names: Sequence[str]) -> np.ndarray:
        """English names -> (N, DIM). What names no thing, such as "to run", stands where it stands for MiniLM."""
        assert self.looks is not None
        things = [thing_called(name, self.nouns, self.senses) for name in names]
        vectors = np.stack([self._named(name, thing) for name, thing in zip(names, things, strict=True)])
        learnt = np.zeros((len(vectors), LEARNT)) if self.heads is None else (vectors - self.centre) @ self.heads.text.T
        named = normalize((vectors - self.centre) @ self.basis)
        crowd = self._crowd(named) - self._usual_crowd
        for row, thing in zip(named, things, strict=True):
            if thing is not None and thing in self._of_kinds:
                row[:] = normalize((1 - CLASSES_MEANT) * row + CLASSES_MEANT * self._of_kinds[thing])
        looks = LOOKS_MEANT * self._looks(names, things)
        rows = np.concatenate([NAMES_LEARNT * learnt, named, looks, -CROWD_SHARE * crowd[:, None]], axis=1)
        for row, name in zip(rows, names, strict=True):
            if (told := self.class_names.get(name)) is not None:
                row[LEARNT : LEARNT + NAMED], row[LEARNT + NAMED :] = told, 0
        return normalize(rows)

    def of(self, lessons: Sequence[Lesson]) -> np.ndarray:
        """(N, DIM) float32 unit vectors."""
        rows = np.empty((len(lessons), DIM), dtype=np.float32)
        captions = [i for i, lesson in enumerate(lessons) if lesson.caption]
        if captions:
            means = [np.mean([self.vectors[text] for text in lessons[i].meanings], axis=0) for i in captions]
            rows[captions] = self.of_captions(normalize(np.stack(means)))
        names = [i for i, lesson in enumerate(lessons) if not lesson.caption]
        distinct = list(dict.fromkeys(name for i in names for name in lessons[i].meanings))
        if distinct:
            place = dict(zip(distinct, self.of_names(distinct), strict=True))
            rows[names] = [normalize(np.mean([place[name] for name in lessons[i].meanings], axis=0)) for i in names]
        return rows

    def _named(self, name: str, thing: Noun | None) -> np.ndarray:
        """(384,)"""
        if thing is None:
            return self.vectors[name]
        return normalize(self.vectors[PHOTO.format(name)] + GLOSS_SHARE * self.vectors[thing.meaning])

    def _crowd(self, named: np.ndarray) -> np.ndarray:
        cosines = named @ normalize(self.class_vectors).T
        return np.asarray(np.sort(cosines, axis=1)[:, -NEAREST:].mean(axis=1))

    @cached_property
    def _usual_crowd(self) -> float:
        return float(self._crowd(normalize(self.class_vectors)).mean())

    def _looks(self, names: Sequence[str], things: Sequence[Noun | None]) -> np.ndarray:
        """(N, LOOKS), each as long as it is sure: of the name, or of another for the same thing that is surer."""
        assert self.looks is not None
        called = [[name, *(thing.names if thing else ())] for name, thing in zip(names, things, strict=True)]
        vectors = np.stack([self.vectors[name] for each in called for name in each])
        looks = self.looks.meant_by(normalize(vectors - self.centre))
        parts = np.split(looks, np.cumsum([len(each) for each in called])[:-1])
        return np.stack([part[np.linalg.norm(part, axis=1).argmax()] for part in parts])


def thing_called(name: str, nouns: dict[str, Noun], senses: dict[str, list[str]]) -> Noun | None:
    """The commonest thing that can be seen and is called so."""
    for form in (name.lower(), name.lower().removesuffix("s"), name.lower().removesuffix("es")):
        for offset in senses.get(form, ()):
            if PHYSICAL in above(offset, nouns):
                return nouns[offset]
    return None


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
