"""The packaged vocabularies, as tokenizer.json bytes, and the settings of their models.

They split cleaned text: without the cleaning that their spec names, the ids are wrong. Made by recipes/tokenizers.
"""

from pathlib import Path
from typing import Literal

from seesay.errors import InputError
from seesay.tokenizers.spec import TokenizerSpec

VocabularyName = Literal["clip", "open_clip", "chinese_clip"]

FOLDER = Path(__file__).parent / "vocabularies"

PIECES: dict[VocabularyName, int] = {"clip": 49408, "open_clip": 49408, "chinese_clip": 21128}

# One set of merges, two ways to write the special tokens in running text: the only difference of the tokenizers of OpenAI's
# CLIP and of OpenCLIP. The long s is there because both match without regard to case.
OPENAI_SPECIALS = r"<\|[sſ]tartoftext\|>|<\|endoftext\|>"
OPEN_CLIP_SPECIALS = "<[sſ]tart_of_text>|<end_of_text>"

SPECS: dict[str, TokenizerSpec] = {
    "clip": TokenizerSpec(context_length=77, pad_id=0, padding="longest", cleaning="clip"),
    "open_clip": TokenizerSpec(context_length=77, pad_id=0, padding="longest", cleaning="clip"),
    "chinese_clip": TokenizerSpec(context_length=52, pad_id=0, padding="longest", cleaning="bert"),
}


def vocabulary(name: VocabularyName) -> bytes:
    """A packaged tokenizer.json: "clip" (OpenAI), "open_clip" (the same pieces) or "chinese_clip"."""
    if name not in SPECS:
        raise InputError(f"no vocabulary is named {name!r}; there are {', '.join(SPECS)}")
    if name == "chinese_clip":
        return (FOLDER / "chinese.json").read_bytes()
    content = (FOLDER / "clip.json").read_bytes()
    return content if name == "clip" else content.replace(_in_json(OPENAI_SPECIALS), _in_json(OPEN_CLIP_SPECIALS), 1)


def _in_json(pattern: str) -> bytes:
    return pattern.replace("\\", "\\\\").encode()
