"""Distillation of MiniLM into a bilingual text tower: every text learns the target vector of its English meaning.

Pairs of a text and its English meaning (Reimers & Gurevych 2020, arXiv 2004.09813): dictionary words, class names, emoji names,
Chinese captions of a photo with its English captions, and English captions with some words in Chinese, which covers mixed
sentences. Some texts are in traditional characters.
"""

import math
import re
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import torch

from recipes.bundled.dictionary import Entry
from recipes.bundled.targets import DIM, LEARNT, Lesson, Targets
from seesay.models.families.bert.tower import Bert
from seesay.models.vectors import normalize
from seesay.tokenizers import Tokenizer
from seesay.training.losses import embedding_distillation
from seesay.training.run.checkpoints import CheckpointFolder

RATE = 5e-4
BATCH = 384
PART = 64
# In an epoch
NAME_SHARE = 0.7
CLASS_REPEATS = 4
# In epochs that are mostly names
NAMES_RATE = 3e-4
CAPTION_SHARE = 0.25
LEARNT_SHARE = 0.3  # weight of a name's learnt part from training; more of it separates scenes rather than things


def precision() -> str:
    """The precision of matrix products: bfloat16 if the processor has it, which halves the time; weights are float32."""
    return "bfloat16" if torch.cpu.get_capabilities().get("avx512_bf16") else "float32"


class RetainedTargets:
    """Targets that retain what the tower was trained to.

    Names keep their targets, with some of the learnt part from training. Captions keep their vectors, or, with `english`, move
    halfway to those of their English meanings.
    """

    def __init__(self, targets: Targets, trained: Bert, tokenizer: Tokenizer, english: Sequence[str] = ()) -> None:
        self.targets, self.trained, self.tokenizer = targets, trained, tokenizer
        short_first = sorted(set(english), key=_length)
        self.english = dict(zip(short_first, self._encode(short_first), strict=True))

    def lesson_vectors(self, lessons: Sequence[Lesson]) -> np.ndarray:
        """The targets of lessons, (N, DIM) float32 unit vectors."""
        rows = self.targets.lesson_vectors(lessons)
        for row, current, lesson in zip(rows, self._encode([lesson.text for lesson in lessons]), lessons, strict=True):
            if lesson.caption:
                meanings = [self.english[text] for text in lesson.meanings] if self.english else []
                row[:] = current + (normalize(np.mean(meanings, axis=0)) if meanings else 0)
            else:
                row[:LEARNT] = LEARNT_SHARE * current[:LEARNT]
        return normalize(rows)

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        outputs = np.empty((len(texts), DIM), dtype=np.float32)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision() == "bfloat16"):
            for start in range(0, len(texts), PART):
                ids = torch.from_numpy(self.tokenizer(texts[start : start + PART]).ids)
                outputs[start : start + PART] = self.trained(ids).float().numpy()
        return normalize(outputs)


class Traditional:
    """Converts simplified text to traditional characters: the dictionary's longest words first, then single characters."""

    def __init__(self, words: Sequence[Entry]) -> None:
        self.words: dict[str, str] = {}
        for entry in words:
            self.words.setdefault(entry.simplified, entry.traditional)

    def __call__(self, text: str) -> str:
        return "".join(self.words.get(word, word) for word in segment(text, self.words))


class CodeSwitch:
    """Replaces some words of English captions by Chinese ones (code-switching)."""

    def __init__(self, words: Sequence[Entry], common: str) -> None:
        """common: Chinese text of the domain, in which the most frequent of several translations is chosen."""
        best: dict[str, tuple[float, str]] = {}
        for entry in words:
            if len(entry.simplified) > 4:
                continue
            for rank, meaning in enumerate(entry.meanings[:3]):
                english = re.sub(r"^(to|a|an|the) ", "", meaning.lower())
                if re.fullmatch(r"[a-z]+( [a-z]+)?", english):
                    score = common.count(entry.simplified) / (1 + rank) + 0.01 / (1 + rank)
                    best[english] = max(best.get(english, (0.0, "")), (score, entry.simplified))
        self.chinese = {english: chinese for english, (_, chinese) in best.items()}

    def _translation(self, word: str) -> str | None:
        for form in (
            word,
            word.removesuffix("s"),
            word.removesuffix("es"),
            word.removesuffix("ing"),
            word.removesuffix("ning"),
            word.removesuffix("ing") + "e",
        ):
            if form in self.chinese:
                return self.chinese[form]
        return None

    def __call__(self, caption: str, rng: np.random.Generator) -> str:
        share = rng.choice([0.3, 0.6, 1.0])
        words, result, position = caption.split(), [], 0
        while position < len(words):
            pair = " ".join(words[position : position + 2]).lower()
            size, chinese = (2, self.chinese[pair]) if pair in self.chinese else (1, self._translation(words[position].lower()))
            if chinese is not None and rng.random() < share:
                result.append(chinese)
            elif not (share == 1.0 and words[position].lower() in ("a", "an", "the", "of", "is", "are")):
                result += words[position : position + size]
            position += size
        return " ".join(result)


