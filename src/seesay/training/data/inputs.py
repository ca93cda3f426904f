"""What the towers are fed: levels and ids, or features where all below a projection is locked."""

import zlib
from collections.abc import Iterable, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seesay.images.augment import Augment, augment
from seesay.images.preprocess import normalize
from seesay.images.read import ImageInput, read
from seesay.models.clip import Clip
from seesay.tokenizers import Tokenizer
from seesay.training.data.frozen import VIEW, Frozen, Progress, cache_encoder, frozen_identity, make_frozen

PLAIN = Augment()


class Pictures:
    """Pictures on their way into the image tower. After `freeze`, files come as what the locked part of the tower made of
    them; others are always read.

    views: so many looks at each file are drawn beforehand, of which each time one is taken; 0: a new one each time.
    """

    def __init__(
        self, clip: Clip, augment: Augment, device: torch.device, *, unlocked_groups: int | None, views: int = 0
    ) -> None:
        spec = clip.config.image_spec
        assert spec is not None
        self.clip, self.tower, self.spec, self.augment, self.device = clip, clip.image, spec, augment, device
        self.views = views if augment.random else 1
        self.frozen: Frozen | None = None
        unlocked = unlocked_groups if unlocked_groups is not None else len(self.tower.groups())
        cached = self.tower.cached_groups
        self.freezable = cached is not None and unlocked <= cached and self.views > 0
        self.layout = torch.channels_last if self.tower.channels_last else torch.contiguous_format
        self.tower.to(memory_format=self.layout)  # type: ignore[call-overload]

    def looks(self, files: Iterable[tuple[Path | str, bool]]) -> list[str]:
        """Keys for `freeze` of files, and whether each may be augmented."""
        views = self.views if self.augment.random else 0
        each = ([f"{file}{VIEW}{n}" for n in range(views)] if augmented and views else [f"{file}"] for file, augmented in files)
        return list(chain.from_iterable(each))

    def freeze(self, keys: Sequence[str], store: Path, progress: Progress) -> None:
        """What the locked part makes of these `looks`, from `store` or made now."""
        encode = cache_encoder(self.clip, "image", self.device)
        learning = self.tower.cached_groups
        assert learning is not None

        def features(batch: list[np.ndarray]) -> np.ndarray:
            return encode(normalize(np.stack(batch), self.spec))

        def levels(key: str) -> np.ndarray:
            file, _, view = key.partition(VIEW)
            return self.levels(file, np.random.default_rng((int(view), zlib.crc32(file.encode()))) if view else None)

        weights = frozen_identity(self.tower, self.spec, learning)
        identity = f"{weights} {learning - 1} {self.augment}"
        self.frozen = make_frozen(keys, levels, features, store, identity, progress)

    def prepare(self, image: ImageInput, rng: np.random.Generator | None) -> np.ndarray:
        """Levels (3, H, W) uint8, augmented where there is a generator; or what is frozen, (F,). Raises UnreadableImage."""
        if self.frozen is not None and isinstance(image, str | Path):
            drawn = f"{VIEW}{rng.integers(self.views)}" if self.augment.random and rng is not None else ""
            return self.frozen[f"{image}{drawn}"]
        return self.levels(image, rng)

    def levels(self, image: ImageInput, rng: np.random.Generator | None) -> np.ndarray:
        how = PLAIN if rng is None else self.augment
        picture = read(image, decode="fast", enough_px=how.enough_px(self.spec), alpha=self.spec.alpha)
        return augment(picture, self.spec, how, rng if rng is not None else np.random.default_rng(0))

    def embed(self, values: Sequence[np.ndarray]) -> Tensor:
        """What `prepare` gave, all of one kind -> raw projections (B, dim)."""
        if values[0].dtype == np.uint8:
            return self.tower(self._pixels(values))  # type: ignore[no-any-return]
        return self.tower.from_cache(torch.from_numpy(np.stack(values)).to(self.device))

    def _pixels(self, levels: Sequence[np.ndarray]) -> Tensor:
        pixels = torch.from_numpy(normalize(np.stack(levels), self.spec))
        dtype = next(self.tower.parameters()).dtype
        return pixels.to(self.device, dtype).contiguous(memory_format=self.layout)


class Texts:
    """Texts on their way into the text tower; after `freeze` those come as features."""

    def __init__(self, clip: Clip, tokenizer: Tokenizer, device: torch.device, *, unlocked_groups: int | None) -> None:
        self.clip, self.tower, self.tokenizer, self.device = clip, clip.text, tokenizer, device
        self.frozen: Frozen | None = None
        self.freezable = unlocked_groups is not None and unlocked_groups <= 1

    def freeze(self, texts: Set[str], store: Path, progress: Progress) -> None:
        identity = frozen_identity(self.tower, self.tokenizer.spec)

        encode = cache_encoder(self.clip, "text", self.device)

        def features(batch: list[str]) -> np.ndarray:
            return encode(self.tokenizer(batch).ids)

        # Texts of similar length share a batch; the order is the same for the same texts.
        keys = sorted(texts, key=lambda text: (len(text), text))
        self.frozen = make_frozen(keys, lambda text: text, features, store, identity, progress)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """-> raw projections (B, dim)"""
        if self.frozen is not None and all(text in self.frozen.rows for text in texts):
            return self.tower.from_cache(torch.from_numpy(np.stack([self.frozen[text] for text in texts])).to(self.device))
        return self.tower(self._ids(texts))  # type: ignore[no-any-return]

    def _ids(self, texts: Sequence[Any]) -> Tensor:
        return torch.from_numpy(self.tokenizer(list(texts)).ids).to(self.device)
