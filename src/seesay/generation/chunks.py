"""Prompts of any length as chunks that a text encoder can read: each has a beginning, an end, and padding.

A prompt is cut between words, and where a comma or another mark lies within the last 20 tokens of a chunk, after that mark, as
web interfaces do. BREAK begins a new chunk.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seesay.generation.prompt import MARKS, Fragment, Prompt
from seesay.tokenizers import Tokenizer

BACK = 20  # tokens; how far back from a chunk's end a mark is looked for


@dataclass(frozen=True)
class Token:
    """One token of a prompt. word: the number of its word; fragment: of its fragment, both counted over the whole prompt."""

    id: int
    piece: str
    weight: float
    word: int
    fragment: int


@dataclass(frozen=True)
class Chunk:
    """Tokens that are encoded together, without what begins and ends them and without padding."""

    tokens: tuple[Token, ...] = ()

    @property
    def ids(self) -> list[int]:
        """The tokens' ids."""
        return [token.id for token in self.tokens]

    @property
    def weighted(self) -> bool:
        """Whether any token has a weight other than 1."""
        return any(token.weight != 1 for token in self.tokens)


def chunks(prompt: Prompt, tokenizer: Tokenizer, names: Mapping[str, Sequence[int]] | None = None) -> tuple[Chunk, ...]:
    """Cuts a prompt. names: of textual inversions, with the ids that stand for each. At least one chunk, which may be empty."""
    cut = _Cut(tokenizer, names or {})
    found = [chunk for section in prompt.sections for chunk in _filled(cut.words(section), tokenizer.room)]
    return tuple(found) or (Chunk(),)


Word = list[Token]


class _Cut:
    """Cuts fragments into words, whose numbers go on from fragment to fragment."""

    def __init__(self, tokenizer: Tokenizer, names: Mapping[str, Sequence[int]]) -> None:
        self._tokenizer = tokenizer
        self._names = {name.lower(): ids for name, ids in names.items()}
        self._pattern = name_pattern(names)
        self._word = self._fragment = 0

    def words(self, section: Sequence[Fragment]) -> list[Word]:
        """A section's words, a mark by itself joined to the word before it."""
        words: list[Word] = []
        for fragment in section:
            for ids, pieces in self._pieces(fragment.text):
                if words and len(pieces) == 1 and _is_mark(pieces[0]):
                    words[-1].append(Token(ids[0], pieces[0], fragment.weight, words[-1][-1].word, self._fragment))
                    continue
                pairs = zip(ids, pieces, strict=True)
                words.append([Token(number, piece, fragment.weight, self._word, self._fragment) for number, piece in pairs])
                self._word += 1
            self._fragment += 1
        return words

    def _pieces(self, text: str) -> Iterator[tuple[Sequence[int], Sequence[str]]]:
        """The ids and pieces of each word, and of each name of an inversion."""
        parts = [text] if self._pattern is None else self._pattern.split(text)
        for i, part in enumerate(parts):
            if i % 2:
                ids = self._names[part.lower()]
                yield ids, [part if len(ids) == 1 else f"{part}/{number}" for number in range(1, len(ids) + 1)]
                continue
            for word in self._tokenizer.words(part):
                yield word, [self._tokenizer.piece(number) for number in word]


def name_pattern(names: Mapping[str, object]) -> re.Pattern[str] | None:
    """Finds names of textual inversions in a text, in one group: whole words, in any case, the longest first."""
    if not names:
        return None
    every = (
        ("" if name[0] in "<" else r"(?<!\w)") + re.escape(name) + ("" if name[-1] in ">" else r"(?!\w)")
        for name in sorted(names, key=len, reverse=True)
    )
    return re.compile(f"({'|'.join(every)})", re.IGNORECASE)


def _filled(words: list[Word], room: int) -> Iterator[Chunk]:
    """Chunks of at most `room` tokens: as many whole words as fit, or fewer where a mark lies near."""
    held: list[Token] = []
    waiting = [part for word in words for part in _parts(word, room)]
    waiting.reverse()
    while waiting:
        word = waiting.pop()
        if len(held) + len(word) <= room:
            held += word
            continue
        end = _end(held)
        yield Chunk(tuple(held[:end]))
        held, rest = [], held[end:]
        waiting.append(word)
        waiting += reversed(_words(rest))
    yield Chunk(tuple(held))


def _parts(word: Word, room: int) -> list[Word]:
    """A word, in parts where it is longer than a chunk."""
    return [word[i : i + room] for i in range(0, len(word), room)]


def _words(tokens: list[Token]) -> list[Word]:
    grouped: dict[int, Word] = {}
    for token in tokens:
        grouped.setdefault(token.word, []).append(token)
    return list(grouped.values())


def _end(held: list[Token]) -> int:
    """The number of a full chunk's tokens that stay in it."""
    for i in range(len(held), max(len(held) - BACK, 0), -1):
        ends_word = i == len(held) or held[i].word != held[i - 1].word
        if ends_word and _is_mark(held[i - 1].piece):
            return i
    return len(held)


def _is_mark(piece: str) -> bool:
    text = piece.removesuffix("</w>").removeprefix("▁")
    return bool(text) and all(letter in MARKS or letter in "，。；：！？、" for letter in text)
