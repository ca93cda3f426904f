"""The original tokenizers beside ours on 100,000 strings and more: every id, padding included.

    PYTHONPATH=src python -m tests.parity.tokenizers [--store]

Needs clip-anytorch (or OpenAI's clip), open_clip_torch, cn_clip and transformers 5 (tests/parity/README.md). Prints every
difference's kind and the first few in full, and fails if there is any. --store writes the originals' results, small, to
tests/parity/data/, where `make test` compares ours with them.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from seesay.tokenizers import Tokenizer
from tests.parity.originals import (
    HF_FOLDERS,
    OPEN_CLIP_HF,
    PACKAGED,
    STORED,
    blocks,
    digest,
    digest_of_texts,
    older_files,
    ours,
    repairs,
)
from tests.parity.strings import kind_of, special_strings, strings

Tokenize = Callable[[list[str]], np.ndarray]
EXAMPLES = 400
SHOWN = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write the originals' results to tests/parity/data/")
    options = parser.parse_args()
    texts = list(strings())
    wrong = 0
    stored = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (original, saved) in originals(Path(folder)).items():
            sample = texts + special_strings() if name in OPEN_CLIP_HF else texts
            with repairs(name):
                count, stored[name] = compared(name, original, ours(name), sample)
            wrong += count
            if saved is not None:  # the tokenizer.json that transformers itself writes, read by our class unchanged
                wrong += compared(f"{name}, its own tokenizer.json", original, saved, texts)[0]
    if options.store:
        store(texts, stored)
    if wrong:
        sys.exit(f"{wrong} differences")


def originals(folder: Path) -> dict[str, tuple[Tokenize, Tokenizer | None]]:
    """Every original as one function, and for those of transformers our tokenizer on the file that they save."""
    import clip
    import cn_clip.clip
    import open_clip

    def openai(texts: list[str]) -> np.ndarray:
        return np.asarray(clip.tokenize(texts, truncate=True))

    def of_open_clip(name: str) -> Tokenize:
        tokenizer = open_clip.get_tokenizer(name)
        return lambda texts: np.asarray(tokenizer(texts))

    return {
        "clip": (openai, None),
        "clip without ftfy": (openai, None),
        "open_clip": (of_open_clip("ViT-B-32"), None),
        "open_clip without ftfy": (of_open_clip("ViT-B-32"), None),
        "chinese_clip": (lambda texts: np.asarray(cn_clip.clip.tokenize(texts)), None),
        "transformers CLIP": hugging_face(folder / "clip", "transformers CLIP"),
        "transformers BERT": hugging_face(folder / "bert", "transformers BERT"),
    } | {name: (of_open_clip(f"local-dir:{HF_FOLDERS / kind}"), None) for name, kind in OPEN_CLIP_HF.items()}


def hugging_face(folder: Path, name: str) -> tuple[Tokenize, Tokenizer]:
    from transformers import BertTokenizerFast, CLIPTokenizerFast

    older = older_files(name)
    folder.mkdir()
    for file, content in older.files.items():
        (folder / file).write_text(content, encoding="utf-8", newline="\n")
    kind = CLIPTokenizerFast if "merges.txt" in older.files else BertTokenizerFast
    tokenizer = kind.from_pretrained(folder)
    tokenizer.save_pretrained(folder / "saved")

    def tokenize(texts: list[str]) -> np.ndarray:
        length = older.spec.context_length
        return np.asarray(tokenizer(texts, padding="max_length", truncation=True, max_length=length)["input_ids"])

    return tokenize, Tokenizer(folder / "saved" / "tokenizer.json", older.spec)


def compared(name: str, original: Tokenize, native: Tokenizer, texts: Sequence[str]) -> tuple[int, dict[str, object]]:
    """The number of strings that differ, and what to store of the original: a digest per block, and the first rows."""
    kinds: Counter[str] = Counter()
    digests: list[str] = []
    rows: list[list[int]] = []
    theirs_s = ours_s = 0.0
    for start, block in blocks(texts):
        started = time.perf_counter()
        expected = original(list(block)).astype(np.int64)
        theirs_s += time.perf_counter() - started
        started = time.perf_counter()
        actual = native(block).ids
        ours_s += time.perf_counter() - started
        digests.append(digest(expected))
        rows += [row.tolist() for row in expected[: max(0, EXAMPLES - len(rows))]]
        for i in np.flatnonzero((expected != actual).any(axis=1)).tolist():
            kinds[kind_of(start + i)] += 1
            if kinds.total() <= SHOWN:
                print(f"  {start + i} ({kind_of(start + i)}): {block[i][:200]!r}")
                print(f"    theirs {trimmed(expected[i])}\n    ours   {trimmed(actual[i])}")
    counted = f"{kinds.total():,} of {len(texts):,} strings differ {dict(kinds) or ''}"
    print(f"{name}: {counted} (theirs {theirs_s:.1f} s, ours {ours_s:.1f} s)", flush=True)
    return kinds.total(), {"digests": digests, "rows": rows}


def trimmed(row: np.ndarray) -> list[int]:
    """Without the right padding."""
    end = len(row)
    while end > 1 and row[end - 1] == row[end - 2]:
        end -= 1
    return [int(number) for number in row[:end]]


def store(texts: Sequence[str], stored: dict[str, dict[str, object]]) -> None:
    packages = ("clip-anytorch", "open_clip_torch", "cn_clip", "transformers", "tokenizers", "ftfy", "regex")
    examples = [
        {"text": text} | {name: trimmed(np.array(stored[name]["rows"][i])) for name in PACKAGED}  # type: ignore[index]
        for i, text in enumerate(texts[:EXAMPLES])
        if len(text) <= 200
    ]
    content = {
        "versions": {name: version(name) for name in packages}
        | {"python": platform.python_version(), "unicode": unicodedata.unidata_version},
        "texts": digest_of_texts([*texts, *special_strings()]),
        "digests": {name: result["digests"] for name, result in stored.items()},
        "examples": examples,
    }
    STORED.parent.mkdir(exist_ok=True)
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items() if key != "examples")
    rows = ",\n".join(json.dumps(example) for example in examples)
    STORED.write_text(f'{{\n{lines},\n"examples": [\n{rows}\n]\n}}\n', encoding="utf-8")
    print(f"wrote {STORED}: {STORED.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
