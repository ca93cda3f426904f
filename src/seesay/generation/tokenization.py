"""`Tokenization`: how a prompt is cut into tokens and chunks, without encoding it; needs no weights."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.generation.chunks import Chunk, Token, chunks
from seesay.generation.notes import language_notes, syntax_notes
from seesay.generation.prompt import Prompt, literal, parse
from seesay.tokenizers import SPECS, Tokenizer, vocabulary
from seesay.tokenizers.from_files import byte_alphabet
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.to_files import transformers_files

if TYPE_CHECKING:
    from seesay.checkpoints.diffusion import TextEncoderFile

END = "</w>"  # of a word, in CLIP's vocabulary


@dataclass(frozen=True)
class Tokenization:
    """A prompt's chunks. context: the positions of a text encoder; room: those between beginning and end of a text. words:
    the text of each word, by its number in `Token.word`. lost: what a pipeline drops that takes one context only. notes: why a
    generator may not draw what the prompt says."""

    prompt: Prompt
    chunks: tuple[Chunk, ...]
    context: int
    room: int
    words: tuple[str, ...]
    lost: str
    notes: tuple[str, ...]

    @property
    def spellings(self) -> tuple[str, ...]:
        """The piece of each token for people: where the vocabulary spells bytes, the characters that these are, or bytes in hex
        where a character is cut."""
        shown: list[str] = []
        for word, group in groupby(self.tokens, key=lambda token: token.word):
            shown += _spelled([token.piece for token in group], self.words[word])
        return tuple(shown)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Those of all chunks."""
        return tuple(token for chunk in self.chunks for token in chunk.tokens)


def tokenization(text: str, source: str | Path | None = None, *, weights: bool = True) -> Tokenization:
    """Cuts a prompt as `condition` does.

    source: a generator's file or folder, or a CLIP checkpoint, whose (first) tokenizer cuts; without it CLIP's. weights: read
    brackets and signs; else every letter is text. Raises InputError for a prompt that cannot be read, CheckpointError.
    """
    prompt = parse(text) if weights else literal(text)
    if source is None:
        tokenizer = clip_tokenizer(vocabulary("clip"), SPECS["clip"])
    else:
        from seesay.checkpoints.diffusion import text_encoders

        tokenizer = tokenizer_of(text_encoders(source)[0])
    found = chunks(prompt, tokenizer)
    tokens = [token for chunk in found for token in chunk.tokens]
    words = tuple(tokenizer.decode([token.id for token in word]) for _, word in groupby(tokens, key=lambda token: token.word))
    lost = tokenizer.decode([token.id for token in tokens[tokenizer.room :]])
    notes = (*_no_words(tokens), *syntax_notes(text), *language_notes(tokenizer, prompt.text))
    return Tokenization(prompt, found, tokenizer.spec.context_length, tokenizer.room, words, lost, notes)


def _spelled(pieces: list[str], word: str) -> list[str]:
    """Pieces of a word, readable where they spell its bytes."""
    codes = {character: byte for byte, character in byte_alphabet().items()}
    stems = [piece.removesuffix(END) for piece in pieces]
    if "".join(stems).isascii() or not all(character in codes for stem in stems for character in stem):
        return pieces
    spelled = [bytes(codes[character] for character in stem) for stem in stems]
    if b"".join(spelled).decode(errors="replace") != "".join(word.split()):  # letters of another vocabulary
        return pieces
    return [_readable(each) + piece[len(stem) :] for each, stem, piece in zip(spelled, stems, pieces, strict=True)]


def _readable(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"<{content.hex(' ').upper()}>"


def _no_words(tokens: list[Token]) -> list[str]:
    notes: list[str] = []
    note = notes.append  # by this name, scripts/messages finds them
    if not tokens:
        note("the prompt has no words: the generator is given what it has for an empty one")
    return notes


def clip_tokenizer(packaged: bytes, spec: TokenizerSpec) -> Tokenizer:
    """CLIP's packaged vocabulary as transformers reads it, so that a single file and a folder cut every text alike.

    OpenAI's own code also repairs texts, and resolves HTML entities.
    """
    return Tokenizer(_as_transformers(packaged), replace(spec, cleaning="none", padding="context"))


@cache
def _as_transformers(packaged: bytes) -> bytes:
    content: str = transformers_files(packaged, SPECS["clip"].context_length)["tokenizer.json"]
    return content.encode()


def tokenizer_of(file: "TextEncoderFile") -> Tokenizer:
    """The tokenizer of a text encoder, which always fills up the context: a checkpoint's own, as far as it has one."""
    spec = file.checkpoint.description.tokenizer_spec
    content = file.checkpoint.tokenizer() if file.family is None and spec is not None else None
    if spec is None or content is None:
        return (
            file.tokenizer() if file.vocabulary_folder is not None else clip_tokenizer(file.vocabulary(), file.tokenizer_spec)
        )
    length = min(spec.context_length, file.config.max_tokens or spec.context_length)
    return Tokenizer(content, replace(spec, context_length=length, padding="context"))
