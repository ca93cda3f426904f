"""The peers of tokenizing.py, run by their own interpreter: `python peer_tokenizers.py captions.json`.

Says in one line which tokenizers there are, then answers every line "name batch", when all captions are tokenized, with a
digest of the last batch's ids. Imports nothing of SeeSay.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Tokenize = Callable[[list[str]], Any]


def main() -> None:
    file = Path(sys.argv[1])
    texts: list[str] = json.loads(file.read_text(encoding="utf-8"))
    peers = {"open_clip": open_clip_tokenizer()}
    fast = transformers_tokenizer(file.parent / "clip.json")
    if fast is not None:
        peers["transformers"] = fast
    print(*peers, flush=True)
    for line in sys.stdin:
        name, batch = line.split()
        for start in range(0, len(texts), int(batch)):
            ids = peers[name](texts[start : start + int(batch)])
        print(hashlib.sha256(np.asarray(ids).astype("<i8").tobytes()).hexdigest(), flush=True)


def open_clip_tokenizer() -> Tokenize:
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer: Tokenize = SimpleTokenizer()
    return tokenizer


def transformers_tokenizer(vocabulary: Path) -> Tokenize | None:
    try:
        from transformers import CLIPTokenizerFast
    except ImportError:
        return None
    import os

    os.environ["TOKENIZERS_PARALLELISM"] = "true"  # open_clip turned it off
    model = json.loads(vocabulary.read_text(encoding="utf-8"))["model"]
    vocab = {piece: number for piece, number in model["vocab"].items() if number < 49406}
    merges = [(a, b) for a, b in model["merges"] if a + b in vocab]
    tokenizer = CLIPTokenizerFast(vocab=vocab | {"<|startoftext|>": 49406, "<|endoftext|>": 49407}, merges=merges)
    return lambda texts: tokenizer(texts, padding="max_length", truncation=True, max_length=77, return_tensors="np").input_ids


if __name__ == "__main__":
    main()
