"""The tokenizer of any vocabulary: a `tokenizer.json` read by the `tokenizers` library."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seesay.errors import ModelError, SeeSayError
from seesay.tokenizers.cleaning import CLEANINGS
from seesay.tokenizers.from_files import FILES
from seesay.tokenizers.spec import TokenizerSpec

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend


@dataclass(frozen=True)
class Tokens:
    """ids (N, L) int64, padded; truncated (N,) bool."""

    ids: np.ndarray
    truncated: np.ndarray


class Tokenizer:
    """Texts -> ids, by a vocabulary (a tokenizer.json, as a file or as its bytes). Raises ModelError for one that is
    malformed."""

    def __init__(self, vocabulary: Path | bytes, spec: TokenizerSpec) -> None:
        self.spec = spec
        self._clean = CLEANINGS[spec.cleaning]
        self._backend = _backend(vocabulary)
        self._backend.no_padding()
        # The packaged vocabularies split cleaned text at white space, whatever surrounds it, so the ids of words can be cached.
        # Others may look across white space.
        self._words = _Words(self._backend) if spec.cleaning in ("clip", "bert") else None
        if self._words is None:
            self._backend.enable_truncation(spec.context_length)
        else:
            self._backend.no_truncation()

    def __call__(self, texts: Sequence[str]) -> Tokens:
        cleaned = [self._clean(text) for text in texts]
        try:
            rows, truncated = self._by_text(cleaned) if self._words is None else self._by_word(cleaned, self._words)
        except SeeSayError:
            raise
        except Exception as error:  # a vocabulary may name pieces that it lacks, which shows only when they are needed
            raise ModelError(f"the vocabulary cannot cut these texts: {error}") from None
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        length = self.spec.context_length if self.spec.padding == "context" else int(lengths.max(initial=0))
        ids = np.full((len(rows), length), self.spec.pad_id, dtype=np.int64)
        # All ids at once: assigning row by row takes longer than the tokenizing.
        ids[np.arange(length) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
        if self.spec.end == "zeroed":
            ids[ids == self._ends[1]] = 0
        return Tokens(ids, np.array(truncated, dtype=bool))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids. Ids of no piece are left out; pieces that end a word (CLIP's </w>) are followed by a space."""
        return str(self._backend.decode(list(map(int, ids)), skip_special_tokens=True)).replace("</w>", " ").strip()

    def words(self, text: str) -> list[tuple[int, ...]]:
        """The ids of a text, word by word: nothing around it, nothing cut off its end."""
        try:
            first = self._backend.encode(self._clean(text), add_special_tokens=False)
        except Exception as error:
            raise ModelError(f"the vocabulary cannot cut these texts: {error}") from None
        whole = [pair for part in (first, *first.overflowing) for pair in zip(part.word_ids, part.ids, strict=True)]
        return [tuple(number for _, number in word) for _, word in groupby(whole, key=lambda pair: pair[0])]

    def framed(self, ids: Sequence[int]) -> np.ndarray:
        """A text's ids (at most `room`) between what begins and ends every text, filled up to the context: (L,) int64."""
        before, behind = self.frame
        row = np.full(self.spec.context_length, self.spec.pad_id, dtype=np.int64)
        row[: len(before) + len(ids) + len(behind)] = (*before, *ids, *behind)
        if self.spec.end == "zeroed":
            row[row == behind[-1]] = 0
        return row

    @property
    def room(self) -> int:
        """The number of ids that fit between the beginning and the end of a text."""
        return self.spec.context_length - sum(map(len, self.frame))

    def piece(self, number: int) -> str:
        """The piece of the vocabulary with this id, as it is spelled there."""
        return self._backend.id_to_token(number) or f"#{number}"

    def _by_text(self, texts: list[str]) -> tuple[list[list[int]], list[bool]]:
        encodings = self._backend.encode_batch_fast(texts)
        return [encoding.ids for encoding in encodings], [bool(encoding.overflowing) for encoding in encodings]

    def _by_word(self, texts: list[str], words: "_Words") -> tuple[list[list[int]], list[bool]]:
        first, last = self._ends
        room = self.spec.context_length - 2
        rows, truncated = [], []
        for text in texts:
            ids = list(chain.from_iterable(map(words.__getitem__, text.split())))
            truncated.append(len(ids) > room)
            rows.append([first, *ids[:room], last])
        return rows, truncated

    @cached_property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ids before and behind every text; a single one, as of SentencePiece, is behind it."""
        ids = self._backend.encode("").ids
        return tuple(ids[: len(ids) // 2]), tuple(ids[len(ids) // 2 :])

    @cached_property
    def _ends(self) -> tuple[int, int]:
        """The ids that begin and end every text."""
        before, behind = self.frame
        if len(before) != 1 or len(behind) != 1:
            count = len(before) + len(behind)
            raise ModelError(f"the vocabulary puts {count} ids around a text, expected one before and one after it")
        return before[0], behind[0]


def _backend(vocabulary: Path | bytes) -> "Backend":
    import tokenizers  # heavy to import, and a picture-only run never needs it

    try:
        content = vocabulary if isinstance(vocabulary, bytes) else vocabulary.read_bytes()
        return tokenizers.Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises a bare Exception
        name = "the vocabulary" if isinstance(vocabulary, bytes) else vocabulary
        raise ModelError(f"{name} is not a tokenizer.json that can be read: {error}") from None


def surroundings(vocabulary: bytes) -> tuple[tuple[int, ...], int]:
    """The ids that a tokenizer.json puts around every text, and how many pieces it has. Raises ModelError."""
    backend = _backend(vocabulary)
    return tuple(backend.encode("").ids), backend.get_vocab_size()


class LazyTokenizer:
    """A tokenizer that reads its vocabulary at first use: indexing images needs none. source: the model's path, for
    messages."""

    def __init__(self, vocabulary: Path | bytes, spec: TokenizerSpec, source: Path) -> None:
        self.spec = spec
        self._vocabulary, self._source = vocabulary, source

    def __call__(self, texts: list[str]) -> Tokens:
        return self._tokenizer(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids (see `Tokenizer.decode`)."""
        return self._tokenizer.decode(ids)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        if isinstance(self._vocabulary, Path) and not self._vocabulary.is_file():
            raise ModelError(
                f"{self._source} came without its vocabulary and encodes no text. "
                f"Put {FILES} beside its weights and load it again"
            )
        return Tokenizer(self._vocabulary, self.spec)


class _Words(dict[str, tuple[int, ...]]):
    """A cache of the ids of words; captions repeat few words often. Safe to share between threads."""

    MOST = 100_000
    LONGEST = 100  # characters; longer words hardly occur twice

    def __init__(self, backend: "Backend") -> None:
        self._backend = backend

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = tuple(self._backend.encode(word, add_special_tokens=False).ids)
        if len(word) <= self.LONGEST:
            if len(self) >= self.MOST:
                self.clear()
            self[word] = ids
        return ids
