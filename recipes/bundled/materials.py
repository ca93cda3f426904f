"""The training data as files: captions and words of photos, names of drawings, and texts with target vectors."""

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import numpy as np

from recipes.bundled.bilingual import CodeSwitch, Traditional, segment
from recipes.bundled.dictionary import Entry
from recipes.bundled.nouns import PHYSICAL, Noun, hypernyms
from recipes.bundled.targets import PHRASINGS, Lesson, Targets, classes, kinds

Captions = dict[str, tuple[list[str], list[str]]]  # photo -> English, Chinese
HELD_NAMES = 25_000  # WordNet names of physical things that are held at their targets
# In lessons on things
EMOJI_REPEATS = 3
ENGLISH_REPEATS = 2
CHUNK = 1000
DULL = {"front", "side", "group", "way", "back", "top", "one", "two", "area", "air", "day", "end", "other", "next", "while"}
DULL_ZH = {
    "一个",
    "一只",
    "两个",
    "两只",
    "正在",
    "上面",
    "里面",
    "旁边",
    "前面",
    "后面",
    "穿着",
    "他们",
    "一起",
    "一条",
    "三个",
    "身上",
    "着",
    "在",
}


def captions(table: Path, split: str) -> Captions:
    """Captions of a split of Flickr8k with its Chinese captions, from a table of image, split, lang, text."""
    captions_by_photo: Captions = {}
    for line in table.read_text(encoding="utf-8").splitlines()[1:]:
        image, part, lang, text = line.split("\t")
        if part == split:
            captions_by_photo.setdefault(image, ([], []))[lang == "zh"].append(text)
    return captions_by_photo


def sentences(data: Path) -> list[str]:
    """Flickr30k's captions except those of Flickr8k's val and test photos, from a table of photo, text; without the photos."""
    table = data / "captions-text" / "flickr30k.en.tsv"
    return [line.split("\t")[1] for line in table.read_text(encoding="utf-8").splitlines()[1:]]


def write_table(file: Path, captions: Captions, images: Path) -> None:
    """Writes captions with the paths of their photos, as `seesay train` reads them."""
    with file.open("w", encoding="utf-8") as out:
        out.write("image\tlang\ttext\n")
        for image, texts_by_language in captions.items():
            for lang, texts in zip(("en", "zh"), texts_by_language, strict=True):
                out.writelines(f"{images / image}\t{lang}\t{text}\n" for text in texts)


class CaptionWords:
    """Finds the things that at least two captions of a photo name, by which a one-word search should find the photo."""

    def __init__(self, words: Sequence[Entry], nouns: dict[str, Noun]) -> None:
        self.noun_names = {name for noun in nouns.values() for name in noun.names}
        self.dictionary = {entry.simplified for entry in words}

    def english(self, texts: Sequence[str]) -> list[str]:
        """Nouns in singular that at least two of the English texts contain."""
        words_by_text = [{self.singular(w) for w in re.findall(r"[a-z]{3,}", text.lower())} for text in texts]
        return self.repeated(words_by_text, lambda word: word in self.noun_names and word not in DULL)

    def chinese(self, texts: Sequence[str]) -> list[str]:
        """Words that at least two of the Chinese texts contain."""
        return self.repeated(
            [set(segment(text, self.dictionary, longest=4)) for text in texts],
            lambda word: len(word) > 1 and word not in DULL_ZH,
        )

    @staticmethod
    def repeated(words_by_text: list[set[str]], accepted: Callable[[str], bool]) -> list[str]:
        counts = Counter(word for words in words_by_text for word in words if accepted(word))
        return [word for word, count in counts.most_common() if count >= 2]

    def singular(self, word: str) -> str:
        """The singular if it is a known noun, else the word."""
        for form in (word.removesuffix("s"), word.removesuffix("es")):
            if form != word and form in self.noun_names:
                return form
        return word


def write_captions(file: Path, captions: Captions, images: Path, words: Sequence[Entry], nouns: dict[str, Noun]) -> set[str]:
    """Writes a manifest of photos with texts, with the kind of a text as its language. Returns the single words among them."""
    traditional, word_finder = Traditional(words), CaptionWords(words, nouns)
    code_switch = CodeSwitch(words, "".join(text for _, zh in captions.values() for text in zh))
    rng = np.random.default_rng(0)
    single: set[str] = set()
    with file.open("w", encoding="utf-8") as out:
        for image, (english, chinese) in captions.items():
            words_en, words_zh = word_finder.english(english), word_finder.chinese(chinese)
            single |= {*words_en, *words_zh}
            texts_by_kind = {
                "en": english,
                "zh": chinese,
                "zh-Hant": [traditional(text) for text in chinese],
                "mixed": [code_switch(text, rng) for text in english],
                "word-en": [_phrased(word, "en", rng) for word in words_en],
                "word-zh": [_phrased(word, "zh", rng) for word in words_zh],
            }
            texts = [{"text": text, "lang": lang} for lang, group in texts_by_kind.items() for text in group]
            out.write(json.dumps({"image": str(images / image), "texts": texts}, ensure_ascii=False) + "\n")
    return single


