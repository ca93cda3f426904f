"""A public engine without weights, for tests of code that uses a Model: it sees colours and knows their names.

Images become their mean colour, texts the mean of the colours that they name, so that "red" finds the red image; the other
dimensions are a fixed function of the input, so that different inputs differ. Deterministic on every machine.
"""

import hashlib

import numpy as np

from seesay.engines.protocol import Capability, Engine
from seesay.images.spec import ImageSpec
from seesay.tokenizers import Tokens
from seesay.tokenizers.spec import TokenizerSpec

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
}
WORDS = ["[PAD]", *COLOURS]
BUCKETS = 4096  # ids of words that name no colour
NOISE = 0.02


class FakeEngine(Engine):
    """Encodes mean colours and colour names into vectors (N, dim)."""

    name = "fake"
    capabilities: frozenset[Capability] = frozenset(("image", "text", "dense"))

    def __init__(self, dim: int = 16) -> None:
        if dim < 4:
            raise ValueError(f"the fake engine needs at least 4 dimensions, got {dim}")
        self.dim = dim
        self._mixer = np.random.default_rng(0).standard_normal((48, dim - 3)).astype(np.float32)

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return self._vectors(pixels.mean(axis=(2, 3)), self._fingerprint(pixels))

    def encode_dense(self, pixels: np.ndarray) -> np.ndarray:
        cells = _cells(pixels)  # (B, 3, 4, 4)
        colours = cells.transpose(0, 2, 3, 1).reshape(-1, 3)
        noise = np.zeros((len(colours), self.dim - 3), dtype=np.float32)
        return self._vectors(colours, noise).reshape(len(pixels), 4, 4, self.dim)

    def encode_tokens(self, ids: np.ndarray) -> np.ndarray:
        colours, noise = np.zeros((len(ids), 3)), np.zeros((len(ids), self.dim - 3), dtype=np.float32)
        for row, words in enumerate(ids):
            named = [COLOURS[WORDS[i]] for i in words if 0 < i < len(WORDS)]
            colours[row] = np.mean(named, axis=0) if named else 0.5
            noise[row] = np.random.default_rng(words[words > 0]).standard_normal(self.dim - 3)
        return self._vectors(colours, noise)

    def _fingerprint(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray((_cells(pixels).reshape(len(pixels), 48) - 0.5) @ self._mixer)

    def _vectors(self, colours: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.concatenate([colours - 0.45, NOISE * noise], axis=1).astype(np.float32)


def _cells(pixels: np.ndarray) -> np.ndarray:
    batch, channels, height, width = pixels.shape
    return np.asarray(pixels.reshape(batch, channels, 4, height // 4, 4, width // 4).mean(axis=(3, 5)))


class FakeTokenizer:
    """Splits texts at white space; a word's id is its colour's, or else a hash."""

    spec = TokenizerSpec(context_length=8, pad_id=0, padding="longest")
    vocabulary = len(WORDS) + BUCKETS

    def __call__(self, texts: list[str]) -> Tokens:
        split = [[_word_id(word) for word in text.lower().split()] for text in texts]
        cut = [words[: self.spec.context_length] for words in split]
        ids = np.zeros((len(cut), max(map(len, cut), default=0)), dtype=np.int64)
        for row, words in zip(ids, cut, strict=True):
            row[: len(words)] = words
        truncated = [len(words) > self.spec.context_length for words in split]
        return Tokens(ids, np.array(truncated, dtype=bool))


def _word_id(word: str) -> int:
    if word in COLOURS:
        return WORDS.index(word)
    return len(WORDS) + int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % BUCKETS


FAKE_IMAGE_SPEC = ImageSpec(
    size_px=32,
    resize="squash",
    resize_px=32,
    interpolation="bilinear",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    alpha="white",
)
