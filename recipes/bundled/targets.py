"""Target vectors of texts in the space, in either language, from their meanings in English.

The space has four parts.

- Learnt: what contrastive training on captions learns, starting from heads.py. Names have little of it, since it describes the
  scenes in which a word occurs rather than its meaning.
- Named: MiniLM's own space, centred on the class names, with the lengths of its main directions made more equal. There an image
  is its class probabilities times the classes' vectors (ConSE), and a text is its meaning; the name of a kind, such as "dog",
  lies between its own vector and those of its classes.
- Looks: features of images; a name has those of its drawings (looks.py).
- Crowd: a constant for images. A name has less of it the more classes are near it, or it would match everything of its kind:
  "passion fruit" any fruit.
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
from recipes.bundled.nouns import PHYSICAL, Noun, hypernyms
from seesay.models.vectors import normalize

# Dimensions; LOOKS are 112
LEARNT = 192
NAMED = 207
CROWD = 1
DIM = LEARNT + NAMED + LOOKS + CROWD
# Relative to meaning, in images and in names
LOOKS_OF_IMAGES = 1.2
LOOKS_OF_NAMES = 0.4
NAMES_LEARNT = 0.04  # share of a caption's learnt part that a name gets
GLOSS_SHARE = 0.5  # weight of a thing's gloss relative to its name
# Weight of the mean cosine with this many nearest classes
CROWD_SHARE = 0.35
NEAREST = 10
WHITENED = 0.25  # the directions of the named part are divided by this power of their variances; 0.5 would make them equal
KIND_SHARE = 0.6  # weight of a class's hypernyms in its vector
CLASSES_MEANT = 0.6  # weight of its classes' vectors in the vector of a kind: a "dog" is any of 118
WIDEST = 400  # largest number of classes of a kind; "entity" would tell nothing
TEMPERATURE = 1.1  # softens the class probabilities: alternatives count more
PHOTO = "a photo of a {}"
PROMPTS = ("{}", PHOTO)
# Weights of the dimensions in the loss of lessons on names.
DIMENSION_WEIGHTS = np.repeat(np.array([2, 1, 3, 3], np.float32), [LEARNT, NAMED, LOOKS, CROWD])
PHRASINGS = {  # templates for a name
    "en": ("{}", "{}", "a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}.", "a picture of {}", "a {}"),
    "zh": ("{}", "{}", "一张{}的照片。", "{}的照片。", "{}的特写照片。", "一个{}"),
}


class Lesson(NamedTuple):
    """A text whose target is the mean of the targets of some English texts."""

    text: str
    meanings: tuple[str, ...]
    caption: bool = False


@dataclass(frozen=True)
class Class:
    """A class of ImageNet-1k with its names."""

    wnid: str
    en: str
    zh: str


@cache
def classes() -> tuple[Class, ...]:
    """The classes of ImageNet-1k, in its order."""
    with (Path(__file__).parent / "classes.tsv").open(encoding="utf-8") as file:
        return tuple(Class(**row) for row in csv.DictReader(file, delimiter="\t"))


class Targets:
    """vectors: MiniLM's unit vectors by text; must include `required_texts` and captions."""

    def __init__(self, vectors: dict[str, np.ndarray], nouns: dict[str, Noun], senses: dict[str, list[str]]) -> None:
        self.vectors, self.nouns, self.senses = vectors, nouns, senses
        self.looks: Looks | None = None
        self.heads: Heads | None = None  # None: the learnt part is 0

    def set_looks(self, drawings: np.ndarray, names: Sequence[str], photos: np.ndarray) -> None:
        """Fits the looks of names to features of drawings with their names, and of photos."""
        meanings = {name: normalize(self.vectors[name] - self.centre) for name in set(names)}
        self.looks = Looks.fit(drawings, names, photos, meanings)
        self.named_length = float(np.linalg.norm(probabilities(photos) @ self.class_vectors, axis=1).mean())

    @staticmethod
    def required_texts(names: Iterable[str], nouns: dict[str, Noun], senses: dict[str, list[str]]) -> set[str]:
        """The texts whose vectors the targets of the classes and of these names need."""
        texts = {prompt.format(c.en) for c in classes() for prompt in PROMPTS}
        for kind in kinds(nouns):
            texts |= {prompt.format(name) for name in nouns[kind].names for prompt in PROMPTS}
        for name in names:
            texts.add(name)
            if (thing := physical_noun(name, nouns, senses)) is not None:
                texts |= {PHOTO.format(name), thing.meaning, *thing.names}
        return texts

    def _mean(self, names: Sequence[str]) -> np.ndarray:
        return normalize(np.mean([self.vectors[prompt.format(name)] for name in names for prompt in PROMPTS], axis=0))

    @cached_property
    def _uncentred(self) -> np.ndarray:
        """(1000, 384): each class's name and its hypernyms, the narrower ones with more weight."""
        numbers_by_kind = kinds(self.nouns)
        kind_vectors = {kind: self._mean(self.nouns[kind].names) for kind in numbers_by_kind}
        rows = []
        for c in classes():
            class_kinds = [kind for kind in hypernyms(c.wnid[1:], self.nouns) if kind in numbers_by_kind]
            share = np.array([1 / len(numbers_by_kind[kind]) for kind in class_kinds])
            kind = np.average([kind_vectors[k] for k in class_kinds], axis=0, weights=share) if class_kinds else 0
            rows.append(normalize(self._mean([c.en]) + KIND_SHARE * kind))
        return np.stack(rows)

    @cached_property
    def centre(self) -> np.ndarray:
        return np.asarray(self._uncentred.mean(axis=0))

    @cached_property
    def basis(self) -> np.ndarray:
        """(384, NAMED): the main directions of the classes' and their names' vectors, the long ones shortened (WHITENED)."""
        names = np.stack([self.vectors[prompt.format(c.en)] for c in classes() for prompt in PROMPTS])
        rows = np.concatenate([self._uncentred, names]) - self.centre
        directions_main = np.linalg.svd(rows, full_matrices=False)[2][:NAMED].T
        variances, directions = np.linalg.eigh(np.cov(((self._uncentred - self.centre) @ directions_main).T))
        return np.asarray(directions_main @ directions * variances**-WHITENED)

    @cached_property
    def class_vectors(self) -> np.ndarray:
        """(1000, NAMED)"""
        return np.asarray((self._uncentred - self.centre) @ self.basis)

    @cached_property
    def class_names(self) -> dict[str, np.ndarray]:
        """(NAMED,) unit vectors of the classes' own names, near the class's photos and far from the others'.

        They are the classes' vectors multiplied by the inverse of their covariance.
        """
        rows = self.class_vectors
        class_target = normalize(rows @ np.linalg.inv(np.cov(rows.T)))
        return {c.en: row for c, row in zip(classes(), class_target, strict=True)}

    @cached_property
    def _kind_vectors(self) -> dict[Noun, np.ndarray]:
        """(NAMED,) unit vectors by kind: the mean of its classes."""
        members = kinds(self.nouns).items()
        return {self.nouns[kind]: normalize(self.class_vectors[numbers].mean(axis=0)) for kind, numbers in members}

    @property
    def image_maps(self) -> tuple[np.ndarray, np.ndarray]:
        """The maps (1000, NAMED) from class probabilities and (1280, LOOKS) from features less the mean photo's.

        The mean length of a photo's named part is 1, that of its looks LOOKS_OF_IMAGES.
        """
        assert self.looks is not None
        return self.class_vectors / self.named_length, self.looks.basis * LOOKS_OF_IMAGES / self.looks.length

    def image_vectors(self, features: np.ndarray) -> np.ndarray:
        """Features of images (N, 1280) -> the parts after the learnt one, (N, DIM - LEARNT)."""
        assert self.looks is not None
        named, looks = self.image_maps
        parts = [probabilities(features) @ named, (features - self.looks.mean) @ looks, np.ones((len(features), CROWD))]
        return np.concatenate(parts, axis=1)

    def caption_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """MiniLM's unit vectors of captions (N, 384) -> their targets (N, DIM)."""
        learnt = np.zeros((len(vectors), LEARNT)) if self.heads is None else (vectors - self.centre) @ self.heads.text.T
        named = normalize((vectors - self.centre) @ self.basis)
        return normalize(np.concatenate([learnt, named, np.zeros((len(vectors), LOOKS + CROWD))], axis=1))

    def name_vectors(self, names: Sequence[str]) -> np.ndarray:
        """English names -> their targets (N, DIM). Names of no physical thing, such as "to run", keep MiniLM's vector."""
        assert self.looks is not None
        things = [physical_noun(name, self.nouns, self.senses) for name in names]
        vectors = np.stack([self._named(name, thing) for name, thing in zip(names, things, strict=True)])
        learnt = np.zeros((len(vectors), LEARNT)) if self.heads is None else (vectors - self.centre) @ self.heads.text.T
        named = normalize((vectors - self.centre) @ self.basis)
        crowd = self._crowd(named) - self._usual_crowd
        for row, thing in zip(named, things, strict=True):
            if thing is not None and thing in self._kind_vectors:
                row[:] = normalize((1 - CLASSES_MEANT) * row + CLASSES_MEANT * self._kind_vectors[thing])
        looks = LOOKS_OF_NAMES * self._looks(names, things)
        rows = np.concatenate([NAMES_LEARNT * learnt, named, looks, -CROWD_SHARE * crowd[:, None]], axis=1)
        for row, name in zip(rows, names, strict=True):
            if (class_target := self.class_names.get(name)) is not None:
                row[LEARNT : LEARNT + NAMED], row[LEARNT + NAMED :] = class_target, 0
        return normalize(rows)

    def lesson_vectors(self, lessons: Sequence[Lesson]) -> np.ndarray:
        """The targets of lessons, (N, DIM) float32 unit vectors."""
        rows = np.empty((len(lessons), DIM), dtype=np.float32)
        captions = [i for i, lesson in enumerate(lessons) if lesson.caption]
        if captions:
            means = [np.mean([self.vectors[text] for text in lessons[i].meanings], axis=0) for i in captions]
            rows[captions] = self.caption_vectors(normalize(np.stack(means)))
        names = [i for i, lesson in enumerate(lessons) if not lesson.caption]
        distinct = list(dict.fromkeys(name for i in names for name in lessons[i].meanings))
        if distinct:
            target = dict(zip(distinct, self.name_vectors(distinct), strict=True))
            rows[names] = [normalize(np.mean([target[name] for name in lessons[i].meanings], axis=0)) for i in names]
        return rows

    def _named(self, name: str, thing: Noun | None) -> np.ndarray:
        """The vector (384,) of a name with its gloss."""
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
        """(N, LOOKS), with their confidence as length: those of the name, or of a more confident synonym."""
        assert self.looks is not None
        synonyms = [[name, *(thing.names if thing else ())] for name, thing in zip(names, things, strict=True)]
        vectors = np.stack([self.vectors[name] for group in synonyms for name in group])
        looks = self.looks.predict(normalize(vectors - self.centre))
        parts = np.split(looks, np.cumsum([len(group) for group in synonyms])[:-1])
        return np.stack([part[np.linalg.norm(part, axis=1).argmax()] for part in parts])


def physical_noun(name: str, nouns: dict[str, Noun], senses: dict[str, list[str]]) -> Noun | None:
    """The most frequent sense of a name that is a physical entity; None if there is none."""
    for form in (name.lower(), name.lower().removesuffix("s"), name.lower().removesuffix("es")):
        for offset in senses.get(form, ()):
            if PHYSICAL in hypernyms(offset, nouns):
                return nouns[offset]
    return None


def probabilities(features: np.ndarray) -> np.ndarray:
    """Features (N, 1280) -> softened class probabilities (N, 1000)."""
    weights = sources.image_weights()
    logits = (features @ weights["classifier.weight"].T + weights["classifier.bias"]) / TEMPERATURE
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def kinds(nouns: dict[str, Noun]) -> dict[str, list[int]]:
    """The classes' nouns and their hypernyms, by offset, with the numbers of the classes of each."""
    numbers_by_kind: dict[str, list[int]] = {}
    for number, c in enumerate(classes()):
        for kind in hypernyms(c.wnid[1:], nouns):
            numbers_by_kind.setdefault(kind, []).append(number)
    return {kind: members for kind, members in numbers_by_kind.items() if len(members) <= WIDEST}
