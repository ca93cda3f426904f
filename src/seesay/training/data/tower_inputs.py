"""Inputs of the towers: pixels and token ids, or stored features of the frozen part of a tower."""

import zlib
from collections.abc import Iterable, Sequence, Set
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seesay.errors import UnreadableImage
from seesay.images.augment import Augment, augment
from seesay.images.preprocess import normalize
from seesay.images.read import ImageInput, read
from seesay.models.clip import Clip
from seesay.models.layers.tower import Tower
from seesay.tokenizers import Tokenizer
from seesay.training.data.frozen_features import (
    VIEW,
    Advance,
    FrozenFeatures,
    frozen_encoder,
    frozen_features,
    frozen_identity,
)
from seesay.training.data.short_texts import Shortening, short_ids

NO_AUGMENTATION = Augment()


class ImageInputs:
    """Reads images and encodes them with the image tower. After `freeze`, files are represented by features of the frozen part
    of the tower, by embeddings if all of it is frozen; other images are always read.

    views: with random augmentation, the number of augmented views of each file that are drawn in advance, one of which each
    sample uses; 0: a new view for every sample.
    """

    def __init__(
        self, clip: Clip, augment: Augment, device: torch.device, *, unlocked_groups: int | None, views: int = 0
    ) -> None:
        spec = clip.config.image_spec
        assert spec is not None
        self.clip, self.tower, self.spec, self.augment, self.device = clip, clip.image, spec, augment, device
        self.views = views if augment.random else 1
        self.frozen: FrozenFeatures | None = None
        self.freezable = _freezable(self.tower, unlocked_groups) and self.views > 0
        self.learns = unlocked_groups != 0
        self.layout = torch.channels_last if self.tower.channels_last else torch.contiguous_format
        self.tower.to(memory_format=self.layout)  # type: ignore[call-overload]

    def view_keys(self, files: Iterable[tuple[Path | str, bool]]) -> list[str]:
        """The keys that `freeze` needs, of (file, whether it may be augmented)."""
        views = self.views if self.augment.random else 0
        each = ([f"{file}{VIEW}{n}" for n in range(views)] if augmented and views else [f"{file}"] for file, augmented in files)
        return list(chain.from_iterable(each))

    def freeze(self, keys: Sequence[str], store: Path, advance: Advance) -> None:
        """Features of these `view_keys`, from the file `store` or computed now."""
        encode = frozen_encoder(self.clip, "image", self.device, whole=not self.learns)
        trainable = self.tower.cached_groups if self.learns else 0
        assert trainable is not None

        def features(batch: list[np.ndarray]) -> np.ndarray:
            return encode(normalize(np.stack(batch), self.spec))

        def levels(key: str) -> np.ndarray:
            file, _, view = key.partition(VIEW)
            return self.levels(file, np.random.default_rng((int(view), zlib.crc32(file.encode()))) if view else None)

        weights = frozen_identity(self.tower, self.spec, trainable)
        identity = f"{weights} {trainable - 1} {self.augment}"
        self.frozen = frozen_features(keys, levels, features, store, identity, advance)

    def prepare(self, image: ImageInput, rng: np.random.Generator | None) -> np.ndarray:
        """Levels (3, H, W) uint8, augmented if there is a generator; or frozen features (F,). Raises UnreadableImage."""
        if self.frozen is not None and isinstance(image, str | Path):
            view = f"{VIEW}{rng.integers(self.views)}" if self.augment.random and rng is not None else ""
            return self.frozen[f"{image}{view}"]
        return self.levels(image, rng)

    def try_prepare(self, image: str | Path) -> np.ndarray | UnreadableImage:
        """As `prepare` without augmentation; an image that cannot be read gives its error back."""
        try:
            return self.prepare(image, None)
        except UnreadableImage as error:
            return error

    def levels(self, image: ImageInput, rng: np.random.Generator | None) -> np.ndarray:
        """Levels (3, H, W) uint8, augmented if there is a generator. Raises UnreadableImage."""
        augmentation = NO_AUGMENTATION if rng is None else self.augment
        decoded = read(image, decode="fast", enough_px=augmentation.enough_px(self.spec), alpha=self.spec.alpha)
        return augment(decoded, self.spec, augmentation, rng if rng is not None else np.random.default_rng(0))

    def embed(self, values: Sequence[np.ndarray]) -> Tensor:
        """Results of `prepare`, all of one kind -> projections (B, dim), not normalized."""
        if values[0].dtype == np.uint8:
            return self.tower(self._pixels(values))  # type: ignore[no-any-return]
        features = torch.from_numpy(np.stack(values)).to(self.device)
        return self.tower.from_cache(features) if self.learns else features

    def _pixels(self, levels: Sequence[np.ndarray]) -> Tensor:
        pixels = torch.from_numpy(normalize(np.stack(levels), self.spec))
        dtype = next(self.tower.parameters()).dtype
        return pixels.to(self.device, dtype).contiguous(memory_format=self.layout)


class TextInputs:
    """Tokenizes texts and encodes them with the text tower; after `freeze`, from stored features.

    shortening: what is kept of texts that are too long (`data.short_texts`); drawn by the seed.
    """

    def __init__(
        self,
        clip: Clip,
        tokenizer: Tokenizer,
        device: torch.device,
        *,
        unlocked_groups: int | None,
        shortening: Shortening = "truncation",
        seed: int = 0,
    ) -> None:
        self.clip, self.tower, self.tokenizer, self.device = clip, clip.text, tokenizer, device
        self.shortening, self.seed = shortening, seed
        self.frozen: FrozenFeatures | None = None
        self.freezable = _freezable(self.tower, unlocked_groups) and shortening == "truncation"
        self.learns = unlocked_groups != 0

    def freeze(self, texts: Set[str], store: Path, advance: Advance) -> None:
        """Features of these texts, from the file `store` or computed now."""
        trainable = self.tower.cached_groups if self.learns else 0
        assert trainable is not None
        identity = frozen_identity(self.tower, self.tokenizer.spec, trainable)
        encode = frozen_encoder(self.clip, "text", self.device, whole=not self.learns)

        def features(batch: list[str]) -> np.ndarray:
            return encode(self.tokenizer(batch).ids)

        # Texts of similar length share a batch; the order is the same for the same texts.
        keys = sorted(texts, key=lambda text: (len(text), text))
        self.frozen = frozen_features(keys, lambda text: text, features, store, identity, advance)

    def embed(self, texts: Sequence[str], step: int = 0) -> Tensor:
        """-> projections (B, dim), not normalized. step: of the run, by which long texts are shortened."""
        if self.frozen is not None and all(text in self.frozen.rows for text in texts):
            features = torch.from_numpy(np.stack([self.frozen[text] for text in texts])).to(self.device)
            return self.tower.from_cache(features) if self.learns else features
        ids = short_ids(self.tokenizer, texts, self.shortening, self.seed, step)
        return self.tower(torch.from_numpy(ids).to(self.device))  # type: ignore[no-any-return]


def _freezable(tower: Tower, unlocked_groups: int | None) -> bool:
    """Whether all groups that learn (None: all there are) run on cached values."""
    unlocked = len(tower.groups()) if unlocked_groups is None else unlocked_groups
    return tower.cached_groups is not None and unlocked <= tower.cached_groups
