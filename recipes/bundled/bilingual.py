"""MiniLM taught Chinese and the space: every text drawn to where its English meaning belongs.

Pairs of a text and its English meaning (Reimers & Gurevych 2020, arXiv 2004.09813): dictionary words, class names, emoji names,
captions of a photo against its English captions, and English captions of which some words were put into Chinese, which
teaches mixed sentences as well. Traditional characters are drawn for some texts.
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
from recipes.bundled.places import DIM, LEARNT, Lesson, Places
from seesay.models.families.bert.tower import Bert
from seesay.models.vectors import normalize
from seesay.tokenizers import Tokenizer
from seesay.training.losses import embedding_distillation
from seesay.training.run.checkpoints import CheckpointFolder

RATE, BATCH, PART = 5e-4, 384, 64
SHARE_OF_NAMES, TIMES_OF_CLASSES = 0.7, 4  # in a pass
STRESSED_RATE, SHARE_OF_CAPTIONS = 3e-4, 0.25  # in the lessons on names
LEARNT_KEPT = 0.3  # of what the training made of a name's learnt part; more of it tells scenes from each other and not things


def precision() -> str:
    """Of products in training: bfloat16 where the processor multiplies it, which halves the time; weights stay float32."""
    return "bfloat16" if torch.cpu.get_capabilities().get("avx512_bf16") else "float32"


class Kept:
    """Where texts belong once the tower is trained: names in their places, with a little of the learnt part that the training
    gave them; captions where it put them, or, with `english`, halfway to where it put what they mean in English."""

    def __init__(self, places: Places, trained: Bert, tokenizer: Tokenizer, english: Sequence[str] = ()) -> None:
        self.places, self.trained, self.tokenizer = places, trained, tokenizer
        short_first = sorted(set(english), key=_length)
        self.english = dict(zip(short_first, self._vectors(short_first), strict=True))

    def of(self, lessons: Sequence[Lesson]) -> np.ndarray:
        """(N, DIM) float32"""
        rows = self.places.of(lessons)
        for row, now, lesson in zip(rows, self._vectors([lesson.text for lesson in lessons]), lessons, strict=True):
            if lesson.caption:
                row[:] = now + (
                    normalize(np.mean([self.english[text] for text in lesson.meanings], axis=0)) if self.english else 0
                )
            else:
                row[:LEARNT] = LEARNT_KEPT * now[:LEARNT]
        return normalize(rows)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        made = np.empty((len(texts), DIM), dtype=np.float32)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision() == "bfloat16"):
            for start in range(0, len(texts), PART):
                ids = torch.from_numpy(self.tokenizer(texts[start : start + PART]).ids)
                made[start : start + PART] = self.trained(ids).float().numpy()
        return normalize(made)


class Traditional:
    """Simplified text in traditional characters: the longest words of the dictionary first, then character by character."""

    def __init__(self, words: Sequence[Entry]) -> None:
        self.words: dict[str, str] = {}
        for entry in words:
            self.words.setdefault(entry.simplified, entry.traditional)

    def __call__(self, text: str) -> str:
        return "".join(self.words.get(word, word) for word in cut(text, self.words))


class Switch:
    """English captions with some words in Chinese."""

    def __init__(self, words: Sequence[Entry], common: str) -> None:
        """`common`: Chinese text of the kind wanted, by which the commonest of several translations is taken."""
        best: dict[str, tuple[float, str]] = {}
        for entry in words:
            if len(entry.simplified) > 4:
                continue
            for rank, meaning in enumerate(entry.meanings[:3]):
                english = re.sub(r"^(to|a|an|the) ", "", meaning.lower())
                if re.fullmatch(r"[a-z]+( [a-z]+)?", english):
                    score = common.count(entry.simplified) / (1 + rank) + 0.01 / (1 + rank)
                    best[english] = max(best.get(english, (0.0, "")), (score, entry.simplified))
        self.of = {english: chinese for english, (_, chinese) in best.items()}

    def _find(self, word: str) -> str | None:
        for form in (
            word,
            word.removesuffix("s"),
            word.removesuffix("es"),
            word.removesuffix("ing"),
            word.removesuffix("ning"),
            word.removesuffix("ing") + "e",
        ):
            if form in self.of:
                return self.of[form]
        return None

    def __call__(self, caption: str, rng: np.random.Generator) -> str:
        share = rng.choice([0.3, 0.6, 1.0])
        words, out, at = caption.split(), [], 0
        while at < len(words):
            pair = " ".join(words[at : at + 2]).lower()
            size, found = (2, self.of[pair]) if pair in self.of else (1, self._find(words[at].lower()))
            if found is not None and rng.random() < share:
                out.append(found)
            elif not (share == 1.0 and words[at].lower() in ("a", "an", "the", "of", "is", "are")):
                out += words[at : at + size]
            at += size
        return " ".join(out)


def one_pass(
    classes: Sequence[Lesson],
    names: Sequence[Lesson],
    captions: Iterable[tuple[Sequence[str], Sequence[str]]],
    traditional: Traditional,
    switch: Switch,
    rng: np.random.Generator,
) -> Iterator[Lesson]:
    """In random order. captions: for each photo its English and its Chinese ones."""
    found = [*classes] * TIMES_OF_CLASSES
    found += [name for name in names if rng.random() < SHARE_OF_NAMES]
    for english, translated in captions:
        for text in translated:
            found.append(Lesson(traditional(text) if rng.random() < 0.15 else text, tuple(english), caption=True))
        for text in english:
            mixed = switch(text, rng)
            found.append(Lesson(traditional(mixed) if rng.random() < 0.15 else mixed, (text,), caption=True))
            if rng.random() < 0.4:
                found.append(Lesson(text, (text,), caption=True))
    for at in rng.permutation(len(found)):
        yield found[at]


def on_names(lessons: Iterable[Lesson], rng: np.random.Generator, captions: float = SHARE_OF_CAPTIONS) -> Iterator[Lesson]:
    """Fewer captions: this share of them."""
    return (lesson for lesson in lessons if not lesson.caption or rng.random() < captions)


def teach(
    student: Bert,
    tokenizer: Tokenizer,
    places: "Places | Kept",
    passes: Callable[[int], Iterable[Lesson]],
    steps: int,
    folder: Path,
    rate: float = RATE,
    stress: np.ndarray | None = None,
) -> None:
    """Trains `student` in place, from the newest checkpoint in `folder` if there is one.

    stress (DIM,): how much a name's coordinates count, for what is small in length and decides between names all the same.
    """
    weight = torch.ones(DIM) if stress is None else torch.from_numpy(stress)
    checkpoints = CheckpointFolder(folder, keep=1)
    optimizer = torch.optim.AdamW(student.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    begin = 0
    if (state := checkpoints.last()) is not None:
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["step"]
    stream = islice(chain.from_iterable(map(passes, count())), begin * BATCH, None)
    student.train()
    started, recent = time.perf_counter(), []
    for step in range(begin, steps):
        now = rate * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = now
        batch = sorted(islice(stream, BATCH), key=lambda lesson: _length(lesson.text))
        optimizer.zero_grad(set_to_none=True)
        for start in range(0, BATCH, PART):
            part = batch[start : start + PART]
            ids = torch.from_numpy(tokenizer([lesson.text for lesson in part]).ids)
            captions = torch.tensor([[lesson.caption] for lesson in part])
            wanted = torch.from_numpy(places.of(part))
            with torch.autocast("cpu", torch.bfloat16, enabled=precision() == "bfloat16"):
                made = student(ids)
            counted = torch.where(captions, 1.0, weight)
            loss = embedding_distillation(made * counted, wanted * counted) * len(part) / BATCH
            loss.backward()  # type: ignore[no-untyped-call]
            recent.append(loss.item() * BATCH / len(part))
        optimizer.step()
        if (step + 1) % 50 == 0:
            took = (time.perf_counter() - started) / (step + 1 - begin)
            told = f"1 - cosine {np.mean(recent):.4f}, {took:.2f} s a step"
            print(f"teaching, {folder.name}: step {step + 1}/{steps}, {told}", flush=True)
            recent.clear()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            checkpoints.save(step + 1, {"student": student.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})


def cut(text: str, words: Container[str], longest: int = 8) -> list[str]:
    """Into known words, the longest first, and single characters."""
    found, at = [], 0
    while at < len(text):
        sizes = range(min(longest, len(text) - at), 1, -1)
        size = next((size for size in sizes if text[at : at + size] in words), 1)
        found.append(text[at : at + size])
        at += size
    return found


def _length(text: str) -> int:
    """Tokens, about: a character of Chinese, four letters of English."""
    return len(re.sub(r"[a-z]{4}", "-", text.lower()))
