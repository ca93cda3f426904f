"""MiniLM taught Chinese: the vocabulary extended, then every text drawn to what MiniLM makes of its English meaning.

Pairs of a text and its English meaning (Reimers & Gurevych 2020, arXiv 2004.09813): dictionary words, class names, emoji names,
captions of a photo against its English captions, and English captions of which some words were put into Chinese, which
teaches mixed sentences as well. English texts stay where they were. Traditional characters are drawn for some texts.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
import torch

from recipes.bundled.dictionary import Entry
from seesay.models.bert import Bert
from seesay.tokenizers import Tokenizer
from seesay.training.losses import embedding_distillation
from seesay.training.state import CheckpointFolder

RATE, BATCH, PART = 5e-4, 384, 64


class Traditional:
    """Simplified text in traditional characters: the longest words of the dictionary first, then character by character."""

    def __init__(self, words: Sequence[Entry]) -> None:
        self.words: dict[str, str] = {}
        for entry in words:
            self.words.setdefault(entry.simplified, entry.traditional)
        self.longest = max(map(len, self.words))

    def __call__(self, text: str) -> str:
        out, at = [], 0
        while at < len(text):
            for size in range(min(self.longest, len(text) - at), 0, -1):
                if (word := text[at : at + size]) in self.words or size == 1:
                    out.append(self.words.get(word, word))
                    at += size
                    break
        return "".join(out)


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


def pairs(
    words: Sequence[Entry],
    names: Sequence[tuple[str, str]],
    captions: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    rng: np.random.Generator,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """One pass in random order: texts, each with the English texts whose mean vector it is drawn to.

    names: (Chinese, English). captions: for each photo its English and its Chinese ones.
    """
    traditional = Traditional(words)
    chinese = "".join(text for _, texts in captions.values() for text in texts)
    switch = Switch(words, chinese + "".join(zh for zh, _ in names))
    found: list[tuple[str, tuple[str, ...]]] = []
    for entry in words:
        spelled = entry.traditional if rng.random() < 0.3 else entry.simplified
        found.append((spelled, entry.meanings[:2]))
    for zh, en in names:
        found += [(zh, (en,)), (zh, (en,)), (zh, (en,)), (traditional(zh), (en,)), (en, (en,))]
    for english, translated in captions.values():
        for text in translated:
            found.append((traditional(text) if rng.random() < 0.15 else text, tuple(english)))
        for text in english:
            mixed = switch(text, rng)
            found.append((traditional(mixed) if rng.random() < 0.15 else mixed, (text,)))
            if rng.random() < 0.4:
                found.append((text, (text,)))
    for at in rng.permutation(len(found)):
        yield found[at]


def teach(
    student: Bert,
    tokenizer: Tokenizer,
    vectors: Mapping[str, np.ndarray],
    passes: Callable[[int], Iterable[tuple[str, tuple[str, ...]]]],
    steps: int,
    folder: Path,
) -> None:
    """Trains `student` in place, from the newest checkpoint in `folder` if there is one. vectors: the teacher's, (384,)."""
    checkpoints = CheckpointFolder(folder, keep=1)
    optimizer = torch.optim.AdamW(student.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    begin = 0
    if (state := checkpoints.last()) is not None:
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["step"]
    stream = islice(chain.from_iterable(map(passes, count())), begin * BATCH, None)
    student.train()
    started, recent = time.perf_counter(), []
    for step in range(begin, steps):
        rate = RATE * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = sorted(islice(stream, BATCH), key=lambda pair: _length(pair[0]))
        optimizer.zero_grad(set_to_none=True)
        for start in range(0, BATCH, PART):
            part = batch[start : start + PART]
            wanted = np.stack([np.mean([vectors[meaning] for meaning in meanings], axis=0) for _, meanings in part])
            made = student.features(torch.from_numpy(tokenizer([text for text, _ in part]).ids))
            loss = embedding_distillation(made, torch.from_numpy(wanted)) * len(part) / BATCH
            loss.backward()  # type: ignore[no-untyped-call]
            recent.append(loss.item() * BATCH / len(part))
        optimizer.step()
        if (step + 1) % 50 == 0:
            took = (time.perf_counter() - started) / (step + 1 - begin)
            print(
                f"teaching Chinese: step {step + 1}/{steps}, 1 - cosine {np.mean(recent):.4f}, {took:.2f} s a step", flush=True
            )
            recent.clear()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            checkpoints.save(step + 1, {"student": student.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})


def _length(text: str) -> int:
    """Tokens, about: a character of Chinese, four letters of English."""
    return len(re.sub(r"[a-z]{4}", "-", text.lower()))
