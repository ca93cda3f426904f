"""The packaged vocabularies, and tokenizer.json made of older files."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from seesay.errors import InputError, ModelError
from seesay.tokenizers import SPECS, Tokenizer, pad_id, tokenizer_json, vocabulary
from seesay.tokenizers.from_files import bert_json, byte_alphabet, clip_json
from seesay.tokenizers.spec import TokenizerSpec
from tests.parity.originals import older_files
from tests.parity.strings import strings


def tokens(name: str, *texts: str) -> list[list[int]]:
    ids: list[list[int]] = Tokenizer(vocabulary(name), SPECS[name])(texts).ids.tolist()  # type: ignore[arg-type]
    return ids


def test_ids_published_for_clip() -> None:
    """The example of OpenAI's README and model card."""
    assert tokens("clip", "a diagram", "a dog") == [[49406, 320, 22697, 49407], [49406, 320, 1929, 49407]]


def test_chinese_ids() -> None:
    assert tokens("chinese_clip", "皮卡丘") == [[101, 4649, 1305, 687, 102]]


@pytest.mark.parametrize("name", ["clip", "open_clip", "chinese_clip"])
def test_words_are_the_ids_of_a_text_without_its_frame(name: str) -> None:
    tokenizer = Tokenizer(vocabulary(name), replace(SPECS[name], padding="context"))  # type: ignore[arg-type]
    for text in islice(strings(), 300):
        words = tokenizer.words(text)
        ids = [number for word in words for number in word]
        assert all(words)
        assert tokenizer.framed(ids[: tokenizer.room]).tolist() == tokenizer([text]).ids[0].tolist()
    assert tokenizer.room == SPECS[name].context_length - 2


def test_words_of_a_long_text_are_all_there() -> None:
    """Also where the library cuts texts at the context by itself."""
    text = "a cat in sunglasses, 猫! " * 40
    cut = Tokenizer(vocabulary("clip"), TokenizerSpec(20, 0, "context"))
    whole = Tokenizer(vocabulary("clip"), SPECS["clip"])
    assert cut.words(text) == whole.words(text)
    assert len(cut.words(text)) == 280
    assert [whole.piece(number) for number in whole.words("sunglasses")[0]] == ["sunglasses</w>"]
    assert whole.piece(60_000) == "#60000"


def test_special_tokens_in_running_text_are_read_as_each_original_does() -> None:
    assert tokens("clip", "a<|EndOfText|>") == [[49406, 320, 49407, 49407]]
    assert tokens("open_clip", "a<End_Of_Text>") == [[49406, 320, 49407, 49407]]
    assert 49407 not in tokens("clip", "a<end_of_text>")[0][1:-1]
    assert 49407 not in tokens("open_clip", "a<|endoftext|>")[0][1:-1]
    assert 49407 not in tokens("clip", "!<|endoftext|>")[0][1:-1]  # taken by the run of marks


@pytest.mark.parametrize("name", ["clip", "open_clip"])
def test_no_id_lies_outside_the_48_thousand(name: str) -> None:
    """clip.json holds 21 more pieces, steps on the way to a special token; none may come out."""
    texts = [t for t in islice(strings(), 20_000) if "<" in t] + [
        "<|star tof",
        "|star",
        "|startof",
        "<start _of",
        "<|endof",
        "<startx_of_text>",
    ]
    assert Tokenizer(vocabulary(name), SPECS[name])(texts).ids.max() == 49407  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SPECS)
def test_long_texts_keep_their_last_token(name: str) -> None:
    tokenizer = Tokenizer(vocabulary(name), SPECS[name])  # type: ignore[arg-type]
    length = tokenizer.spec.context_length
    tokens = tokenizer(["dog " * (length - 2), "dog " * (length - 1), "dog " * 10_000])
    assert tokens.ids.shape == (3, length)
    assert tokens.truncated.tolist() == [False, True, True]
    assert len(set(tokens.ids[:, -1].tolist())) == 1
    assert (tokens.ids[0] == tokens.ids[2]).all()


@pytest.mark.parametrize("name", SPECS)
def test_padding_to_the_context_only_adds_columns(name: str) -> None:
    texts = ["a dog", "两只狗在草地上", ""]
    longest = Tokenizer(vocabulary(name), SPECS[name])(texts).ids  # type: ignore[arg-type]
    whole = Tokenizer(vocabulary(name), replace(SPECS[name], padding="context"))(texts).ids  # type: ignore[arg-type]
    assert whole.shape == (3, SPECS[name].context_length)
    assert (whole[:, : longest.shape[1]] == longest).all()
    assert (whole[:, longest.shape[1] :] == 0).all()


