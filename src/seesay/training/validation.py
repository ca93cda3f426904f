"""Validation of a run: recall on held-out captions, and example searches."""

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
from seesay.training.data.frozen_features import Advance
from seesay.training.data.samples import SampleFault
from seesay.training.data.skipped import SkippedSamples
from seesay.training.data.tower_inputs import NO_AUGMENTATION, ImageInputs, TextInputs
from seesay.training.recipe import Recipe, Validation

BATCH = 32
SEARCHES = 8
RESULTS = 5


@dataclass(frozen=True)
class Search:
    """A text, the image that it describes, and the nearest images."""

    text: str
    target: str
    results: tuple[str, ...]


class Validator:
    """Scores the towers' current weights on a table of captions. Images that cannot be read are skipped and recorded."""

    def __init__(self, recipe: Recipe, config: Validation, clip: Clip, tokenizer: Tokenizer, device: torch.device) -> None:
        folder = recipe.path(config.images) if config.images else None
        self.captions: Captions = read_captions(
            recipe.path(config.data), folder, language=config.language, split=config.split, option="--set validation.language="
        )
        model = recipe.model
        self.images = ImageInputs(clip, NO_AUGMENTATION, device, unlocked_groups=model.image.unlocked_groups)
        self.texts = TextInputs(clip, tokenizer, device, unlocked_groups=model.text.unlocked_groups)
        self.name = ", ".join(filter(None, (Path(config.data).name, self.captions.split, self.captions.language)))
        self.skipped = SkippedSamples()  # of the last validation

    def freeze(self, folder: Path, phase: Callable[[str, int], Advance]) -> None:
        """Computes the features of frozen towers, once, or reads them from `folder`. phase: `Observer.on_phase`."""
        if self.images.freezable:
            keys = self.images.view_keys((file, False) for file in self.captions.images)
            self.images.freeze(keys, folder / "validation-pictures.npz", phase("validation pictures", len(keys)))
        if self.texts.freezable:
            texts = set(self.captions.texts)
            self.texts.freeze(texts, folder / "validation-texts.npz", phase("validation texts", len(texts)))

    def __call__(self) -> tuple[Retrieval, list[Search]]:
        """Recalls with their intervals, and example searches. Raises InputError if no image can be read."""
        with torch.inference_mode():
            images, readable = self._images()
            captions = self.captions if len(readable) == len(self.captions.images) else self.captions.only(readable)
            texts = self._texts(captions.texts)
        return recalls(images, texts, captions.owner), _searches(images, texts, captions)

    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (K, dim) of the readable images, and their numbers (K,)."""
        vectors: list[np.ndarray] = []
        readable: list[int] = []
        batch: list[np.ndarray] = []
        self.skipped = SkippedSamples()
        with closing(prefetch(self._read, self.captions.images, threads=available_cores(), ahead=2 * BATCH)) as results:
            for number, value in enumerate(results):
                if isinstance(value, UnreadableImage):
                    self.skipped.add(SampleFault(value.source, value.reason))
                    continue
                readable.append(number)
                batch.append(value)
                if len(batch) == BATCH:
                    vectors.append(_unit(self.images.embed(batch)))
                    batch = []
        if batch:
            vectors.append(_unit(self.images.embed(batch)))
        if not vectors:
            raise InputError("\n".join(["validation: none of its pictures can be read", *self.skipped.lines("validation")]))
        return np.concatenate(vectors), np.array(readable)

    def _read(self, image: Path | str) -> np.ndarray | UnreadableImage:
        try:
            return self.images.prepare(image, None)
        except UnreadableImage as error:
            return error

    def _texts(self, texts: tuple[str, ...]) -> np.ndarray:
        # Texts of similar length share a batch, so that little is padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = [
            _unit(self.texts.embed([texts[i] for i in order[start : start + BATCH]])) for start in range(0, len(order), BATCH)
        ]
        rows = np.empty((len(texts), vectors[0].shape[1]), dtype=np.float32)
        rows[order] = np.concatenate(vectors)
        return rows


def score(retrieval: Retrieval) -> float:
    """The score by which the best weights are chosen: the mean of both R@1."""
    return sum(direction.recall["R@1"] for direction in retrieval.directions.values()) / 2


def _searches(images: np.ndarray, texts: np.ndarray, captions: Captions) -> list[Search]:
    """Searches for texts spread evenly over the table."""
    rows = np.unique(np.linspace(0, len(texts) - 1, SEARCHES).astype(int))
    best = np.argsort(-(texts[rows] @ images.T), axis=1, kind="stable")[:, :RESULTS]
    return [
        Search(captions.texts[i], str(captions.images[captions.owner[i]]), tuple(str(captions.images[j]) for j in nearest))
        for i, nearest in zip(rows, best, strict=True)
    ]


def _unit(projections: torch.Tensor) -> np.ndarray:
    return F.normalize(projections.float(), dim=-1).cpu().numpy()
