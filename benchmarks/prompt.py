"""The words of captions that a prompt finds, on Flickr8k's val part: 1,000 photos, each with five captions in each language.

    SEESAY_DATA=... python benchmarks/prompt.py [--quick] [--json]

The content words of a photo are those of its five captions together: singular, without articles, prepositions, pronouns and
auxiliaries. In Chinese, which has no spaces, characters stand for words, without those that only connect. Precision: the share
of a prompt's different content words that are among them. Recall: the share of them that the prompt has.

Peers, each given as many words as the prompt has: random ones of the words in the train part's captions; its most frequent
ones; and those of the nearest train captions, one for each of 6,000 photos, the nearest first. SeeSay ships no such captions;
who has some gives them to `seesay caption`, whose one sentence is measured, too. Means over photos, with 95 % intervals from
1,000 draws of photos.

"Content" leaves out phrases of light, style and the like, which such captions do not mention. Bank and ranking were tuned on
the train part, which the bundled model was trained with, and on 91 photos of neither part.

Goals: precision and recall of the content are at least twice those of random and of most frequent words (the peer's to ours: at
most 0.5). Times are of one photo whose vector is there.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run

import seesay
from seesay.model import Model
from seesay.models.vectors import top_k
from seesay.system.chinese import is_ideograph
from seesay.system.tables import Row, read_table
from seesay.tasks.interrogation.bank import CONTENT, phrase_bank
from seesay.tasks.interrogation.captions import nearest_captions
from seesay.tasks.interrogation.interrogator import Interrogator, Mode, Prompt
from seesay.tasks.interrogation.vectors import text_vectors
from seesay.tasks.phrasing import singular

RUNS: tuple[tuple[Mode, int, int], ...] = (("fast", 3, 1000), ("fast", 6, 1000), ("best", 6, 100))  # phrases, photos
NEGATIVE = 20  # photos whose negative prompts are timed
QUICK = 40
NEAREST = 60  # captions whose words are taken, the nearest first
DRAWS = 1000
NAMES = {"en": "English", "zh": "Chinese"}
FUNCTION_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "of",
        "in",
        "on",
        "at",
        "to",
        "with",
        "is",
        "are",
        "was",
        "were",
        "be",
        "being",
        "been",
        "am",
        "by",
        "for",
        "from",
        "into",
        "it",
        "its",
        "his",
        "her",
        "hers",
        "their",
        "theirs",
        "there",
        "this",
        "that",
        "these",
        "those",
        "as",
        "while",
        "who",
        "whom",
        "whose",
        "which",
        "what",
        "has",
        "have",
        "having",
        "had",
        "do",
        "does",
        "did",
        "up",
        "down",
        "out",
        "off",
        "over",
        "under",
        "through",
        "near",
        "next",
        "behind",
        "front",
        "other",
        "another",
        "some",
        "one",
        "ones",
        "each",
        "every",
        "very",
        "not",
        "no",
        "so",
        "too",
        "than",
        "then",
        "them",
        "him",
        "he",
        "she",
        "they",
        "we",
        "you",
        "i",
        "me",
        "my",
        "our",
        "your",
        "along",
        "around",
        "across",
        "against",
        "between",
        "onto",
        "about",
        "after",
        "before",
        "all",
        "just",
        "also",
        "s",
        "t",
        "both",
        "during",
        "beside",
        "above",
        "below",
        "upon",
        "within",
        "without",
        "toward",
        "towards",
        "away",
        "back",
        "where",
        "when",
        "how",
        "if",
        "can",
        "will",
    ]
)
FUNCTION_CHARACTERS = frozenset(
    "的了着在和与是有个一只条名位上里中下前后旁边他她它们这那并正从到向把被用对面起以及其之地得过来去都也就还又很而"
)
Words = list[str]  # different ones, in their order


@dataclass(frozen=True)
class Photos:
    """Photos with captions in one language. vectors (N, D); words: the content words of each; frequent: those of the train
    part, the most frequent first; captions: one of each photo of the train part."""

    language: str
    vectors: np.ndarray
    words: list[frozenset[str]]
    frequent: Words
    captions: list[str]

    def content(self, text: str) -> Words:
        """The content words of a text."""
        return CONTENT_WORDS[self.language](text)


def english(text: str) -> Words:
    words = re.findall("[a-z]+", text.lower())
    return list(dict.fromkeys(singular(word) for word in words if word not in FUNCTION_WORDS))


def chinese(text: str) -> Words:
    return list(dict.fromkeys(letter for letter in text if is_ideograph(letter) and letter not in FUNCTION_CHARACTERS))


CONTENT_WORDS: Mapping[str, Callable[[str], Words]] = {"en": english, "zh": chinese}


def measure(quick: bool) -> Result:
    result = Result()
    data = pictures.data()
    if data is None or not (data / "flickr8k" / "captions.tsv").is_file():
        result.notes.append("Flickr8k is needed: SEESAY_DATA=folder with flickr8k/captions.tsv and its images")
        return result
    model = seesay.load()
    rows = read_table(data / "flickr8k" / "captions.tsv", ("image", "split", "lang", "text"))
    names = list(dict.fromkeys(row["image"] for row in rows if row["split"] == "val"))[: QUICK if quick else None]
    vectors = model.encode_image([data / "flickr8k" / "images" / name for name in names])
    for language in NAMES:
        _measure(result, model, _photos(rows, names, vectors, language))
    return result


def _photos(rows: Sequence[Row], names: Sequence[str], vectors: np.ndarray, language: str) -> Photos:
    words: dict[str, set[str]] = {}
    train: dict[str, str] = {}
    for row in rows:
        if row["lang"] == language:
            words.setdefault(row["image"], set()).update(CONTENT_WORDS[language](row["text"]))
            if row["split"] == "train":
                train.setdefault(row["image"], row["text"])
    counts = Counter(word for name in train for word in sorted(words[name]))
    frequent = [word for word, _ in counts.most_common()]
    return Photos(language, vectors, [frozenset(words[name]) for name in names], frequent, list(train.values()))


def _measure(result: Result, model: Model, photos: Photos) -> None:
    interrogator = Interrogator.of(model, phrase_bank(photos.language))
    captions = text_vectors(model, model.space_id, photos.captions)
    table: list[tuple[str, ...]] = []
    times: list[tuple[str, ...]] = []
    for mode, count, most in RUNS:
        prompts, milliseconds = _prompts(interrogator, photos, mode, count, most)
        times.append((f"{mode}, at most {count} phrases", f"{milliseconds:.0f} ms"))
        for part in ("content", "whole"):
            ours = [photos.content(_text(prompt, part)) for prompt in prompts]
            name = f"{mode}, at most {count} phrases, {part}"
            goal = part == "content" and (mode, count) != ("fast", 6)
            table += _compared(result, name, ours, photos, captions if part == "content" else None, goal=goal)
    times.append(("negative, at most 6 phrases", f"{_prompts(interrogator, photos, 'negative', 6, NEGATIVE)[1]:.0f} ms"))
    for name, chosen in (("the nearest caption", _nearest), ("the caption of seesay caption", _agreed)):
        ours = [photos.content(photos.captions[chosen(vector, captions)]) for vector in photos.vectors]
        table += _compared(result, name, ours, photos, None, goal=False)[:1]
    header = ("words of", "words", "precision", "interval", "recall", "interval", "ours / its precision", "ours / its recall")
    each = np.mean([len(words) for words in photos.words])
    title = f"{NAMES[photos.language]}: {len(photos.words)} photos, {each:.1f} content words each"
    result.tables.append(Table(f"{title}; of them {min(RUNS[-1][2], len(photos.words))} in mode best", header, table))
    result.tables.append(Table(f"{NAMES[photos.language]}: time of one photo", ("mode", "time"), times))


def _prompts(interrogator: Interrogator, photos: Photos, mode: Mode, count: int, most: int) -> tuple[list[Prompt], float]:
    """The prompts of the first photos, and the milliseconds that one takes."""
    some = photos.vectors[:most]
    start = time.perf_counter()
    prompts = [interrogator.prompt(vector, mode, count) for vector in some]
    return prompts, 1000 * (time.perf_counter() - start) / len(some)


def _text(prompt: Prompt, part: str) -> str:
    return " ".join(phrase.text for phrase in prompt.phrases if part == "whole" or phrase.kind in CONTENT)


def _compared(
    result: Result, name: str, ours: Sequence[Words], photos: Photos, captions: np.ndarray | None, *, goal: bool
) -> list[tuple[str, ...]]:
    """Rows of the table: ours, then each peer with as many words. captions: vectors, where their words are a peer."""
    own = _shares(ours, photos)
    rows = [_row(name, ours, own)]
    rng = np.random.default_rng(0)
    peers: dict[str, list[Words]] = {
        "random words": [list(rng.choice(photos.frequent, len(words), replace=False)) for words in ours],
        "most frequent words": [photos.frequent[: len(words)] for words in ours],
    }
    if captions is not None:
        peers["nearest captions' words"] = [_first_words(photos, captions, at, len(words)) for at, words in enumerate(ours)]
    figures = {"words": round(float(np.mean([len(words) for words in ours])), 2)}
    figures |= {"precision": round(float(own[0].mean()), 4), "recall": round(float(own[1].mean()), 4)}
    for peer, words in peers.items():
        shares = _shares(words, photos)
        ratios = [float(mine.mean() / max(theirs.mean(), 1e-6)) for mine, theirs in zip(own, shares, strict=True)]
        rows.append(_row(f"  {peer}", words, shares, ratios))
        figures |= {f"{peer}: {kind}": round(ratio, 3) for kind, ratio in zip(("precision", "recall"), ratios, strict=True)}
        if goal and peer != "nearest captions' words":
            for kind, ratio in zip(("precision", "recall"), ratios, strict=True):
                result.goals.append(Goal(f"{NAMES[photos.language]}, {name}: {kind} of {peer} to ours", 1 / ratio, 0.5))
    result.figures[f"{photos.language}, {name}"] = figures
    return rows


def _first_words(photos: Photos, captions: np.ndarray, at: int, count: int) -> Words:
    """The first so many content words of the captions nearest to a photo."""
    near = top_k(captions @ photos.vectors[at], NEAREST)
    return list(dict.fromkeys(word for each in near for word in photos.content(photos.captions[each])))[:count]


def _nearest(vector: np.ndarray, captions: np.ndarray) -> int:
    return int(np.argmax(captions @ vector))


def _agreed(vector: np.ndarray, captions: np.ndarray) -> int:
    return nearest_captions(vector, captions)[0].position


def _shares(found: Sequence[Words], photos: Photos) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of each photo."""
    right = np.array([len(set(words) & truth) for words, truth in zip(found, photos.words, strict=False)], dtype=float)
    counts = np.array([max(len(words), 1) for words in found])
    return right / counts, right / np.array([max(len(truth), 1) for truth in photos.words[: len(found)]])


def _row(
    name: str, words: Sequence[Words], shares: tuple[np.ndarray, np.ndarray], ratios: Sequence[float] | None = None
) -> tuple[str, ...]:
    cells = [name, f"{np.mean([len(each) for each in words]):.1f}"]
    for share in shares:
        draws = np.random.default_rng(0).integers(0, len(share), (DRAWS, len(share)))
        low, high = np.percentile(share[draws].mean(axis=1), (2.5, 97.5))
        cells += [f"{share.mean():.1%}", f"{low:.1%} to {high:.1%}"]
    return (*cells, *([""] * 2 if ratios is None else [f"{ratio:.2f}" if ratio < 100 else "over 100" for ratio in ratios]))


if __name__ == "__main__":
    run("prompt", __doc__ or "", measure)
