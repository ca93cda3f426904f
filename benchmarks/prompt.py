"""The words of captions that a prompt finds, on Flickr8k's val part: 1,000 photos, each with five captions in each language.

    SEESAY_DATA=... python benchmarks/prompt.py [--quick] [--json]

The content words of a photo are those of its five captions together: singular, without articles, prepositions, pronouns and
auxiliaries. Chinese, which has no spaces, is cut into words by jieba's dictionary (`pip install jieba`; without its model of
new words), and words of characters that only connect are left out. Precision: the share of a prompt's different content
words that are among them. Recall: the share of them that the prompt has.

Chinese is measured by characters, too, as this script did at first. No goal hangs on them: they are no words. 人, a part of
"man", "woman" and "crowd", is in the captions of 59 % of the train part's photos and 子, a suffix of nouns, of 43 %, whatever
they show; the two most frequent words are there for 42 and 26 %, in English for 34 and 26 %.

Peers, each given as many words as the prompt has: random ones of the words in the train part's captions; its most frequent
ones; and those of the nearest train captions, one for each of 6,000 photos, the nearest first. SeeSay ships no such captions;
who has some gives them to `seesay caption`, whose one sentence is measured, too. Means over photos, with 95 % intervals from
1,000 draws of photos.

"Content" leaves out phrases of light, style and the like, which such captions do not mention. Bank and ranking were tuned on
the train part, which the bundled model was trained with, and on 91 photos of neither part: how often words stand in the train
part's captions decided which phrases of everyday scenes were written.

Goals: precision and recall of the content are at least twice those of random and of most frequent words (the peer's to ours: at
most 0.5). Times are of one photo whose vector is there.
"""

import importlib
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pictures
from benchmark import Goal, Result, Table, run

import seesay
from seesay.evaluation.bootstrap import mean_intervals
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
CONNECTING = """
    a an the and or but of in on at to with is are was were be being been am by for from into it its his her hers their
    theirs there this that these those as while who whom whose which what has have having had do does did up down out off
    over under through near next behind front other another some one ones each every very not no so too than then them him
    he she they we you i me my our your along around across against between onto about after before all just also s t both
    during beside above below upon within without toward towards away back where when how if can will
"""
FUNCTION_WORDS = frozenset(CONNECTING.split())
FUNCTION_CHARACTERS = frozenset(
    "的了着在和与是有个一只条名位上里中下前后旁边他她它们这那并正从到向把被用对面起以及其之地得过来去都也就还又很而"
)
NAMES = {"en": "English", "zh": "Chinese"}
Words = list[str]  # different ones, in their order
Run = tuple[Mode, int, tuple[list[Prompt], float]]  # mode, most phrases, what `_prompts` gave
Cut = Callable[[str], Words]


@dataclass(frozen=True)
class Unit:
    """What is counted in texts of a language. cut: a text -> its content words. goal: whether the goals are of it."""

    name: str
    language: str
    cut: Cut
    goal: bool = True


@dataclass(frozen=True)
class Photos:
    """Photos with captions. vectors (N, D); words: the content words of each; frequent: those of the train part, the most
    frequent first; captions: one of each photo of the train part."""

    unit: Unit
    vectors: np.ndarray
    words: list[frozenset[str]]
    frequent: Words
    captions: list[str]

    def content(self, text: str) -> Words:
        """The content words of a text."""
        return self.unit.cut(text)


def english(text: str) -> Words:
    words = re.findall("[a-z]+", text.lower())
    return list(dict.fromkeys(singular(word) for word in words if word not in FUNCTION_WORDS))


def characters(text: str) -> Words:
    return list(dict.fromkeys(letter for letter in text if is_ideograph(letter) and letter not in FUNCTION_CHARACTERS))


