"""Words and short phrases in captions, in either language, with the photos they describe."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recipes.bundled import materials
from recipes.bundled.bilingual import segment
from recipes.bundled.dictionary import Entry
from recipes.bundled.materials import Captions, CaptionWords
from recipes.bundled.nouns import Noun

FEWEST = 3  # photos with the word
# Words that are scored: the number of photos of an English one, and the fewest of a Chinese one.
SCORED_ENGLISH = range(8, 401)
SCORED_CHINESE = 4
LONGEST = 3  # words in a phrase
# One-character words that occur in captions or end words there, such as 小狗 and 自行车.
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
# Function words: no photo shows them, and no phrase begins or ends with one.
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
    """A word with the numbers of the photos that at least two captions describe with it."""

    text: str
    language: str
    photos: list[int]


def caption_words(captions: Captions, words: Sequence[Entry], nouns: dict[str, Noun], fewest: int = FEWEST) -> list[Word]:
    """Words that at least two captions of a photo contain, in either language, for at least `fewest` photos."""
    word_finder = CaptionWords(words, nouns)

    def chinese(texts: Sequence[str]) -> list[str]:
        tokens = [set(segment(text, word_finder.dictionary, longest=4)) for text in texts]
        ends = [{word[-1] for word in each} & CHARACTERS for each in tokens]
        long = word_finder.repeated(tokens, lambda word: len(word) > 1 and word not in materials.DULL_ZH)
        return long + word_finder.repeated(ends, lambda word: True)

    index: dict[tuple[str, str], list[int]] = {}
    for photo, (english, translated) in enumerate(captions.values()):
        for language, tokens in (("en", word_finder.english(english)), ("zh", chinese(translated))):
            for word in tokens:
                if word not in DULL:
                    index.setdefault((word, language), []).append(photo)
    return [Word(*key, photos) for key, photos in index.items() if len(photos) >= fewest]


def scored_words(captions: Captions, words: Sequence[Entry], nouns: dict[str, Noun]) -> list[Word]:
    """The words by which searches are scored, in at least two captions of a photo.

    In English every singular of three letters or more that is no function word, with 8 to 400 photos; in Chinese those of
    `caption_words` with 4 photos or more.
    """
    word_finder = CaptionWords(words, nouns)
    index: dict[str, list[int]] = defaultdict(list)
    for photo, (english, _) in enumerate(captions.values()):
        words_of = ({word_finder.singular(w) for w in re.findall("[a-z]+", text.lower())} for text in english)
        tokens = Counter(word for group in words_of for word in group)
        for word, times in tokens.items():
            if times > 1 and len(word) > 2 and word not in FUNCTION:
                index[word].append(photo)
    in_english = [Word(word, "en", photos) for word, photos in index.items() if len(photos) in SCORED_ENGLISH]
    return in_english + [word for word in caption_words(captions, words, nouns, SCORED_CHINESE) if word.language == "zh"]


def plural(name: str) -> str:
    """The regular plural of a noun, or its exception in `PLURALS`."""
    if name in PLURALS:
        return PLURALS[name]
    if re.search(r"(s|x|z|ch|sh)$", name):
        return name + "es"
    return re.sub(r"(?<=[^aeiou])y$", "ie", name) + "s"


def english_phrases(text: str) -> set[str]:
    """Words, and phrases of up to `LONGEST` words, of an English caption."""
    tokens = re.findall(r"[a-z]+", text.lower())
    spans = (tokens[at : at + size] for size in range(1, LONGEST + 1) for at in range(len(tokens) - size + 1))
    return {" ".join(s) for s in spans if all(len(end) > 2 and end not in FUNCTION for end in (s[0], s[-1]))}


def chinese_words(text: str, word_finder: CaptionWords) -> set[str]:
    """Words of a Chinese caption, and the last characters of words that are words themselves."""
    tokens = set(segment(text, word_finder.dictionary, longest=4))
    return {word for word in tokens if len(word) > 1 and word not in materials.DULL_ZH} | {
        word[-1] for word in tokens
    } & CHARACTERS


def phrase_index(phrases: Iterable[set[str]]) -> dict[str, list[int]]:
    """Phrases, with the numbers of the texts that contain them."""
    index: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(phrases):
        for phrase in each:
            index[phrase].append(number)
    return index
