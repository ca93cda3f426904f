"""Where words and short phrases stand: about where the captions that say them do.

A bare word has a place of its own in the text tower, which is where its meaning is and seldom where its photos are: "people"
is near no class. Captions that say a word lie near their photos, and what they have in common beyond what all captions have is
the word. So its place is the mean of their vectors less most of all captions' mean, and with it what tells the photos of which
it is said from the others, beside the bare word's own vector. What counts how much:

- Captions by their number, since few of them are a few photos' scenes and not the word's; many more of what the classes are
  like. They need no photo.
- Photos by theirs: a ridge regression over the pictures' vectors.
- Hardly any of either for ImageNet's classes and what those are kinds of, whose places are where the classifier's are.
- For a Chinese word, beside its own captions, what is said of its meanings in English.

All of it is measured once, with the tower as it was before it is taught.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from recipes.bundled.dictionary import Entry
from recipes.bundled.materials import Captions, CaptionWords
from recipes.bundled.nouns import Noun, above
from recipes.bundled.places import classes, kinds, thing_called
from recipes.bundled.words import chinese_words, english_phrases, sayings
from seesay.models.vectors import normalize

SHARED = 0.8  # of all captions' mean, taken off a word's
FEWEST, FEWEST_OF_PHRASE, FEWEST_CHINESE = 20, 20, 8  # captions that say it
# Captions, and photos, that count half of what they could at most.
HALF_SAID, HALF_OF_PHRASE, HALF_OF_THINGS, HALF_CHINESE, HALF_SEEN = 150, 50, 2000, 50, 20
FOOD = {"00021265", "07555863"}  # WordNet's
THINGS = {"03575240", "00015388", "00017222"} | FOOD  # what the classes are of: its instrumentality, animal, plant, food
OF_SAID, OF_SEEN, OF_MEANINGS = 1.5, 3.0, 0.5  # at most, beside 1 of the bare word
OF_CLASSES = 0.03  # of these, for what classes are called
RIDGE = 3.0  # times the mean variance of the pictures' coordinates
AGREED = 3  # captions of a photo that leave no doubt
PERSON = "00007846"
MEANINGS, FEWEST_OF_MEANING = 2, 100  # of a Chinese word; captions that say one, in English, where none says it in Chinese
ALWAYS, OFTEN_MEANT = 0.02, 0.2  # lessons on what hardly moves, and on Chinese words that no caption says
FARTHER = 1.5  # power of the distance to go

Encode = Callable[[Sequence[str]], np.ndarray]  # texts -> (N, D) unit vectors


class Vectors(NamedTuple):
    """Of all captions, in their order, at unit length."""

    english: np.ndarray
    chinese: np.ndarray


@dataclass(frozen=True)
class Place:
    """A text and the unit vector (D,) where it belongs. often: how often it is a lesson, which is by how far it has to go.
    named: it is what classes are called, and stays about where it was."""

    text: str
    language: str
    vector: np.ndarray
    often: float
    named: bool


@dataclass(frozen=True)
class Evidence:
    """Unit vectors (D,) of what captions that say a word have in common, and of what tells its photos; how many there were.
    half: captions that count half."""

    said: np.ndarray
    captions: int
    half: int
    seen: np.ndarray
    photos: int

    @property
    def vector(self) -> np.ndarray:
        """(D,): not of unit length, but as much as it should count beside the bare word's."""
        said = OF_SAID * self.captions / (self.captions + self.half) * self.said
        return np.asarray(said + OF_SEEN * self.photos / (self.photos + HALF_SEEN) * self.seen)


