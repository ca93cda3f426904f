"""Normalizes a text query and embeds it as the mean of its phrasings.

`dog`, `Dogs`, `a dog.`, `my dog!` and `a photo of a dog` are the same query, and so are 狗, 狗。, 一只狗 and 狗的照片.
Words that say nothing about the image are removed here and not in the tokenizer, so that `encode_text` stays as published.
Short queries are averaged over several phrasings, as labels are (Radford et al. 2021, section 3.1.4); a sentence is its own
phrasing.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from seesay.models.encoder import Encoder
from seesay.models.vectors import normalize
from seesay.system.chinese import is_chinese

SHORT_WORDS = 3  # most English words of a query that gets several phrasings
SHORT_CHARACTERS = 6  # most Chinese characters of one
WORD_CHARACTERS = 3  # most Chinese characters of what is probably one word
AROUND = " \t\n\"'`“”„‟‘’‚‛«»‹›「」『』《》〈〉【】[]()"
ENDS = ".。．…!！?？,，、;；:："
ARTICLE = r"(?:a|an|the|some|any|this|that|these|those|my|our|your|his|her|its|their)"
MEDIUM = r"(?:photo|photograph|picture|pic|image|snapshot|shot)s?"
LEADING = rf"(?:show me|find|search for|looking for)\s+|(?:{ARTICLE}\s+)?{MEDIUM}\s+(?:of|with|showing)\s+|{ARTICLE}\s+"
TRAILING = r"\s+(?:photos|photographs|pictures|pics|images)$"
NOT_ALONE = frozenset(
    ("old", "new", "good", "best", "nice", "funny", "recent", "latest", "all", "black and white", "color", "colour")
)
OWNER_ZH = "(?:(?:我|我们|你|你们|他|她|它|他们|她们|咱|咱们|我們|你們|他們)(?:家)?的)"
COUNTED_ZH = (
    "(?:一|这|那|這|某)?(?:只|条|个|张|辆|艘|架|匹|头|朵|棵|座|幅|件|位|名|些|把|台|本|杯|块|片|瓶|部|栋|根|顶|双|盘|碗|间|支|盏|扇|颗"
    "|隻|條|個|張|輛|頭|塊|棟|頂|雙|盤|間|盞|顆)"
)
MEDIUM_ZH = "(?:的?(?:照片|相片|图片|图像|圖片|圖像|相|图|圖))$"
LEADING_MEDIUM_ZH = "(?:(?:一张|一幅|这张|那张|一張|這張|那張)(?:照片|图片|圖片)?(?:上|里|裡)?(?:有|是)?)"


@dataclass(frozen=True)
class Phrase:
    """A normalized query. short: a word or a few rather than a sentence."""

    text: str
    language: str
    short: bool

    @property
    def one_word(self) -> bool:
        """True for a single word; in Chinese, for so few characters that they probably are one."""
        return len(self.text) <= WORD_CHARACTERS if self.language == "zh" else " " not in self.text


def phrase(query: str) -> Phrase:
    """Normalizes a query: no capitals, quotation marks, articles, "photo of", plural or end punctuation; never empty."""
    text = " ".join(unicodedata.normalize("NFKC", query).split())
    text = _trimmed(text) or text
    if is_chinese(text):
        return _chinese(text)
    return _english(text.lower())


def _english(text: str) -> Phrase:
    while (match := re.match(LEADING, text)) and len(text) > match.end():
        text = _trimmed(text[match.end() :]) or text
    if (match := re.search(TRAILING, text)) and text[: match.start()] not in NOT_ALONE:
        text = text[: match.start()]
    words = text.split()
    short = len(words) <= SHORT_WORDS
    if short:
        words[-1] = singular(words[-1])
    return Phrase(" ".join(words), "en", short)


def _chinese(text: str) -> Phrase:
    for pattern in (LEADING_MEDIUM_ZH, OWNER_ZH, COUNTED_ZH):
        match = re.match(pattern, text)
        # 张三 is a name and 个人 a person: a measure word counts only between a number and a noun.
        if match and len(match[0]) > 1 and len(text) > match.end():
            text = _trimmed(text[match.end() :]) or text
    if (match := re.search(MEDIUM_ZH, text)) and match.start() > 0 and len(match[0]) > 1:
        text = _trimmed(text[: match.start()]) or text
    return Phrase(text.lower(), "zh", len(re.sub(r"\s", "", text)) <= SHORT_CHARACTERS)


def _trimmed(text: str) -> str:
    """The text without quotation marks around it and punctuation at its end."""
    before = None
    while text != before:
        before = text
        text = text.strip(AROUND).rstrip(ENDS)
    return text


def singular(word: str) -> str:
    """The singular of an English plural; any other word as it is. The rules are WordNet's (morphy(7WN))."""
    if (exception := _exceptions().get(word)) is not None:
        return exception
    if not re.fullmatch("[a-z]{4,}", word) or re.search("(?:ss|us|is|ics)$", word):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search("(?:ss|x|z|ch|sh|[^aeio]o)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


@cache
def _exceptions() -> dict[str, str]:
    """Irregular singulars by plural."""
    lines = (Path(__file__).parent / "plurals.txt").read_text(encoding="utf-8").splitlines()[1:]
    return {words[0]: words[-1] for words in map(str.split, lines)}


def phrasings(query: str, templates: Mapping[str, Sequence[str]]) -> list[str]:
    """The texts whose mean vector represents a query. templates: by language, with {} in place of a short query."""
    normalized = phrase(query)
    if not normalized.short:
        return [normalized.text]
    return [template.replace("{}", normalized.text) for template in templates.get(normalized.language, ("{}",))]


def query_embeddings(encoder: Encoder, queries: Sequence[str], templates: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Queries -> (N, D) unit vectors: each the mean of its phrasings' unit vectors, normalized again."""
    groups = [phrasings(query, templates) for query in queries]
    return averaged(encoder.encode_text([text for texts in groups for text in texts]), [len(texts) for texts in groups])


def averaged(vectors: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Unit vectors (M, D) of phrasings, query after query, `counts` of each -> one unit vector per query (N, D)."""
    ends = np.cumsum(counts)
    return normalize(np.stack([part.mean(axis=0) for part in np.split(vectors, ends[:-1])]))