def chinese() -> Cut | None:
    """Cuts Chinese into words; None where jieba is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its code is older than this Python
            jieba = importlib.import_module("jieba")
    except ImportError:
        return None
    jieba.setLogLevel("ERROR")
    return lambda text: list(dict.fromkeys(word for word in jieba.cut(text, HMM=False) if characters(word)))


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
    units = [Unit("English", "en", english), Unit("Chinese by characters", "zh", characters, goal=False)]
    if (cut := chinese()) is None:
        result.notes.append("Chinese words need jieba: pip install jieba")
    else:
        units.insert(1, Unit("Chinese", "zh", cut))
    for language in ("en", "zh"):
        interrogator = Interrogator.of(model, phrase_bank(language))
        runs = [(mode, count, _prompts(interrogator, vectors[:most], mode, count)) for mode, count, most in RUNS]
        times = [(f"{mode}, at most {count} phrases", f"{milliseconds:.0f} ms") for mode, count, (_, milliseconds) in runs]
        negative = _prompts(interrogator, vectors[:NEGATIVE], "negative", 6)[1]
        times.append(("negative, at most 6 phrases", f"{negative:.0f} ms"))
        for unit in units:
            if unit.language == language:
                _measure(result, model, _photos(rows, names, vectors, unit), runs)
        result.tables.append(Table(f"{NAMES[language]}: time of one photo", ("mode", "time"), list(times)))
    return result


def _photos(rows: Sequence[Row], names: Sequence[str], vectors: np.ndarray, unit: Unit) -> Photos:
    words: dict[str, set[str]] = {}
    train: dict[str, str] = {}
    for row in rows:
        if row["lang"] == unit.language:
            words.setdefault(row["image"], set()).update(unit.cut(row["text"]))
            if row["split"] == "train":
                train.setdefault(row["image"], row["text"])
    counts = Counter(word for name in train for word in sorted(words[name]))
    frequent = [word for word, _ in counts.most_common()]
    return Photos(unit, vectors, [frozenset(words[name]) for name in names], frequent, list(train.values()))


def _measure(result: Result, model: Model, photos: Photos, runs: Sequence[Run]) -> None:
    captions = text_vectors(model, model.space_id, photos.captions)
    table: list[tuple[str, ...]] = []
    for mode, count, (prompts, _) in runs:
        for part in ("content", "whole"):
            ours = [photos.content(_text(prompt, part)) for prompt in prompts]
            name = f"{mode}, at most {count} phrases, {part}"
            goal = photos.unit.goal and part == "content" and (mode, count) != ("fast", 6)
            table += _compared(result, name, ours, photos, captions if part == "content" else None, goal=goal)
    for name, chosen in (("the nearest caption", _nearest), ("the caption of seesay caption", _agreed)):
        ours = [photos.content(photos.captions[chosen(vector, captions)]) for vector in photos.vectors]
        table += _compared(result, name, ours, photos, None, goal=False)[:1]
    header = ("words of", "words", "precision", "interval", "recall", "interval", "ours / its precision", "ours / its recall")
    each = np.mean([len(words) for words in photos.words])
    title = f"{photos.unit.name}: {len(photos.words)} photos, {each:.1f} content words each"
    result.tables.append(Table(f"{title}; of them {min(RUNS[-1][2], len(photos.words))} in mode best", header, table))


def _prompts(interrogator: Interrogator, vectors: np.ndarray, mode: Mode, count: int) -> tuple[list[Prompt], float]:
    """The prompts of photos, and the milliseconds that one takes."""
    start = time.perf_counter()
    prompts = [interrogator.prompt(vector, mode, count) for vector in vectors]
    return prompts, 1000 * (time.perf_counter() - start) / len(vectors)


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
                result.goals.append(Goal(f"{photos.unit.name}, {name}: {kind} of {peer} to ours", 1 / ratio, 0.5))
    result.figures[f"{photos.unit.name}, {name}"] = figures
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
        ((low, high),) = mean_intervals(share[:, None])
        cells += [f"{share.mean():.1%}", f"{low:.1%} to {high:.1%}"]
    return (*cells, *([""] * 2 if ratios is None else [f"{ratio:.2f}" if ratio < 100 else "over 100" for ratio in ratios]))


if __name__ == "__main__":
    run("prompt", __doc__ or "", measure)
