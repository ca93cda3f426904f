"""Refines a prompt by gradients: nearer to the picture, and harder to read.

PEZ (Wen et al. 2023, "Hard prompts made easy"), re-implemented from the paper: the tokens' embeddings are optimised; each step
projects them to the nearest embeddings of the vocabulary, takes the gradient there, and applies it to the unprojected ones.
Needs torch (extra `torch`), and the towers themselves: a model opened with engine="torch".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from seesay.errors import MissingCapability
from seesay.system.chinese import is_chinese
from seesay.system.progress import Progress
from seesay.tasks.interrogation.context import SpaceEncoder, TextTokenizer, fits, own_tokens
from seesay.tasks.interrogation.interrogator import Prompt

if TYPE_CHECKING:
    import torch

    from seesay.models.layers.tower import TextTower

STEPS = 200
RATE = 0.1  # of AdamW, and its weight decay; both as in the paper
CHUNK = 2048  # pieces of a vocabulary that are checked at a time


class Decoder(TextTokenizer, Protocol):
    """A tokenizer that also makes texts of ids."""

    def decode(self, ids: list[int]) -> str:
        """Ids -> their text."""
        ...


def refined(
    model: SpaceEncoder, picture: np.ndarray, prompt: Prompt, *, steps: int = STEPS, progress: Progress | None = None
) -> Prompt:
    """A prompt with the same number of tokens that is nearer to a picture's unit vector (D,), or the same one.

    A text counts by its cosine once it is encoded as text, so what is returned is never farther. The phrases stay those that
    it began with. Raises MissingCapability for a model whose towers are not run by torch, or have no table of tokens.
    """
    import torch

    tower, tokenizer = _tower(model), _decoder(model)
    table = _table(tower)
    ids, own = own_tokens(tokenizer, prompt.text)
    words = _words(tokenizer, table.num_embeddings, chinese=is_chinese(prompt.text))
    vocabulary = table.weight.detach()[torch.from_numpy(words)].float()
    unit_vocabulary = torch.nn.functional.normalize(vocabulary, dim=1)
    target = torch.from_numpy(np.ascontiguousarray(picture)).to(vocabulary)
    soft = table.weight.detach()[torch.from_numpy(ids[own]).to(vocabulary.device)].float().requires_grad_()
    optimizer = torch.optim.AdamW([soft], lr=RATE, weight_decay=RATE)
    best, tried = prompt, {prompt.text}
    for step in range(steps):
        nearest = (torch.nn.functional.normalize(soft.detach(), dim=1) @ unit_vocabulary.T).argmax(dim=1)
        ids[own] = words[nearest.cpu().numpy()]
        # The value is the projected embedding, the gradient goes to the unprojected one.
        projected = soft + (vocabulary[nearest] - soft).detach()
        cosine = _cosine(tower, table, ids, own, projected, target)
        text = tokenizer.decode(ids[own].tolist())
        if float(cosine.detach()) > best.cosine and text not in tried:
            tried.add(text)
            best = _nearer(model, picture, text, best)
        optimizer.zero_grad()
        (1 - cosine).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if progress is not None:
            progress(step + 1, steps)
    return best


def _nearer(model: SpaceEncoder, picture: np.ndarray, text: str, best: Prompt) -> Prompt:
    """The text as a prompt, if it fits and is nearer once it is tokenized again."""
    if not text.strip() or not fits(model.tokenizer)([text])[0]:
        return best
    cosine = float(model.encode_text([text])[0] @ picture)
    return replace(best, text=text, cosine=cosine, steps=(*best.steps, cosine)) if cosine > best.cosine else best


def _cosine(
    tower: "TextTower", table: "torch.nn.Embedding", ids: np.ndarray, own: slice, rows: "torch.Tensor", target: "torch.Tensor"
) -> "torch.Tensor":
    """The cosine of ids (L,), whose own tokens have the embeddings `rows` (n, width), with the target (D,)."""
    import torch

    with _embedded(table, own, rows):
        vector = tower(torch.from_numpy(ids[None]).to(target.device))[0].float()
    return torch.nn.functional.cosine_similarity(vector, target, dim=0)


@contextmanager
def _embedded(table: "torch.nn.Embedding", own: slice, rows: "torch.Tensor") -> Iterator[None]:
    """Puts rows in the place of a text's own embeddings while the block runs."""
    import torch

    def put(module: Any, inputs: Any, output: "torch.Tensor") -> "torch.Tensor":
        return torch.cat([output[:, : own.start], rows.to(output.dtype)[None], output[:, own.stop :]], dim=1)

    handle = table.register_forward_hook(put)
    try:
        yield
    finally:
        handle.remove()


def _tower(model: SpaceEncoder) -> "TextTower":
    engine: Any = getattr(model, "engine", None)
    if "gradients" not in getattr(engine, "capabilities", ()):
        raise MissingCapability("refining takes gradients, which only torch gives; open the model with engine='torch'")
    tower: TextTower = engine.clip.text
    return tower.requires_grad_(False)


def _table(tower: "TextTower") -> "torch.nn.Embedding":
    """The tower's embeddings of tokens, wherever its family keeps them."""
    import torch

    tables = (module for module in tower.modules() if isinstance(module, torch.nn.Embedding))
    table = next((table for table in tables if table.num_embeddings == tower.config.vocabulary), None)
    if table is None:
        raise MissingCapability("this text tower has no table of tokens whose embeddings could be refined")
    return table


def _decoder(model: SpaceEncoder) -> Decoder:
    tokenizer: Any = model.tokenizer
    if not hasattr(tokenizer, "decode"):
        raise MissingCapability("this model's tokenizer makes no texts of tokens, so nothing can be refined")
    return tokenizer  # type: ignore[no-any-return]


def _words(tokenizer: Decoder, count: int, *, chinese: bool) -> np.ndarray:
    """The ids of pieces that are words, Chinese or not: their text is cut into the same one piece again. (M,) int64"""
    found: list[int] = []
    for start in range(0, count, CHUNK):
        ids = range(start, min(start + CHUNK, count))
        texts = [tokenizer.decode([each]).strip() for each in ids]
        pieces = [(each, text) for each, text in zip(ids, texts, strict=True) if text.isalpha() and is_chinese(text) == chinese]
        if not pieces:
            continue
        rows = tokenizer([text for _, text in pieces]).ids
        _, own = own_tokens(tokenizer, pieces[0][1])
        empty = tokenizer([""]).ids[0]
        for (each, _text), row in zip(pieces, rows, strict=True):
            others = row[own.start + 1 :]
            if row[own.start] == each and (not len(others) or set(others.tolist()) <= {*empty.tolist(), tokenizer.spec.pad_id}):
                found.append(each)
    return np.asarray(found, dtype=np.int64)
