"""Validation of a run: recall on held-out captions, or accuracy on held-out labels; and example searches."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from seesay.errors import InputError, UnreadableImage
from seesay.evaluation.bootstrap import mean_intervals
from seesay.evaluation.classification import score_classification
from seesay.evaluation.datasets import Captions, read_captions, read_labels
from seesay.evaluation.retrieval import DIRECTIONS, Retrieval, recalls
from seesay.models.clip import Clip
from seesay.system.prefetch import prefetch
from seesay.tasks.prompts import ensemble, filled
from seesay.tokenizers import Tokenizer
from seesay.training.data.frozen_features import Advance
from seesay.training.data.samples import SampleFault
from seesay.training.data.skipped import SkippedSamples
from seesay.training.data.tower_inputs import NO_AUGMENTATION, ImageInputs, TextInputs
from seesay.training.processes import ALONE, Processes
from seesay.training.recipe import Recipe, Validation
from seesay.training.run.log import Record

WAYS = {**DIRECTIONS, "classification": "Classification"}  # of measuring: key of a record -> title
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
    """Scores the towers' current weights on a table. Images that cannot be read are skipped and recorded.

    Several processes encode a share each, and the lead scores.
    """

    name: str
    notes: tuple[str, ...]

    def __init__(
        self,
        recipe: Recipe,
        config: Validation,
        clip: Clip,
        tokenizer: Tokenizer,
        device: torch.device,
        processes: Processes = ALONE,
    ) -> None:
        model = recipe.model
        self.dim, self.processes = clip.config.dim, processes
        self.images = ImageInputs(clip, NO_AUGMENTATION, device, unlocked_groups=model.image.unlocked_groups)
        self.texts = TextInputs(clip, tokenizer, device, unlocked_groups=model.text.unlocked_groups)
        self.skipped = SkippedSamples()  # of the last validation
        self._open(recipe, config)

    def _open(self, recipe: Recipe, config: Validation) -> None:
        """Reads the table, and sets `name` and `notes`. Raises InputError."""
        raise NotImplementedError

    @property
    def files(self) -> Sequence[Path | str]:
        """The images."""
        raise NotImplementedError

    @property
    def strings(self) -> Sequence[str]:
        """The texts."""
        raise NotImplementedError

    def __call__(self) -> tuple[Record, list[Search]]:
        """Scores and their intervals by a name of `WAYS`, and `score`, by which the best weights are chosen; and example
        searches, which only the lead has. Raises InputError if no image can be read."""
        with torch.inference_mode():
            images, readable = self._images()
            texts = self._texts(self.strings)
        lead = self.processes.lead
        record, searches = self._score(images, readable, texts) if lead else ({}, [])
        record = self.processes.of_lead(record)
        left_out = {"validation_left_out": dict(self.skipped.reasons)} if self.skipped else {}
        return {"data": self.name, **record, **left_out}, searches

    def _score(self, images: np.ndarray, readable: np.ndarray, texts: np.ndarray) -> tuple[Record, list[Search]]:
        """images (K, dim) of the files of these numbers (K,), texts of all strings."""
        raise NotImplementedError

    def freeze(self, folder: Path, phase: Callable[[str, int], Advance]) -> None:
        """Computes the features of frozen towers, once, or reads them from `folder`. phase: `Observer.on_phase`."""
        if self.images.freezable:
            keys = self.images.view_keys((file, False) for file in self.files)
            self.images.freeze(keys, folder / "validation-pictures.npz", phase("validation pictures", len(keys)))
        if self.texts.freezable:
            texts = set(self.strings)
            self.texts.freeze(texts, folder / "validation-texts.npz", phase("validation texts", len(texts)))

    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (K, dim) of the readable images, and their numbers (K,)."""
        vectors = [np.empty((0, self.dim), dtype=np.float32)]
        readable: list[int] = []
        faults: list[tuple[int, str, str]] = []
        batch: list[np.ndarray] = []
        own = range(self.processes.rank, len(self.files), self.processes.count)
        files = (self.files[number] for number in own)
        with closing(prefetch(self.images.try_prepare, files, threads=self.processes.cores, ahead=2 * BATCH)) as results:
            for number, value in zip(own, results, strict=True):
                if isinstance(value, UnreadableImage):
                    faults.append((number, value.source, value.reason))
                    continue
                readable.append(number)
                batch.append(value)
                if len(batch) == BATCH:
                    vectors.append(_unit(self.images.embed(batch)))
                    batch = []
        if batch:
            vectors.append(_unit(self.images.embed(batch)))
        self.skipped = SkippedSamples()
        for _, source, reason in sorted(fault for share in self.processes.gather_json(faults) for fault in share):
            self.skipped.add(SampleFault(source, reason))
        numbers = self._of_all(np.array(readable, dtype=np.int64))
        if not len(numbers):
            raise InputError("\n".join(["validation: none of its pictures can be read", *self.skipped.lines("validation")]))
        order = np.argsort(numbers)
        return self._of_all(np.concatenate(vectors))[order], numbers[order]

    def _of_all(self, rows: np.ndarray) -> np.ndarray:
        """The rows of all processes, of which each may have another number, in order of rank."""
        return np.concatenate(self.processes.gather_arrays(rows))

    def _texts(self, texts: Sequence[str]) -> np.ndarray:
        # Texts of similar length share a batch, so that little is padding.
        order = np.array(sorted(range(len(texts)), key=lambda i: len(texts[i])))
        own = order[self.processes.rank :: self.processes.count].tolist()
        batches = [[texts[i] for i in own[start : start + BATCH]] for start in range(0, len(own), BATCH)]
        vectors = [np.empty((0, self.dim), dtype=np.float32), *(_unit(self.texts.embed(batch)) for batch in batches)]
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        rows[self._of_all(np.array(own, dtype=np.int64))] = self._of_all(np.concatenate(vectors))
        return rows