def epoch(
    classes: Sequence[Lesson],
    names: Sequence[Lesson],
    captions: Iterable[tuple[Sequence[str], Sequence[str]]],
    traditional: Traditional,
    code_switch: CodeSwitch,
    rng: np.random.Generator,
) -> Iterator[Lesson]:
    """The lessons of an epoch in random order. captions: for each photo its English and its Chinese ones."""
    lessons = [*classes] * CLASS_REPEATS
    lessons += [name for name in names if rng.random() < NAME_SHARE]
    for english, translated in captions:
        for text in translated:
            lessons.append(Lesson(traditional(text) if rng.random() < 0.15 else text, tuple(english), caption=True))
        for text in english:
            mixed = code_switch(text, rng)
            lessons.append(Lesson(traditional(mixed) if rng.random() < 0.15 else mixed, (text,), caption=True))
            if rng.random() < 0.4:
                lessons.append(Lesson(text, (text,), caption=True))
    for position in rng.permutation(len(lessons)):
        yield lessons[position]


def mostly_names(lessons: Iterable[Lesson], rng: np.random.Generator, captions: float = CAPTION_SHARE) -> Iterator[Lesson]:
    """The lessons with only this share of the captions."""
    return (lesson for lesson in lessons if not lesson.caption or rng.random() < captions)


def train(
    student: Bert,
    tokenizer: Tokenizer,
    targets: Targets | RetainedTargets,
    epochs: Callable[[int], Iterable[Lesson]],
    steps: int,
    folder: Path,
    rate: float = RATE,
    dimension_weights: np.ndarray | None = None,
) -> None:
    """Trains `student` in place, from the newest checkpoint in `folder` if there is one.

    dimension_weights (DIM,): weights of a name's coordinates in the loss, for parts that are short but decide between names.
    """
    weight = torch.ones(DIM) if dimension_weights is None else torch.from_numpy(dimension_weights)
    checkpoints = CheckpointFolder(folder, keep=1)
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    begin = 0
    if (state := checkpoints.last()) is not None:
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["step"]
    stream = islice(chain.from_iterable(map(epochs, count())), begin * BATCH, None)
    student.train()
    started, losses = time.perf_counter(), []
    for step in range(begin, steps):
        current = rate * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = current
        batch = sorted(islice(stream, BATCH), key=lambda lesson: _length(lesson.text))
        optimizer.zero_grad(set_to_none=True)
        for start in range(0, BATCH, PART):
            part = batch[start : start + PART]
            ids = torch.from_numpy(tokenizer([lesson.text for lesson in part]).ids)
            captions = torch.tensor([[lesson.caption] for lesson in part])
            target_rows = torch.from_numpy(targets.lesson_vectors(part))
            with torch.autocast("cpu", torch.bfloat16, enabled=precision() == "bfloat16"):
                outputs = student(ids)
            weights = torch.where(captions, 1.0, weight)
            loss = embedding_distillation(outputs * weights, target_rows * weights) * len(part) / BATCH
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.item() * BATCH / len(part))
        optimizer.step()
        if (step + 1) % 50 == 0:
            seconds = (time.perf_counter() - started) / (step + 1 - begin)
            progress = f"1 - cosine {np.mean(losses):.4f}, {seconds:.2f} s a step"
            print(f"teaching, {folder.name}: step {step + 1}/{steps}, {progress}", flush=True)
            losses.clear()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            checkpoints.save(step + 1, {"student": student.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})


def segment(text: str, words: Container[str], longest: int = 8) -> list[str]:
    """Splits text into known words, the longest first, and single characters."""
    pieces, position = [], 0
    while position < len(text):
        sizes = range(min(longest, len(text) - position), 1, -1)
        size = next((size for size in sizes if text[position : position + size] in words), 1)
        pieces.append(text[position : position + size])
        position += size
    return pieces


def _length(text: str) -> int:
    """The approximate number of tokens: Chinese characters, and English letters by four."""
    return len(re.sub(r"[a-z]{4}", "-", text.lower()))