def write_drawings(file: Path, manifest: Path) -> None:
    """Writes a manifest with one image of each drawing: more of them would bring little for half of the training time."""
    with file.open("w", encoding="utf-8") as out:
        for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
            if row["image"].endswith("-0.jpg"):
                row["image"] = str((manifest.parent / "images" / row["image"]).absolute())
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _phrased(name: str, lang: str, rng: np.random.Generator) -> str:
    """The name in a random template."""
    return str(rng.choice(PHRASINGS[lang])).format(name)


def class_names(words: Sequence[Entry], seed: int = 0) -> list[Lesson]:
    """Lessons on ImageNet's class names, in both languages and both scripts. seed: draws the templates."""
    traditional, rng = Traditional(words), np.random.default_rng(seed)
    lessons: list[Lesson] = []
    for c in classes():
        phrased = [_phrased(c.en, "en", rng) for _ in range(4)]
        phrased += [_phrased(c.zh, "zh", rng) for _ in range(5)]
        phrased += [_phrased(traditional(c.zh), "zh", rng) for _ in range(2)]
        lessons += [Lesson(text, (c.en,)) for text in phrased]
    return lessons


def other_names(
    words: Sequence[Entry],
    nouns: dict[str, Noun],
    emoji: Sequence[tuple[str, str]],
    excluded: Container[str] = (),
) -> list[Lesson]:
    """Lessons on names in WordNet, the emoji and the dictionary, except those in `excluded`, which photos teach."""
    rng = np.random.default_rng(0)
    english = [name for kind in kinds(nouns) for name in nouns[kind].names]
    physical = [noun for offset, noun in nouns.items() if PHYSICAL in hypernyms(offset, nouns)]
    common_names = sorted({name for noun in physical for name in noun.names if name.islower()})
    english += [common_names[at] for at in rng.permutation(len(common_names))[:HELD_NAMES] if common_names[at] not in excluded]
    lessons = [Lesson(_phrased(name, "en", rng), (name,)) for name in english]
    for zh, en in emoji:
        lessons += [Lesson(_phrased(zh, "zh", rng), (en,)), Lesson(_phrased(en, "en", rng), (en,))]
    other_entries = [entry for entry in words if entry.simplified not in excluded]
    lessons += [
        Lesson(entry.traditional if rng.random() < 0.3 else entry.simplified, entry.meanings[:2]) for entry in other_entries
    ]
    return lessons


def things(
    words: Sequence[Entry], emoji: Sequence[tuple[str, str]], is_thing: Callable[[str], bool], seed: int
) -> list[Lesson]:
    """Lessons on names of physical things, in both languages, of the emoji and the dictionary. seed: draws the templates."""
    rng = np.random.default_rng(seed)
    lessons, english = [], set()
    for zh, en in emoji:
        lessons += [
            Lesson(_phrased(name, lang, rng), (en,)) for lang, name in (("zh", zh), ("en", en)) for _ in range(EMOJI_REPEATS)
        ]
    for entry in words:
        if meanings := tuple(meaning for meaning in entry.meanings[:2] if is_thing(meaning)):
            name = entry.traditional if rng.random() < 0.3 else entry.simplified
            lessons.append(Lesson(_phrased(name, "zh", rng), meanings))
            english |= {*meanings}
    return lessons + [Lesson(_phrased(name, "en", rng), (name,)) for name in sorted(english) for _ in range(ENGLISH_REPEATS)]


def write_anchors(file: Path, lessons: Sequence[Lesson], targets: Targets) -> None:
    """Writes texts with target vectors as `seesay embed` does."""
    with file.open("wb") as stream:
        vectors = np.concatenate([targets.lesson_vectors(lessons[i : i + CHUNK]) for i in range(0, len(lessons), CHUNK)])
        np.savez(stream, vectors=vectors, text=np.array([lesson.text for lesson in lessons], dtype=np.str_))
