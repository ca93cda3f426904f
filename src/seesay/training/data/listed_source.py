"""A source whose images and captions are all listed in advance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np

from seesay.system.paths import is_url, printable
from seesay.training.data.captions import WeightedCaptions
from seesay.training.data.samples import Sample
from seesay.training.data.seeds import CAPTION, ORDER


class ListedConfig:
    """Base of the configurations of sources that are listed in one file or folder, `path`."""

    path: str

    @property
    def listed(self) -> bool:
        """Whether all samples are known in advance."""
        return True

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that the recipe names, relative to its folder."""
        return (self.path,)


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One image with its captions. `image` is a path or a URL; `captions` may be shared by many images."""

    image: str
    image_id: str
    label: str | None
    captions: WeightedCaptions


class ListedSource:
    """texts "draw": an epoch has each image once, with one of its captions; "all": each pair of image and caption once."""

    def __init__(
        self, name: str, images: Sequence[ListedImage], texts: Literal["draw", "all"], *, augment: bool = True
    ) -> None:
        self.name, self._augment = name, augment
        self._images = images
        counts = np.array([len(image.captions.texts) for image in images])
        # For "all": the image of every pair, and the number of the first pair of every image.
        self._owners = np.repeat(np.arange(len(images)), counts) if texts == "all" else None
        self._first_pairs = np.cumsum(counts) - counts

    def __len__(self) -> int:
        return len(self._images) if self._owners is None else len(self._owners)

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample]:
        """See `SampleSource`."""
        first, offset = divmod(start, len(self))
        for epoch in count(first):
            order = np.random.default_rng((seed, epoch, ORDER)).permutation(len(self))[offset:]
            offset = 0
            if self._owners is None:
                chances = np.random.default_rng((seed, epoch, CAPTION)).random(len(self))[order]
                for index, chance in zip(order.tolist(), chances.tolist(), strict=True):
                    image = self._images[index]
                    yield self._sample(image, image.captions.draw(chance))
                continue
            for pair in order.tolist():
                index = self._owners[pair]
                image = self._images[index]
                yield self._sample(image, image.captions.texts[pair - self._first_pairs[index]])

    def once(self) -> Iterator[Sample]:
        """See `SampleSource`."""
        for image in self._images:
            for text in image.captions.texts:
                yield self._sample(image, text)

    def _sample(self, image: ListedImage, text: str) -> Sample:
        if is_url(image.image):
            from seesay.images.fetch import printable_url  # loads http and TLS, which local files do not need

            return Sample(image.image, text, image.image_id, image.label, printable_url(image.image), self._augment)
        return Sample(Path(image.image), text, image.image_id, image.label, printable(image.image), self._augment)