class CaptionValidator(Validator):
    """Recall in both directions; the score is the mean of both R@1."""

    def _open(self, recipe: Recipe, config: Validation) -> None:
        folder = recipe.path(config.images) if config.images else None
        self.captions: Captions = read_captions(
            recipe.path(config.data), folder, language=config.language, split=config.split, option="--set validation.language="
        )
        self.notes = self.captions.notes
        self.name = ", ".join(filter(None, (Path(config.data).name, self.captions.split, self.captions.language)))

    @property
    def files(self) -> Sequence[Path | str]:
        return self.captions.images

    @property
    def strings(self) -> Sequence[str]:
        return self.captions.texts

    def _score(self, images: np.ndarray, readable: np.ndarray, texts: np.ndarray) -> tuple[Record, list[Search]]:
        captions = self.captions
        if len(readable) < len(captions.images):
            texts = texts[np.isin(captions.owner, readable)]
            captions = captions.only(readable)
        retrieval = recalls(images, texts, captions.owner)
        ways = retrieval.directions
        record: Record = {
            **{way: direction.recall for way, direction in ways.items()},
            "bounds": {way: {k: list(bound) for k, bound in direction.bounds.items()} for way, direction in ways.items()},
            "score": score(retrieval),
        }
        return record, _searches(images, texts, captions)


class LabelValidator(Validator):
    """Classification by the names of classes; the score is top-1."""

    def _open(self, recipe: Recipe, config: Validation) -> None:
        assert config.label_column is not None
        self.labels = read_labels(
            recipe.path(config.data),
            recipe.path(config.images) if config.images else None,
            column=config.label_column,
            split=config.split,
            names=recipe.path(config.names) if config.names else None,
        )
        self.prompts = filled(self.labels.names, config.templates)
        self.notes = self.labels.notes
        self.name = ", ".join(filter(None, (Path(config.data).name, self.labels.split)))

    @property
    def files(self) -> Sequence[Path | str]:
        return self.labels.images

    @property
    def strings(self) -> Sequence[str]:
        return self.prompts

    def _score(self, images: np.ndarray, readable: np.ndarray, texts: np.ndarray) -> tuple[Record, list[Search]]:
        names = self.labels.names
        scores = images @ ensemble(texts, len(names)).T
        score = score_classification(scores, self.labels.labels[readable], names)
        means = {"top-1": score.top1, "top-5": score.top5}
        bounds = dict(zip(means, mean_intervals(score.hits).tolist(), strict=True))
        return {"classification": means, "bounds": {"classification": bounds}, "score": score.top1}, []


def make_validator(
    recipe: Recipe, config: Validation, clip: Clip, tokenizer: Tokenizer, device: torch.device, processes: Processes = ALONE
) -> Validator:
    """The validator of a recipe's table. Raises InputError."""
    kind = CaptionValidator if config.label_column is None else LabelValidator
    return kind(recipe, config, clip, tokenizer, device, processes)


def score(retrieval: Retrieval) -> float:
    """The score by which the best weights are chosen on captions: the mean of both R@1."""
    return sum(direction.recall["R@1"] for direction in retrieval.directions.values()) / 2


def ways_of(record: Record) -> dict[str, str]:
    """The ways of `WAYS` that a validation's record has, with their titles."""
    return {way: title for way, title in WAYS.items() if way in record}


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