class Seen:
    """What tells the photos of a word from the others: a ridge regression from pictures' vectors (N, D)."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.centred = pictures - pictures.mean(axis=0)
        covariance = self.centred.T @ self.centred / len(pictures)
        ridge = RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        self.inverse = np.linalg.inv(covariance + ridge)

    def __call__(self, photos: Sequence[int]) -> tuple[np.ndarray, int]:
        """photos: one number for each caption that says the word. The direction, and how many photos are surely of it."""
        sure = np.minimum(np.bincount(photos, minlength=len(self.centred)), AGREED) / AGREED
        if not sure.any():
            return np.zeros(self.centred.shape[1]), 0
        return normalize((sure - sure.mean()) @ self.centred @ self.inverse), int((sure > 0.5).sum())


class Standing:
    """captions: with photos; sentences: English captions of photos that are not seen; emoji: names, Chinese and English."""

    def __init__(
        self,
        captions: Captions,
        sentences: Sequence[str],
        words: Sequence[Entry],
        known: dict[str, Noun],
        senses: dict[str, list[str]],
        emoji: Sequence[tuple[str, str]],
    ) -> None:
        self.named, self.words, self.known, self.senses = CaptionWords(words, known), words, known, senses
        self.emoji = emoji
        english = [(text, photo) for photo, (texts, _) in enumerate(captions.values()) for text in texts]
        chinese = [(text, photo) for photo, (_, texts) in enumerate(captions.values()) for text in texts]
        self.english, self.photos = [text for text, _ in english] + list(sentences), [photo for _, photo in english]
        self.chinese, self.photos_zh = [text for text, _ in chinese], [photo for _, photo in chinese]

    def places(self, encode: Encode, captions: Vectors, pictures: np.ndarray) -> list[Place]:
        """With the tower before it is taught; pictures (N, D): of the photos, in their order."""
        seen = Seen(pictures)
        english, chinese = self._english(captions.english, seen), self._chinese(captions.chinese, seen)
        found = {(text, "en"): evidence.vector for text, evidence in english.items()}
        for text in dict.fromkeys([*chinese, *self.meanings]):
            meanings = [english[meaning] for meaning in self.meanings.get(text, ())[:MEANINGS]]
            if text not in chinese and meanings[0].captions < FEWEST_OF_MEANING:
                continue
            meant = [meaning.vector for meaning in meanings]
            vector = np.zeros(pictures.shape[1]) if text not in chinese else chinese[text].vector
            found[text, "zh"] = vector + sum(OF_MEANINGS / (1 + rank) * each for rank, each in enumerate(meant))
        places = []
        for (text, language), word in zip(found, encode([text for text, _ in found]), strict=True):
            named = self.is_class(text)
            place = normalize(word + (OF_CLASSES if named else 1.0) * found[text, language]).astype(np.float32)
            often = (ALWAYS + 1 - float(word @ place)) ** FARTHER
            if language == "zh" and text not in chinese:
                often *= OFTEN_MEANT
            places.append(Place(text, language, place, often, named))
        return places

    def is_class(self, text: str) -> bool:
        """Whether it, or what it means first, is what ImageNet's classes are called or are kinds of."""
        if text in self._class_names:
            return True
        name = self.meanings[text][0] if text in self.meanings else text
        form = self.singular(name)
        thing = thing_called(form, self.known, self.senses)
        return form in self._class_names or (thing is not None and thing in self.kinds)

    def _half(self, form: str) -> int:
        """Captions that count half, of an English word in singular: what is like the classes should stay with them."""
        if " " in form:
            return HALF_OF_PHRASE
        thing = thing_called(form, self.known, self.senses)
        return HALF_OF_THINGS if thing is not None and THINGS & above(self._offsets[thing], self.known).keys() else HALF_SAID

    @cached_property
    def _offsets(self) -> dict[Noun, str]:
        return {noun: offset for offset, noun in self.known.items()}

    def singular(self, phrase: str) -> str:
        *before, last = phrase.split(" ")
        return " ".join([*before, self.named.singular(last)])

    @cached_property
    def meanings(self) -> dict[str, list[str]]:
        """Chinese words with what they mean in English, as far as captions say that."""
        found: dict[str, list[str]] = defaultdict(list)
        in_dictionary = ((e.simplified, one) for e in self.words for meaning in e.meanings[:3] for one in meaning.split("; "))
        for text, meaning in [*self.emoji, *in_dictionary]:
            form = self.singular(re.sub(r"^(to|a|an|the) ", "", meaning.lower()))
            if len(text) <= 4 and form in self._groups and form not in found[text]:
                found[text].append(form)
        return {text: meanings for text, meanings in found.items() if meanings}

    @cached_property
    def _said(self) -> dict[str, list[int]]:
        return sayings(english_phrases(text) for text in self.english)

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        """Singulars with all forms that captions say."""
        groups: dict[str, list[str]] = defaultdict(list)
        for phrase in self._said:
            groups[self.singular(phrase)].append(phrase)
        often = {form: len({at for phrase in group for at in self._said[phrase]}) for form, group in groups.items()}
        return {form: group for form, group in groups.items() if often[form] >= (FEWEST_OF_PHRASE if " " in form else FEWEST)}

    @cached_property
    def _class_names(self) -> set[str]:
        return {name.lower() for c in classes() for name in (c.en, c.zh)}

    @cached_property
    def kinds(self) -> set[Noun]:
        """What the classes are kinds of, but no kinds of persons: three classes of them do not say where people are."""
        return {self.known[kind] for kind in kinds(self.known) if PERSON not in above(kind, self.known)}

    def _english(self, vectors: np.ndarray, seen: Seen) -> dict[str, Evidence]:
        """Every form stands halfway between its own captions' place and that of all its forms'."""
        mean = SHARED * vectors.mean(axis=0)
        found = {}
        for form, group in self._groups.items():
            together = sorted({at for phrase in group for at in self._said[phrase]})
            half = self._half(form)
            middle = normalize(vectors[together].mean(axis=0) - mean)
            for phrase in {form, *group}:
                own = self._said[phrase] if phrase in group else together
                if phrase == form or len(own) >= FEWEST:
                    said = normalize(middle + normalize(vectors[own].mean(axis=0) - mean))
                    found[phrase] = Evidence(
                        said, len(together), half, *seen([self.photos[at] for at in own if at < len(self.photos)])
                    )
        return found

    def _chinese(self, vectors: np.ndarray, seen: Seen) -> dict[str, Evidence]:
        mean = SHARED * vectors.mean(axis=0)
        said = sayings(chinese_words(text.rstrip("。 "), self.named) for text in self.chinese)
        return {
            text: Evidence(
                normalize(vectors[own].mean(axis=0) - mean), len(own), HALF_CHINESE, *seen([self.photos_zh[at] for at in own])
            )
            for text, own in said.items()
            if len(own) >= FEWEST_CHINESE
        }
