"""Notes on prompts: what web interfaces or a Chinese keyboard write and has no meaning here, and Chinese that is not read."""

import re
from typing import TYPE_CHECKING

from seesay.system.chinese import is_ideograph

if TYPE_CHECKING:
    from seesay.tokenizers import Tokenizer

_addition = re.compile(r"<(lora|lyco|hypernet):([^<>:]+)(?::([^<>]*))?>").finditer
_composed = re.compile(r"\sAND\s").search
_wide = re.compile(r"[（(][^（）()]*[：:]\s*\d*\.?\d+\s*[）)]|（（").finditer
SHOWN = 60  # letters


def syntax_notes(*sources: str) -> list[str]:
    """Says it where prompts, as they were written, have what is read as text and was hardly meant as such."""
    notes: list[str] = []
    note = notes.append  # by this name, scripts/messages finds them
    for found in (each for source in sources for each in _addition(source)):
        if found[1] == "hypernet":
            note(f"{found[0][:SHOWN]} is read as text: hypernetworks change the painter, not the text encoder")
        else:
            note(f"{found[0][:SHOWN]} is read as text: take it out, and give the LoRA's file by --lora FILE:SCALE")
    if any(map(_composed, sources)):
        note(
            "AND is read as a word: web interfaces paint several prompts together by it, and this is one; make a conditioning "
            "for each"
        )
    for found in (each for source in sources for each in _wide(source)):
        if any(letter in "（）：" for letter in found[0]):
            note(
                f"{found[0][:SHOWN]} is read as text: full-width brackets and colons give no weight; write (word:1.2) "
                "with those of ASCII"
            )
    return list(dict.fromkeys(notes))


def language_notes(tokenizer: "Tokenizer", *texts: str) -> list[str]:
    """Says it where Chinese is more tokens than characters, so that it is read as bytes."""
    notes: list[str] = []
    note = notes.append  # by this name, scripts/messages finds them
    chinese = "".join(character for text in texts for character in text if is_ideograph(character))
    if sum(map(len, tokenizer.words(chinese))) > 1.5 * len(chinese):
        note(
            "the prompt is in Chinese, which this text encoder reads as bytes that it hardly knows: translate it into English, "
            "or take a generator with a Chinese or multilingual one, such as Taiyi or AltDiffusion"
        )
    return notes
