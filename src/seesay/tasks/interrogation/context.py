"""A model's context: which texts fit into it, and which tokens of a text are its own."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seesay.models.encoder import Encoder
from seesay.tokenizers.spec import TokenizerSpec

if TYPE_CHECKING:
    from seesay.tokenizers import Tokens

Fits = Callable[[Sequence[str]], Sequence[bool]]  # which texts are within a context


class TextTokenizer(Protocol):
    """Cuts texts into a model's tokens."""

    @property
    def spec(self) -> TokenizerSpec:
        """The length of the context, and how texts are padded."""
        ...

    def __call__(self, texts: list[str]) -> "Tokens":
        """Texts -> ids (N, L), and which of them were truncated."""
        ...


class SpaceEncoder(Encoder, Protocol):
    """An encoder whose space has a name, and whose tokenizer says what fits: a Model."""

    @property
    def space_id(self) -> str:
        """Names the space: vectors may be compared exactly when their space_id is equal."""
        ...

    @property
    def tokenizer(self) -> TextTokenizer:
        """Texts -> ids. Raises MissingCapability for a model of images only."""
        ...


def fits(tokenizer: TextTokenizer) -> Fits:
    """Which texts the tokenizer takes without cutting their end."""
    return lambda texts: [not cut for cut in tokenizer(list(texts)).truncated] if texts else []


def own_tokens(tokenizer: TextTokenizer, text: str) -> tuple[np.ndarray, slice]:
    """A text's ids (L,) and where those lie that are its own: without what begins and ends every text, and padding."""
    ids, empty = tokenizer([text]).ids[0], tokenizer([""]).ids[0]
    if not len(empty):  # nothing is put around texts
        return ids, slice(0, len(ids))
    same = np.cumprod(ids[: len(empty)] == empty[: len(ids)])
    last = empty[-1]  # padding, or the end of text
    frame = _without_end(empty, last)
    begin = min(int(same.sum()), len(frame))
    return ids, slice(begin, max(begin, len(_without_end(ids, last)) - (len(frame) - begin)))


def _without_end(ids: np.ndarray, value: int) -> np.ndarray:
    others = np.flatnonzero(ids != value)
    return ids[: others[-1] + 1] if len(others) else ids[:0]
