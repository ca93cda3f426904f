"""Prompts of all classes of the data, among which a step classifies its images."""

from collections.abc import Mapping

import numpy as np

from seesay.errors import InputError
from seesay.training.data.samples import Sample, SampleSource
from seesay.training.data.seeds import PROMPTS


class ClassPrompts:
    """The texts of each class in order of its number: in a source of labels, its templates filled with the class's name."""

    def __init__(self, source: SampleSource, classes: Mapping[str, int], seed: int) -> None:
        """Raises InputError for an image without a label."""
        texts: dict[str, dict[str, None]] = {label: {} for label in classes}
        for sample in source.once():
            if isinstance(sample, Sample):
                if sample.label is None:
                    raise InputError(f"loss.candidates: expected a label for every picture, got none for {sample.name}")
                texts[sample.label][sample.text] = None
        self.texts = [tuple(texts[label]) for label in sorted(classes, key=classes.__getitem__)]
        self.seed = seed

    def at(self, step: int) -> list[str]:
        """A text of every class, drawn by seed and step alone, so that runs can resume."""
        chances = np.random.default_rng((self.seed, step, PROMPTS)).random(len(self.texts))
        return [own[int(chance * len(own))] for own, chance in zip(self.texts, chances, strict=True)]
