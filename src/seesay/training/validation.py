"""Recall on captions that training does not see, and a few searches to look at."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from seesay.errors import InputError, UnreadableImage
from seesay.evaluation.datasets import Captions, read_captions
from seesay.evaluation.retrieval import Retrieval, recalls
from seesay.models.clip import Clip
from seesay.system.cpu import available_cores
from seesay.system.prefetch import prefetch
from seesay.tokenizers import Tokenizer
from seesay.training.data.frozen import Progress
from seesay.training.data.inputs import PLAIN, Pictures, Texts
from seesay.training.data.left_out import LeftOut
from seesay.training.data.samples import Fault
from seesay.training.recipe import Recipe, Validation

BATCH = 32
SHOWN_TEXTS, SHOWN_PICTURES = 8, 5


@dataclass(frozen=True)
class Search:
    """A text, the picture it belongs to, and the nearest ones."""

    text: str
    right: str
    found: tuple[str, ...]


class Validator:
    """Encodes the captions' pictures and texts with the towers as they are now. Pictures that cannot be read are left out."""

    def __init__(self, recipe: Recipe, said: Validation, clip: Clip, tokenizer: Tokenizer, device: torch.device) -> None:
        images = recipe.path(said.images) if said.images else None
        self.captions: Captions = read_captions(
            recipe.path(said.data), images, language=said.language, split=said.split, option="--set validation.language="
        )
        model = recipe.model
        self.pictures = Pictures(clip, PLAIN, device, unlocked_groups=model.image.unlocked_groups)
        self.texts = Texts(clip, tokenizer, device, unlocked_groups=model.text.unlocked_groups)
        self.name = ", ".join(filter(None, (Path(said.data).name, self.captions.split, self.captions.language)))
        self.left_out = LeftOut()  # of the last time

    def freeze(self, folder: Path, phase: Callable[[str, int], Progress]) -> None:
        """What locked towers make of them, once. `phase` is told what and how many, and gives who watches."""
        if self.pictures.freezable:
            keys = self.pictures.looks((file, False) for file in self.captions.images)
            self.pictures.freeze(keys, folder / "validation-pictures.npz", phase("validation pictures", len(keys)))
        if self.texts.freezable:
            texts = set(self.captions.texts)
            self.texts.freeze(texts, folder / "validation-texts.npz", phase("validation texts", len(texts)))

    def __call__(self) -> tuple[Retrieval, list[Search]]:
        with torch.inference_mode():
            images, kept = self._images()
            captions = self.captions if len(kept) == len(self.captions.images) else self.captions.only(kept)
            texts = self._texts(captions.texts)
        return recalls(images, texts, captions.owner), _searches(images, texts, captions)

    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (K, dim) and the numbers (K,) of the pictures that can be read."""
        vectors: list[np.ndarray] = []
        kept: list[int] = []
        batch: list[np.ndarray] = []
        self.left_out = LeftOut()
        with closing(prefetch(self._try, self.captions.images, threads=available_cores(), ahead=2 * BATCH)) as results:
            for number, value in enumerate(results):
                if isinstance(value, UnreadableImage):
                    self.left_out.add(Fault(value.source, value.reason))
                    continue
                kept.append(number)
                batch.append(value)
                if len(batch) == BATCH:
                    vectors.append(_unit(self.pictures.embed(batch)))
                    batch = []
        if batch:
            vectors.append(_unit(self.pictures.embed(batch)))
        if not vectors:
            raise InputError("\n".join(["validation: none of its pictures can be read", *self.left_out.lines("validation")]))
        return np.concatenate(vectors), np.array(kept)

    def _try(self, image: Path | str) -> np.ndarray | UnreadableImage:
        try:
            return self.pictures.prepare(image, None)
        except UnreadableImage as error:
            return error

    def _texts(self, texts: tuple[str, ...]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = [
            _unit(self.texts.embed([texts[i] for i in order[start : start + BATCH]])) for start in range(0, len(order), BATCH)
        ]
        rows = np.empty((len(texts), vectors[0].shape[1]), dtype=np.float32)
        rows[order] = np.concatenate(vectors)
        return rows


def score(found: Retrieval) -> float:
    """By which the best model is chosen: the mean of both R@1."""
    return sum(direction.recall["R@1"] for direction in found.directions.values()) / 2


def _searches(images: np.ndarray, texts: np.ndarray, captions: Captions) -> list[Search]:
    """For texts spread evenly over the table."""
    shown = np.unique(np.linspace(0, len(texts) - 1, SHOWN_TEXTS).astype(int))
    best = np.argsort(-(texts[shown] @ images.T), axis=1, kind="stable")[:, :SHOWN_PICTURES]
    return [
        Search(captions.texts[i], str(captions.images[captions.owner[i]]), tuple(str(captions.images[j]) for j in row))
        for i, row in zip(shown, best, strict=True)
    ]


def _unit(raw: torch.Tensor) -> np.ndarray:
    return F.normalize(raw.float(), dim=-1).cpu().numpy()
