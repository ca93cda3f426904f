"""Target vectors of words and short phrases, from the captions that contain them.

The text tower's vector of a bare word is its meaning, and seldom near its photos: "people" is near no class. Captions with the
word are near their photos, and what they share beyond the mean of all captions is the word. So the target adds to the bare
word's vector the mean of those captions' vectors, less most of the mean of all captions, and the direction that separates the
word's photos from the others. The weights:

- Captions count by their number, since few captions describe a few photos' scenes and not the word; words for what the classes
  are need many more. Captions without a photo count too.
- Photos count by their number: a ridge regression over the images' vectors.
- For ImageNet's classes and their hypernyms both count little, since their vectors match the classifier's.
- A Chinese word gets, besides its own captions, the evidence of its English meanings.

Everything is measured once, with the tower before training.
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
from recipes.bundled.nouns import Noun, hypernyms
from recipes.bundled.targets import classes, kinds, physical_noun
from recipes.bundled.words import chinese_words, english_phrases, phrase_index
from seesay.models.vectors import normalize

MEAN_SHARE = 0.8  # share of the mean of all captions that is subtracted
# Captions with the word
FEWEST = 20
FEWEST_OF_PHRASE = 20
FEWEST_CHINESE = 8
# Numbers of captions, and of photos, with half of the largest weight.
HALF_OF_WORD = 150
HALF_OF_PHRASE = 50
HALF_OF_THINGS = 2000
HALF_CHINESE = 50
HALF_OF_PHOTOS = 20
FOOD = {"00021265", "07555863"}  # WordNet's
THINGS = {"03575240", "00015388", "00017222"} | FOOD  # WordNet's instrumentality, animal, plant, food: what the classes are
# Largest weights, relative to 1 of the bare word
CAPTION_WEIGHT = 1.5
PHOTO_WEIGHT = 3.0
MEANING_WEIGHT = 0.5
CLASS_SHARE = 0.03  # share of these weights for class names
RIDGE = 3.0  # relative to the mean variance of the images' coordinates
CERTAIN = 3  # captions of a photo from which on the word is certain
PERSON = "00007846"
# Of a Chinese word; English captions with a meaning, for words without Chinese captions
MEANINGS = 2
FEWEST_OF_MEANING = 100
# Sampling weights: the least, and a factor for Chinese words without captions
MIN_WEIGHT = 0.02
MEANING_ONLY = 0.2
DISTANCE_POWER = 1.5  # sampling weight: power of the distance to the target

Encode = Callable[[Sequence[str]], np.ndarray]  # texts -> (N, D) unit vectors


class Vectors(NamedTuple):
    """Unit vectors of all captions, in their order: (N, D) each."""

    english: np.ndarray
    chinese: np.ndarray


@dataclass(frozen=True)
class WordTarget:
    """A text and its unit target vector (D,). weight: its sampling weight, which grows with the distance to the target.
    is_class: whether it names a class, whose target is near its present vector."""

    text: str
    language: str
    vector: np.ndarray
    weight: float
    is_class: bool


@dataclass(frozen=True)
class Evidence:
    """Evidence about a word: the direction that its captions share and the one that separates its photos, unit vectors (D,).

    captions, photos: their numbers. half_count: the number of captions with half of the largest weight.
    """

    caption_direction: np.ndarray
    captions: int
    half_count: int
    photo_direction: np.ndarray
    photos: int

    @property
    def vector(self) -> np.ndarray:
        """(D,), not normalized: its length is its weight relative to the bare word's unit vector."""
        caption_direction = CAPTION_WEIGHT * self.captions / (self.captions + self.half_count) * self.caption_direction
        photo_direction = PHOTO_WEIGHT * self.photos / (self.photos + HALF_OF_PHOTOS) * self.photo_direction
        return np.asarray(caption_direction + photo_direction)


