"""What the trainer reads: captions and words of photos, drawings' names, and texts with their places, as files."""

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import numpy as np

from recipes.bundled.bilingual import Switch, Traditional, cut
from recipes.bundled.dictionary import Entry
from recipes.bundled.nouns import PHYSICAL, Noun, above
from recipes.bundled.places import SAID, Lesson, Places, classes, kinds

Captions = dict[str, tuple[list[str], list[str]]]  # photo -> English, Chinese
SPOKEN = 25_000  # names of WordNet's that are held in place, of those that name something to see
TIMES_OF_EMOJI, TIMES_OF_ENGLISH = 3, 2  # among things
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
    """Of Flickr8k with its Chinese captions: a table of image, split, lang, text."""
    found: Captions = {}
    for line in table.read_text(encoding="utf-8").splitlines()[1:]:
        image, where, lang, text = line.split("\t")
        if where == split:
            found.setdefault(image, ([], []))[lang == "zh"].append(text)
    return found


def sentences(data: Path) -> list[str]:
    """Flickr30k's captions but those of Flickr8k's val and test photos: a table of photo, text. No photo comes with them."""
    table = data / "captions-text" / "flickr30k.en.tsv"
    return [line.split("\t")[1] for line in table.read_text(encoding="utf-8").splitlines()[1:]]


def write_table(file: Path, found: Captions, images: Path) -> None:
    """Captions with where their photos are, as `seesay train` reads them."""
    with file.open("w", encoding="utf-8") as out:
        out.write("image\tlang\ttext\n")
        for image, both in found.items():
            for lang, texts in zip(("en", "zh"), both, strict=True):
                out.writelines(f"{images / image}\t{lang}\t{text}\n" for text in texts)


class CaptionWords:
    """The things that at least two captions of a photo name: words that a search of one word should find it by."""

    def __init__(self, words: Sequence[Entry], nouns: dict[str, Noun]) -> None:
        self.known = {name for noun in nouns.values() for name in noun.names}
        self.dictionary = {entry.simplified for entry in words}

    def english(self, texts: Sequence[str]) -> list[str]:
        said = [{self.singular(w) for w in re.findall(r"[a-z]{3,}", text.lower())} for text in texts]
        return self.agreed(said, lambda word: word in self.known and word not in DULL)

    def chinese(self, texts: Sequence[str]) -> list[str]:
        return self.agreed(
            [set(cut(text, self.dictionary, longest=4)) for text in texts], lambda word: len(word) > 1 and word not in DULL_ZH
        )

    @staticmethod
    def agreed(said: list[set[str]], wanted: Callable[[str], bool]) -> list[str]:
        counted = Counter(word for words in said for word in words if wanted(word))
        return [word for word, count in counted.most_common() if count >= 2]

    def singular(self, word: str) -> str:
        for form in (word.removesuffix("s"), word.removesuffix("es")):
            if form != word and form in self.known:
                return form
        return word


def write_captions(file: Path, found: Captions, images: Path, words: Sequence[Entry], nouns: dict[str, Noun]) -> set[str]:
    """A manifest of photos with texts; kinds of texts are told apart as languages. Returns the single words among them."""
    traditional, named = Traditional(words), CaptionWords(words, nouns)
    switch = Switch(words, "".join(text for _, zh in found.values() for text in zh))
    rng = np.random.default_rng(0)
    single: set[str] = set()
    with file.open("w", encoding="utf-8") as out:
        for image, (english, chinese) in found.items():
            words_en, words_zh = named.english(english), named.chinese(chinese)
            single |= {*words_en, *words_zh}
            said = {
                "en": english,
                "zh": chinese,
                "zh-Hant": [traditional(text) for text in chinese],
                "mixed": [switch(text, rng) for text in english],
                "word-en": [_put(word, "en", rng) for word in words_en],
                "word-zh": [_put(word, "zh", rng) for word in words_zh],
            }
            texts = [{"text": text, "lang": lang} for lang, each in said.items() for text in each]
            out.write(json.dumps({"image": str(images / image), "texts": texts}, ensure_ascii=False) + "\n")
    return single


def write_drawings(file: Path, manifest: Path) -> None:
    """One picture of each drawing: what more of them would bring is not worth half the time that pictures take."""
    with file.open("w", encoding="utf-8") as out:
        for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
            if row["image"].endswith("-0.jpg"):
                row["image"] = str((manifest.parent / "images" / row["image"]).absolute())
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _put(name: str, lang: str, rng: np.random.Generator) -> str:
    """As one may put it."""
    return str(rng.choice(SAID[lang])).format(name)


def class_names(words: Sequence[Entry], seed: int = 0) -> list[Lesson]:
    """ImageNet's, in both languages and both scripts. seed: of how they are put."""
    traditional, rng = Traditional(words), np.random.default_rng(seed)
    found: list[Lesson] = []
    for c in classes():
        said = [_put(c.en, "en", rng) for _ in range(4)]
        said += [_put(c.zh, "zh", rng) for _ in range(5)]
        said += [_put(traditional(c.zh), "zh", rng) for _ in range(2)]
        found += [Lesson(text, (c.en,)) for text in said]
    return found


def other_names(
    words: Sequence[Entry],
    nouns: dict[str, Noun],
    emoji: Sequence[tuple[str, str]],
    free: Container[str] = (),
) -> list[Lesson]:
    """WordNet's, emoji's and the dictionary's; not those in `free`, which photos teach."""
    rng = np.random.default_rng(0)
    english = [name for kind in kinds(nouns) for name in nouns[kind].names]
    seen = [noun for offset, noun in nouns.items() if PHYSICAL in above(offset, nouns)]
    spoken = sorted({name for noun in seen for name in noun.names if name.islower()})
    english += [spoken[at] for at in rng.permutation(len(spoken))[:SPOKEN] if spoken[at] not in free]
    found = [Lesson(_put(name, "en", rng), (name,)) for name in english]
    for zh, en in emoji:
        found += [Lesson(_put(zh, "zh", rng), (en,)), Lesson(_put(en, "en", rng), (en,))]
    told = [entry for entry in words if entry.simplified not in free]
    found += [Lesson(entry.traditional if rng.random() < 0.3 else entry.simplified, entry.meanings[:2]) for entry in told]
    return found


def things(
    words: Sequence[Entry], emoji: Sequence[tuple[str, str]], is_thing: Callable[[str], bool], seed: int
) -> list[Lesson]:
    """Names of what can be seen, in both languages: emoji's and the dictionary's. seed: of how they are put."""
    rng = np.random.default_rng(seed)
    found, english = [], set()
    for zh, en in emoji:
        found += [
            Lesson(_put(name, lang, rng), (en,)) for lang, name in (("zh", zh), ("en", en)) for _ in range(TIMES_OF_EMOJI)
        ]
    for entry in words:
        if meanings := tuple(meaning for meaning in entry.meanings[:2] if is_thing(meaning)):
            name = entry.traditional if rng.random() < 0.3 else entry.simplified
            found.append(Lesson(_put(name, "zh", rng), meanings))
            english |= {*meanings}
    return found + [Lesson(_put(name, "en", rng), (name,)) for name in sorted(english) for _ in range(TIMES_OF_ENGLISH)]


def write_anchors(file: Path, lessons: Sequence[Lesson], places: Places) -> None:
    """As `seesay embed` writes vectors."""
    with file.open("wb") as stream:
        vectors = np.concatenate([places.of(lessons[i : i + CHUNK]) for i in range(0, len(lessons), CHUNK)])
        np.savez(stream, vectors=vectors, text=np.array([lesson.text for lesson in lessons], dtype=np.str_))
