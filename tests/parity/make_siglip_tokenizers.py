"""Makes small tokenizers of SigLIP's two kinds, trained with SentencePiece and converted by transformers.

    PYTHONPATH=src python -m tests.parity.make_siglip_tokenizers

A unigram model, as SigLIP's C4 vocabulary, and a byte-pair model with bytes as last resort, as Gemma's for SigLIP 2. The
published vocabularies are larger; how a text reaches them and what becomes of the ids does not depend on that.
"""

import io
import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sentencepiece
from transformers import GemmaTokenizer
from transformers.convert_slow_tokenizer import T5Converter, generate_merges

from seesay.tokenizers.cleaning import ascii_lower, unmarked, whitespace
from tests.parity.make_hf_tokenizers import TRAINED_ON, compatibility_forms
from tests.parity.siglip_tokenizers import FOLDERS
from tests.parity.strings import kind_of, strings

PIECES = 900
COMMON = {"vocab_size": PIECES, "num_threads": 1, "minloglevel": 2, "hard_vocab_limit": False, "pad_id": 0, "eos_id": 1}


def main() -> None:
    texts = [whitespace(text) for number, text in enumerate(islice(strings(), 8_000)) if kind_of(number) in TRAINED_ON]
    for name, make in {"siglip": siglip, "gemma": gemma}.items():
        folder = FOLDERS / name
        folder.mkdir(parents=True, exist_ok=True)
        whole, config = make(texts, folder / "spiece.model")
        text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {sum(file.stat().st_size for file in folder.iterdir()) / 1e3:.0f} kB")


def train(texts: Iterator[str], file: Path, **options: Any) -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=texts, model_writer=model, **(COMMON | options))
    file.write_bytes(model.getvalue())


def siglip(texts: list[str], file: Path) -> tuple[Any, Any]:
    """As T5's: an <unk> of its own, no <bos>, compatibility forms unified."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as rules:
        for character, form in compatibility_forms().items():
            rules.write(f"{ord(character):X}\t{' '.join(f'{ord(c):X}' for c in form)}\n")
        rules.flush()
        cleaned = filter(None, map(unmarked, texts))
        train(cleaned, file, model_type="unigram", unk_id=2, bos_id=-1, normalization_rule_tsv=rules.name)
    original = SimpleNamespace(vocab_file=str(file), _extra_ids=0, convert_tokens_to_ids={"</s>": 1}.get)
    whole = json.loads(T5Converter(original).converted().to_str())
    return whole, {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "model_max_length": 64}


def gemma(texts: list[str], file: Path) -> tuple[Any, Any]:
    """As Gemma's: spaces as they are, digits one by one, bytes for what is unknown."""
    train(
        map(ascii_lower, texts),
        file,
        model_type="bpe",
        unk_id=3,
        bos_id=2,
        eos_piece="<eos>",
        bos_piece="<bos>",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
    )
    model = sentencepiece.SentencePieceProcessor(str(file))
    vocab = {model.id_to_piece(number): number for number in range(model.get_piece_size())}
    scores = [(piece, model.get_score(number)) for piece, number in vocab.items()]
    ends: dict[str, Any] = {"padding_side": "right", "add_bos_token": False, "add_eos_token": True}
    made = GemmaTokenizer(vocab=vocab, merges=generate_merges(vocab, scores), mask_token=None, **ends)
    whole = json.loads(made.backend_tokenizer.to_str())
    return whole, {"tokenizer_class": "GemmaTokenizer", "pad_token": "<pad>", **ends}


if __name__ == "__main__":
    main()
