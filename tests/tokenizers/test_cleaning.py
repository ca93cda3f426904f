"""Cleaning: what ftfy is spared from, and the few characters on which Python and the `tokenizers` library disagree."""

import html
import re
import string
import subprocess
import sys
from pathlib import Path
from random import Random

import ftfy
import pytest

from seesay.tokenizers.cleaning import CLEANINGS, bert, canonicalize, clip, lower, whitespace

SKIPPED_BY_FTFY = [chr(i) for i in range(0x20, 0x7F) if chr(i) != "&"] + ["\t", "\n", "\r"]


def as_the_originals(text: str) -> str:
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()


def test_plain_ascii_needs_no_ftfy() -> None:
    """What is not sent to ftfy would come back from it with the same words: singles, pairs and triples, and long texts."""
    random = Random(0)
    texts = [a + b for a in SKIPPED_BY_FTFY for b in SKIPPED_BY_FTFY]
    texts += ["".join(random.choices(SKIPPED_BY_FTFY, k=random.randrange(3, 60))) for _ in range(5000)]
    for text in texts:
        assert " ".join(clip(text).split()) == as_the_originals(text)


def test_everything_else_goes_through_ftfy() -> None:
    sent = [chr(i) for i in range(0x100) if chr(i) not in SKIPPED_BY_FTFY]
    for character in [*sent, "…", "ﬁ", "Ａ", "\udce9", "&lt;", "&amp;lt;"]:
        assert clip(f"A{character}B") == as_the_originals(f"A{character}B")


@pytest.mark.parametrize(
    "text",
    [
        " A\tDog's \n snow-covered_house!  ",
        "CAF\u00c9 &amp;amp;lt; \u201cd\u00f4g\u201d \u2026 _x_ &nbsp; 100% ",
        "\u039f\u0394\u039f\u03a3. \u039f\u0394\u039f\u03a3! \u039f\u0394\u039f\u03a3_a \u0130_\uff01\u3000\uff21",
        "!?",
        "lone \udce9",
        "",
    ],
)
def test_open_clips_cleanings(text: str) -> None:
    repaired = html.unescape(html.unescape(ftfy.fix_text(text)))
    assert whitespace(text) == re.sub(r"\s+", " ", repaired).strip()
    assert lower(text) == whitespace(text).lower()
    marks = {ord(mark): None for mark in string.punctuation}
    assert canonicalize(text) == " ".join(repaired.strip().replace("_", " ").translate(marks).lower().split())


def test_clip_is_lower_but_for_the_space_of_plain_texts() -> None:
    for text in (" A  b ", "\u00c9  &amp; B\u3000"):
        assert clip(text).split() == lower(text).split()


def test_ftfy_is_imported_for_none_but_the_texts_that_need_it() -> None:
    script = """
import sys
from seesay.tokenizers import SPECS, Tokenizer, vocabulary
tokenizer = Tokenizer(vocabulary("clip"), SPECS["clip"])
tokenizer(["A photo of a dog's tail,\\tat 3 o'clock!", "<|endoftext|> {x: [1, 2]}"])
assert "ftfy" not in sys.modules
tokenizer(["caf\\u00e9"])
assert "ftfy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ΟΔΟΣ ΣΑΣ", ["οδος", "σας"]),  # the final sigma of Python
        ("İstanbul", ["istanbul"]),
        ("Ünïcödé", ["unicode"]),
        ("a\0b\u200bc\ufffd\u00add", ["abcd"]),
        ("\ue000x \U000f0000", ["\ue000x", "\U000f0000"]),  # private characters stay, to become [UNK]
        ("x\U0002b820y", ["x", "\U0002b820", "y"]),
        ("don't $5-6!", ["don", "'", "t", "$", "5", "-", "6", "!"]),
        ("狗dog犬", ["狗", "dog", "犬"]),
        ("a\u2028b\u3000c\td", ["a", "b", "c", "d"]),
        ("lone \udce9 surrogate", ["lone", "\ue000", "surrogate"]),
        ("", []),
    ],
)
def test_bert_words(text: str, words: list[str]) -> None:
    assert bert(text).split() == words


@pytest.mark.parametrize("name", CLEANINGS)
def test_no_cleaning_lets_a_lone_surrogate_through(name: str) -> None:
    CLEANINGS[name]("a \ud83d b").encode("utf-8")
