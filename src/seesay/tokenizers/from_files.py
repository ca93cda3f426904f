"""Makes a tokenizer.json from the files of older Hugging Face folders: vocab.json and merges.txt, or vocab.txt.

The result splits texts as the *fast* tokenizers of `transformers` 5 do. Its former slow ones differed from those: CLIP's
repaired texts with ftfy where that was installed, and BERT's followed Python's Unicode tables and final sigma.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from seesay.errors import ModelError, first_sentence
from seesay.system.schema import read_object

START, END = "<|startoftext|>", "<|endoftext|>"
CLIP_PATTERN = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
SETS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("vocab.txt",))
FILES = "tokenizer.json (or vocab.json and merges.txt, or vocab.txt)"  # for messages
PADS = ("<pad>", "[PAD]")
BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turns errors of malformed files into ModelErrors."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {first_sentence(error)}"
        raise ModelError(f"the files of the tokenizer in {folder} cannot be read: {reason}") from None


def has_vocabulary(folder: Path) -> bool:
    """Whether a folder has the files of a tokenizer."""
    return any(all((folder / name).is_file() for name in names) for names in SETS)


def tokenizer_json(folder: Path) -> bytes:
    """The folder's tokenizer.json, or one made from the older files. Raises ModelError."""
    with _readable(folder):
        return _tokenizer_json(folder)


def _tokenizer_json(folder: Path) -> bytes:
    if (folder / "tokenizer.json").is_file():
        return (folder / "tokenizer.json").read_bytes()
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return clip_json(_read(folder / "vocab.json"), _read(folder / "merges.txt"))
    if (folder / "vocab.txt").is_file():
        config = folder / "tokenizer_config.json"
        return bert_json(_read(folder / "vocab.txt"), json.loads(_read(config)) if config.is_file() else {})
    raise ModelError(f"{folder} has no vocabulary; expected tokenizer.json, or vocab.json and merges.txt, or vocab.txt")


def pad_id(folder: Path, *, guess: bool = True) -> int | None:
    """The id that the folder's tokenizer pads with, by the rules of `transformers`; None where its files do not name one.

    guess: a piece that is called as padding usually is counts as named. Raises ModelError where it pads or truncates on the
    left, which no model read here does.
    """
    try:
        content = tokenizer_json(folder)
    except ModelError:
        return None
    with _readable(folder):
        return _pad_id(folder, content, guess)


def _pad_id(folder: Path, content: bytes, guess: bool) -> int | None:
    whole = json.loads(content)
    names = ("tokenizer_config.json", "special_tokens_map.json")
    settings = [read_object(folder / name) for name in names if (folder / name).is_file()]
    for side in ("padding_side", "truncation_side"):
        if any(values.get(side, "right") != "right" for values in settings):
            raise ModelError(f"{folder}: its tokenizer has a {side} other than right, which is not known here")
    ids = {token["content"]: token["id"] for token in whole.get("added_tokens") or ()}
    candidates = [values["pad_token"] for values in settings if values.get("pad_token")]
    candidates += [whole["padding"]["pad_token"]] if whole.get("padding") else []
    candidates += [name for name in PADS if name in ids and guess]
    if not candidates:
        return None
    token = candidates[0]["content"] if isinstance(candidates[0], dict) else candidates[0]
    if token not in ids:  # a pad that is a common piece, such as the "!" of Stable Diffusion's CLIP
        pieces = whole["model"]["vocab"]
        ids = pieces if isinstance(pieces, dict) else {piece: number for number, (piece, _) in enumerate(pieces)}
    number: int | None = ids.get(token)
    if number is not None and not isinstance(number, int):
        raise ValueError(f"the id of {token!r} is {number!r}")
    return number


def clip_json(vocab: str, merges: str) -> bytes:
    """A tokenizer.json of CLIP's byte-pair vocabulary. vocab: a JSON object of pieces and ids; merges: one a line."""
    vocabulary: dict[str, int] = json.loads(vocab)
    missing = [name for name in (START, END) if name not in vocabulary]
    if missing:
        raise ModelError(f"vocab.json has no {missing[0]}, so it is not the vocabulary of a CLIP model")
    lines = [line for line in merges.split("\n") if line.strip() and not line.startswith("#version")]
    return _encoded(
        [_special(name, vocabulary[name]) for name in (START, END)],
        {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": CLIP_PATTERN}, "behavior": "Removed", "invert": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        },
        {
            "type": "RobertaProcessing",
            "sep": [END, vocabulary[END]],
            "cls": [START, vocabulary[START]],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        {
            "type": "BPE",
            "dropout": None,
            "unk_token": END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [line.split() for line in lines],
        },
    )


def bert_json(vocab: str, config: dict[str, Any] | None = None) -> bytes:
    """A tokenizer.json of BERT's WordPiece vocabulary. vocab: one piece a line; config: the folder's tokenizer_config.json."""
    config = config or {}
    lines = vocab.removesuffix("\n").split("\n")
    vocabulary = {name: number for number, name in enumerate(lines)}
    missing = [name for name in BERT_SPECIALS if name not in vocabulary]
    if missing:
        raise ModelError(f"vocab.txt has no {missing[0]}, so it is not the vocabulary of a BERT model")
    template = [("[CLS]", 0), ("A", 0), ("[SEP]", 0), ("B", 1), ("[SEP]", 1)]
    steps = [{"Sequence" if len(name) == 1 else "SpecialToken": {"id": name, "type_id": type_id}} for name, type_id in template]
    ends = ("[CLS]", "[SEP]")
    return _encoded(
        [_special(name, vocabulary[name]) for name in sorted(BERT_SPECIALS, key=vocabulary.__getitem__)],
        {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
            "strip_accents": config.get("strip_accents"),
            "lowercase": config.get("do_lower_case", True),
        },
        {"type": "BertPreTokenizer"},
        {
            "type": "TemplateProcessing",
            "single": steps[:3],
            "pair": steps,
            "special_tokens": {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in ends},
        },
        {"type": "WordPiece", "prefix": "##", "cleanup": True},
        {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    )


@cache
def byte_alphabet() -> dict[int, str]:
    """The character of each byte in a byte-level vocabulary, in the vocabulary's order.

    Visible bytes of Latin-1 are their own characters; the others follow, from U+0100 on.
    """
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


def _special(name: str, number: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": name, **flags}


def _encoded(
    added: object, normalizer: object, pre_tokenizer: object, post_processor: object, decoder: object, model: object
) -> bytes:
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": model,
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from None
