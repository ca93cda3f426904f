"""Makes small tokenizers of the four kinds that OpenCLIP takes from Hugging Face, in the form of its published folders.

    PYTHONPATH=src python -m tests.parity.make_hf_tokenizers

Trains them on strings of `strings.py` with the `tokenizers` library, wraps them in the classes of transformers, saves them with
`save_pretrained`, and writes beside them the part of `open_clip_config.json` that says how OpenCLIP uses them. The published
vocabularies have up to a million pieces; how a text reaches them and what becomes of the ids does not depend on that.
"""

import json
import shutil
import struct
import tempfile
import unicodedata
from collections import deque
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizer, RobertaTokenizer, T5Tokenizer, XLMRobertaTokenizer

from seesay.tokenizers.cleaning import whitespace
from tests.parity.originals import HF_FOLDERS
from tests.parity.strings import kind_of, strings

TRAINED_ON = ("english", "chinese", "scripts", "code", "contractions", "emoji", "entities")
PIECES = 900
MASK = AddedToken("<mask>", lstrip=True, special=True)  # as RoBERTa and XLM-R are published: it takes the space before it
TINY = {"embed_dim": 8, "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1}}
TEXT = {
    "bert": {
        "hf_tokenizer_name": "bert-base-uncased",
        "tokenizer_kwargs": {"strip_sep_token": True},
        "context_length": 32,
        "vocab_size": PIECES,
        "no_causal_mask": True,
        "pool_type": "last",
    },
    "roberta": {"hf_tokenizer_name": "roberta-base", "hf_model_name": "roberta-base", "hf_pooler_type": "mean_pooler"},
    "xlm-v": {"hf_tokenizer_name": "facebook/xlm-v-base", "vocab_size": PIECES, "pool_type": "eos", "eos_id": 2},
    "mt5": {
        "hf_tokenizer_name": "google/mt5-base",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "vocab_size": PIECES,
        "pool_type": "eos",
        "eos_id": 1,
    },
}


def main() -> None:
    texts = [whitespace(text) for number, text in enumerate(islice(strings(), 8_000)) if kind_of(number) in TRAINED_ON]
    made_tokenizers = {"bert": bert(texts), "roberta": roberta(texts), "xlm-v": xlm_v(texts), "mt5": mt5(texts)}
    for name, tokenizer in made_tokenizers.items():
        folder = HF_FOLDERS / name
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as saved:
            tokenizer.save_pretrained(saved)
            shutil.copy(Path(saved) / "tokenizer_config.json", folder)
            whole = json.loads((Path(saved) / "tokenizer.json").read_text(encoding="utf-8"))
        compact = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(compact, encoding="utf-8")
        config = {"model_cfg": TINY | {"text_cfg": TEXT[name]}}
        (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {(folder / 'tokenizer.json').stat().st_size / 1e3:.0f} kB")


def bert(texts: list[str]) -> BertTokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=PIECES, special_tokens=specials))
    return BertTokenizer(vocab=tokenizer.get_vocab())


def roberta(texts: list[str]) -> RobertaTokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return RobertaTokenizer(vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]], mask_token=MASK)


def xlm_v(texts: list[str]) -> XLMRobertaTokenizer:
    vocab = unigram(texts, ["<s>", "<pad>", "</s>", "<unk>"])
    return XLMRobertaTokenizer(vocab=vocab, mask_token=MASK, _spm_precompiled_charsmap=charsmap(compatibility_forms()))


def mt5(texts: list[str]) -> T5Tokenizer:
    vocab = unigram(texts, ["<pad>", "</s>", "<unk>"])
    return T5Tokenizer(vocab=vocab, extra_ids=0, _spm_precompiled_charsmap=charsmap(compatibility_forms()))


def unigram(texts: list[str], specials: list[str]) -> list[tuple[str, float]]:
    """Pieces with their scores, rounded, since nothing depends on the last digits."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Precompiled(charsmap(compatibility_forms()))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=PIECES, special_tokens=specials, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    vocab: list[tuple[str, float]] = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [(piece, round(score, 3)) for piece, score in vocab]


def compatibility_forms() -> dict[str, str]:
    """SentencePiece's NFKC rules for some characters, including results with spaces."""
    codes = [*range(0xA0, 0x180), *range(0x2000, 0x2190), *range(0x2460, 0x2474), *range(0xFB00, 0xFB07)]
    characters = [chr(code) for code in codes if unicodedata.category(chr(code)) != "Cn"]
    forms = {c: unicodedata.normalize("NFKC", c) for c in characters if unicodedata.decomposition(c).startswith("<")}
    return forms | {"\u200b": " ", "\u200e": "", "\xad": ""}


def charsmap(forms: dict[str, str]) -> bytes:
    """SentencePiece's precompiled normalization: the length of a trie, a double-array trie of UTF-8, and what it points to."""
    results, places = bytearray(), {}
    for character, form in forms.items():
        places[character.encode()] = len(results)
        results += form.encode() + b"\0"
    trie = double_array(places)
    return struct.pack(f"<I{len(trie)}I", 4 * len(trie), *trie) + bytes(results)


def double_array(places: dict[bytes, int]) -> list[int]:
    """Darts-clone's units: the child of the node at `base` by byte b is stored at base ^ b, a node's own value at base ^ 0."""
    root: dict[int, Any] = {}
    for key, place in places.items():
        node = root
        for byte in key:
            node = node.setdefault(byte, {})
        node[0] = place
    units: dict[int, int] = {0: 0}
    waiting = deque([(0, root, 0)])
    bases: set[int] = set()
    while waiting:
        at, node, byte = waiting.popleft()
        base = next(b for b in range(1, 1 << 20) if b not in bases and all(b ^ child not in units for child in node))
        bases.add(base)
        assert at ^ base < 1 << 21, "offsets this far apart are written otherwise"
        units[at] = (at ^ base) << 10 | (0 in node) << 8 | byte
        for child, below in node.items():
            units[base ^ child] = 0
            if child == 0:
                units[base] = below | 1 << 31
            else:
                waiting.append((base ^ child, below, child))
    return [units.get(i, 0) for i in range(max(units) + 1)]


if __name__ == "__main__":
    main()