def test_no_texts_make_an_empty_array() -> None:
    assert Tokenizer(vocabulary("clip"), SPECS["clip"])([]).ids.shape == (0, 0)


def test_unknown_names_are_explained() -> None:
    with pytest.raises(InputError, match="no vocabulary is named 'bert'; there are clip, open_clip, chinese_clip"):
        vocabulary("bert")  # type: ignore[arg-type]


def test_bytes_that_are_no_vocabulary_are_explained() -> None:
    with pytest.raises(ModelError, match="the vocabulary is not a tokenizer.json that can be read"):
        Tokenizer(b"{}", SPECS["clip"])


def test_the_byte_alphabet_has_a_visible_letter_for_every_byte() -> None:
    alphabet = byte_alphabet()
    assert sorted(alphabet) == list(range(256))
    assert len(set(alphabet.values())) == 256
    assert all(letter.isprintable() and not letter.isspace() for letter in alphabet.values())
    assert alphabet[ord(" ")] == "Ġ"


def test_a_folder_with_a_tokenizer_json_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"anything")
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    assert tokenizer_json(tmp_path) == b"anything"


def test_older_folders_get_one(tmp_path: Path) -> None:
    for number, name in enumerate(("transformers CLIP", "transformers BERT")):
        older = older_files(name)
        folder = tmp_path / str(number)
        folder.mkdir()
        for file, content in older.files.items():
            (folder / file).write_text(content, encoding="utf-8", newline="\n")
        assert tokenizer_json(folder) == older.tokenizer_json()


def test_an_older_bert_folder_may_keep_capitals(tmp_path: Path) -> None:
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Dog", "dog")
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    spec = TokenizerSpec(8, 0, "longest")
    assert Tokenizer(tokenizer_json(tmp_path), spec)(["Dog dog"]).ids.tolist() == [[2, 5, 6, 3]]
    (tmp_path / "tokenizer_config.json").unlink()
    assert Tokenizer(tokenizer_json(tmp_path), spec)(["Dog dog"]).ids.tolist() == [[2, 6, 6, 3]]


@pytest.mark.parametrize(
    ("files", "pad"),
    [
        ({"tokenizer_config.json": {"pad_token": "!"}}, 1),  # a common piece, as in Stable Diffusion 2
        ({"special_tokens_map.json": {"pad_token": {"content": "[MASK]", "lstrip": False}}}, 4),
        ({"tokenizer_config.json": {"pad_token": None}}, 0),
        ({}, 0),
    ],
)
def test_the_pad_is_found_as_transformers_finds_it(tmp_path: Path, files: dict[str, object], pad: int) -> None:
    pieces = ("[PAD]", "!", "[CLS]", "[SEP]", "[MASK]", "[UNK]")
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert pad_id(tmp_path) == pad


def test_the_pad_of_a_tokenizer_json(tmp_path: Path) -> None:
    whole = {"added_tokens": [{"id": 7, "content": "<p>"}], "padding": {"pad_token": "<p>"}, "model": {"vocab": [["a", -1.5]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    assert pad_id(tmp_path) == 7
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "a"}')
    assert pad_id(tmp_path) == 0
    (tmp_path / "tokenizer_config.json").write_text('{"padding_side": "left"}')
    with pytest.raises(ModelError, match="a padding_side other than right"):
        pad_id(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {}}}')
    (tmp_path / "tokenizer_config.json").unlink()
    assert pad_id(tmp_path) is None
    (tmp_path / "tokenizer.json").write_text("not JSON")
    with pytest.raises(ModelError, match="the files of the tokenizer in .* cannot be read: JSONDecodeError"):
        pad_id(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert pad_id(tmp_path) is None


def test_folders_without_a_vocabulary_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no vocabulary; expected tokenizer.json, or vocab.json and merges.txt"):
        tokenizer_json(tmp_path)
    with pytest.raises(ModelError, match="vocab.txt has no \\[PAD\\]"):
        bert_json("a\nb\n")
    with pytest.raises(ModelError, match="vocab.json has no <|startoftext|>"):
        clip_json(json.dumps({"a": 0}), "#version: 0.2\n")


@pytest.mark.parametrize("name", list(SPECS))
def test_ids_become_their_text_again(name: str) -> None:
    tokenizer = Tokenizer(vocabulary(name), SPECS[name])
    words = "a photo of a man"
    ids = tokenizer([words]).ids[0].tolist()
    assert tokenizer.decode([each for each in ids if tokenizer.decode([each]) in words.split()]) == words
    assert tokenizer.decode([]) == ""
