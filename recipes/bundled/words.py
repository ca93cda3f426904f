"""Which words and short phrases captions say, in either language, and of which photos."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recipes.bundled import materials
from recipes.bundled.bilingual import cut
from recipes.bundled.dictionary import Entry
from recipes.bundled.materials import Captions, CaptionWords
from recipes.bundled.nouns import Noun

FEWEST = 3  # photos of a word
# Photos of the words that are scored: of English ones so many, and at least so many of Chinese ones.
SCORED_ENGLISH, SCORED_CHINESE = range(8, 401), 4
LONGEST = 3  # words of a phrase
# Words of one character that stand in captions or end words there, such as 小狗 and 自行车.
CHARACTERS = set("人狗车球水雪船马树鸟花鱼火海桥牛墙路街床书伞猫帽草河湖门窗灯雨山云冰鸡鹅鹿")
DULL = {
    "are",
    "hi",
    "down",
    "over",
    "out",
    "three",
    "four",
    "behind",
    "background",
    "look",
    "between",
    "through",
    "several",
    "around",
}
# Of these there is no photo, and no phrase begins or ends with one.
FUNCTION = frozenset(
    re.findall(
        "[a-z]+",
        "a an and another are around as at be been being but by down each for four from had has have having he her his in into "
        "is it its no not of off on one or other out over several she some that the their them there they this three through "
        "to two up very was were which while who with",
    )
)
PLURALS = {"man": "men", "woman": "women", "child": "children", "person": "people", "snowman": "snowmen"}


@dataclass(frozen=True)
class Word:
    text: str
    language: str
    photos: list[int]


def caption_words(captions: Captions, words: Sequence[Entry], known: dict[str, Noun], fewest: int = FEWEST) -> list[Word]:
    """What at least two captions of a photo say, in either language, of so many photos."""
    named = CaptionWords(words, known)

    def chinese(texts: Sequence[str]) -> list[str]:
        said = [set(cut(text, named.dictionary, longest=4)) for text in texts]
        ends = [{word[-1] for word in each} & CHARACTERS for each in said]
        long = named.agreed(said, lambda word: len(word) > 1 and word not in materials.DULL_ZH)
        return long + named.agreed(ends, lambda word: True)

    found: dict[tuple[str, str], list[int]] = {}
    for photo, (english, translated) in enumerate(captions.values()):
        for language, said in (("en", named.english(english)), ("zh", chinese(translated))):
            for word in said:
                if word not in DULL:
                    found.setdefault((word, language), []).append(photo)
    return [Word(*key, photos) for key, photos in found.items() if len(photos) >= fewest]


def scored_words(captions: Captions, words: Sequence[Entry], known: dict[str, Noun]) -> list[Word]:
    """The words by which a search is scored: what at least two captions of a photo say. In English every word in singular that
    is no function word, of three letters or more and 8 to 400 photos; in Chinese those of `caption_words` with 4 photos or
    more."""
    named = CaptionWords(words, known)
    found: dict[str, list[int]] = defaultdict(list)
    for photo, (english, _) in enumerate(captions.values()):
        said = Counter(word for text in english for word in {named.singular(w) for w in re.findall("[a-z]+", text.lower())})
        for word, times in said.items():
            if times > 1 and len(word) > 2 and word not in FUNCTION:
                found[word].append(photo)
    in_english = [Word(word, "en", photos) for word, photos in found.items() if len(photos) in SCORED_ENGLISH]
    return in_english + [word for word in caption_words(captions, words, known, SCORED_CHINESE) if word.language == "zh"]


def plural(name: str) -> str:
    if name in PLURALS:
        return PLURALS[name]
    if re.search(r"(s|x|z|ch|sh)$", name):
        return name + "es"
    return re.sub(r"(?<=[^aeiou])y$", "ie", name) + "s"


def english_phrases(text: str) -> set[str]:
    """Words and phrases of a caption."""
    said = re.findall(r"[a-z]+", text.lower())
    spans = (said[at : at + size] for size in range(1, LONGEST + 1) for at in range(len(said) - size + 1))
    return {" ".join(s) for s in spans if all(len(end) > 2 and end not in FUNCTION for end in (s[0], s[-1]))}


def chinese_words(text: str, named: CaptionWords) -> set[str]:
    said = set(cut(text, named.dictionary, longest=4))
    return {word for word in said if len(word) > 1 and word not in materials.DULL_ZH} | {word[-1] for word in said} & CHARACTERS


def sayings(phrases: Iterable[set[str]]) -> dict[str, list[int]]:
    """What is said, with the numbers of the texts that say it."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(phrases):
        for phrase in each:
            found[phrase].append(number)
    return found