class PhotoDirection:
    """The direction that separates a word's photos from the others: a ridge regression on image vectors (N, D)."""

    def __init__(self, images: np.ndarray) -> None:
        self.centred = images - images.mean(axis=0)
        covariance = self.centred.T @ self.centred / len(images)
        ridge = RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        self.inverse = np.linalg.inv(covariance + ridge)

    def __call__(self, photos: Sequence[int]) -> tuple[np.ndarray, int]:
        """photos: one number for each caption with the word -> the direction (D,), and the number of photos that show it."""
        confidence = np.minimum(np.bincount(photos, minlength=len(self.centred)), CERTAIN) / CERTAIN
        if not confidence.any():
            return np.zeros(self.centred.shape[1]), 0
        return normalize((confidence - confidence.mean()) @ self.centred @ self.inverse), int((confidence > 0.5).sum())


class WordTargets:
    """captions: with photos; sentences: English captions without photos; emoji: names, Chinese and English."""

    def __init__(
        self,
        captions: Captions,
        sentences: Sequence[str],
        words: Sequence[Entry],
        nouns: dict[str, Noun],
        senses: dict[str, list[str]],
        emoji: Sequence[tuple[str, str]],
    ) -> None:
        self.word_finder, self.words, self.nouns, self.senses = CaptionWords(words, nouns), words, nouns, senses
        self.emoji = emoji
        english = [(text, photo) for photo, (texts, _) in enumerate(captions.values()) for text in texts]
        chinese = [(text, photo) for photo, (_, texts) in enumerate(captions.values()) for text in texts]
        self.english, self.photos = [text for text, _ in english] + list(sentences), [photo for _, photo in english]
        self.chinese, self.photos_zh = [text for text, _ in chinese], [photo for _, photo in chinese]

    def targets(self, encode: Encode, captions: Vectors, images: np.ndarray) -> list[WordTarget]:
        """The targets, by the tower before training; images (N, D): vectors of the photos, in their order."""
        photo_direction = PhotoDirection(images)
        english, chinese = self._english(captions.english, photo_direction), self._chinese(captions.chinese, photo_direction)
        vectors_by_word = {(text, "en"): evidence.vector for text, evidence in english.items()}
        for text in dict.fromkeys([*chinese, *self.meanings]):
            meanings = [english[meaning] for meaning in self.meanings.get(text, ())[:MEANINGS]]
            if text not in chinese and meanings[0].captions < FEWEST_OF_MEANING:
                continue
            meaning_vectors = [meaning.vector for meaning in meanings]
            vector = np.zeros(images.shape[1]) if text not in chinese else chinese[text].vector
            vectors_by_word[text, "zh"] = vector + sum(
                MEANING_WEIGHT / (1 + rank) * each for rank, each in enumerate(meaning_vectors)
            )
        targets = []
        for (text, language), word in zip(vectors_by_word, encode([text for text, _ in vectors_by_word]), strict=True):
            is_class = self.is_class(text)
            target = normalize(word + (CLASS_SHARE if is_class else 1.0) * vectors_by_word[text, language]).astype(np.float32)
            weight = (MIN_WEIGHT + 1 - float(word @ target)) ** DISTANCE_POWER
            if language == "zh" and text not in chinese:
                weight *= MEANING_ONLY
            targets.append(WordTarget(text, language, target, weight, is_class))
        return targets

    def is_class(self, text: str) -> bool:
        """Whether it, or its first meaning, names a class of ImageNet or a hypernym of one."""
        if text in self._class_names:
            return True
        name = self.meanings[text][0] if text in self.meanings else text
        form = self.singular(name)
        thing = physical_noun(form, self.nouns, self.senses)
        return form in self._class_names or (thing is not None and thing in self.kinds)

    def _half_count(self, form: str) -> int:
        """`Evidence.half_count` of an English singular: large for things like the classes, which should stay near them."""
        if " " in form:
            return HALF_OF_PHRASE
        thing = physical_noun(form, self.nouns, self.senses)
        like_classes = thing is not None and THINGS & hypernyms(self._offsets[thing], self.nouns).keys()
        return HALF_OF_THINGS if like_classes else HALF_OF_WORD

    @cached_property
    def _offsets(self) -> dict[Noun, str]:
        return {noun: offset for offset, noun in self.nouns.items()}

    def singular(self, phrase: str) -> str:
        """The phrase with its last word in singular."""
        *before, last = phrase.split(" ")
        return " ".join([*before, self.word_finder.singular(last)])

    @cached_property
    def meanings(self) -> dict[str, list[str]]:
        """Chinese words with those of their English meanings that occur in captions."""
        meanings_by_word: dict[str, list[str]] = defaultdict(list)
        in_dictionary = ((e.simplified, one) for e in self.words for meaning in e.meanings[:3] for one in meaning.split("; "))
        for text, meaning in [*self.emoji, *in_dictionary]:
            form = self.singular(re.sub(r"^(to|a|an|the) ", "", meaning.lower()))
            if len(text) <= 4 and form in self._groups and form not in meanings_by_word[text]:
                meanings_by_word[text].append(form)
        return {text: meanings for text, meanings in meanings_by_word.items() if meanings}

    @cached_property
    def _captions_by_phrase(self) -> dict[str, list[int]]:
        return phrase_index(english_phrases(text) for text in self.english)

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        """Singulars with all their forms in captions."""
        groups: dict[str, list[str]] = defaultdict(list)
        for phrase in self._captions_by_phrase:
            groups[self.singular(phrase)].append(phrase)
        numbers = self._captions_by_phrase
        counts = {form: len({at for phrase in group for at in numbers[phrase]}) for form, group in groups.items()}
        return {form: group for form, group in groups.items() if counts[form] >= (FEWEST_OF_PHRASE if " " in form else FEWEST)}

    @cached_property
    def _class_names(self) -> set[str]:
        return {name.lower() for c in classes() for name in (c.en, c.zh)}

    @cached_property
    def kinds(self) -> set[Noun]:
        """The hypernyms of the classes, except kinds of persons, of which there are only three classes."""
        return {self.nouns[kind] for kind in kinds(self.nouns) if PERSON not in hypernyms(kind, self.nouns)}

    def _english(self, vectors: np.ndarray, photo_direction: PhotoDirection) -> dict[str, Evidence]:
        """The direction of a form is the mean of its own captions' and that of all its forms' captions."""
        mean = MEAN_SHARE * vectors.mean(axis=0)
        evidence_by_word = {}
        for form, group in self._groups.items():
            all_captions = sorted({at for phrase in group for at in self._captions_by_phrase[phrase]})
            half_count = self._half_count(form)
            shared_direction = normalize(vectors[all_captions].mean(axis=0) - mean)
            for phrase in {form, *group}:
                own_captions = self._captions_by_phrase[phrase] if phrase in group else all_captions
                if phrase == form or len(own_captions) >= FEWEST:
                    caption_direction = normalize(shared_direction + normalize(vectors[own_captions].mean(axis=0) - mean))
                    evidence_by_word[phrase] = Evidence(
                        caption_direction,
                        len(all_captions),
                        half_count,
                        *photo_direction([self.photos[at] for at in own_captions if at < len(self.photos)]),
                    )
        return evidence_by_word

    def _chinese(self, vectors: np.ndarray, photo_direction: PhotoDirection) -> dict[str, Evidence]:
        mean = MEAN_SHARE * vectors.mean(axis=0)
        caption_direction = phrase_index(chinese_words(text.rstrip("。 "), self.word_finder) for text in self.chinese)
        return {
            text: Evidence(
                normalize(vectors[own_captions].mean(axis=0) - mean),
                len(own_captions),
                HALF_CHINESE,
                *photo_direction([self.photos_zh[at] for at in own_captions]),
            )
            for text, own_captions in caption_direction.items()
            if len(own_captions) >= FEWEST_CHINESE
        }
