"""The bundled WordPiece against a slow reference: English as BERT cuts it, Chinese by characters."""

import json
import re
import unicodedata
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seesay
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.errors import InputError, TruncatedText
from seesay.model import Model

VOCABULARY = json.loads((BUNDLED / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
PIECES = {number: piece for piece, number in VOCABULARY.items()}
MODEL = seesay.load()


def reference(text: str) -> list[int]:
    """BERT uncased for text of letters, digits, spaces, punctuation and Chinese characters."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    text = re.sub("([\u3400-\u9fff])", r" \1 ", text)
    ids = [VOCABULARY["[CLS]"]]
    for word in re.findall(r"[^\W_]+|[^\w\s]|_", text):
        start, pieces = 0, []
        while start < len(word):
            ends = range(len(word), start, -1)
            piece = next((p for e in ends if (p := ("##" if start else "") + word[start:e]) in VOCABULARY), None)
            if piece is None or len(word) > 100:
                pieces = [VOCABULARY["[UNK]"]]
                break
            pieces.append(VOCABULARY[piece])
            start += len(piece) - (2 if start else 0)
        ids += pieces
    return [*ids, VOCABULARY["[SEP]"]]


def pieces(text: str) -> list[str]:
    return [PIECES[number] for number in MODEL.tokenize(text)[0]]


def test_english_is_cut_as_bert_cuts_it() -> None:
    text = "Hello, how are you doing today?"
    assert pieces(text) == ["[CLS]", "hello", ",", "how", "are", "you", "doing", "today", "?", "[SEP]"]
    assert pieces("a bromeliad")[2:-1] == ["bro", "##mel", "##iad"]


def test_chinese_is_cut_into_characters() -> None:
    assert pieces("两只狗在雪地里奔跑") == ["[CLS]", *"两只狗在雪地里奔跑", "[SEP]"]
    assert pieces("兩隻狗") == ["[CLS]", *"兩隻狗", "[SEP]"]
    assert pieces("一只 golden retriever。")[1:-1] == ["一", "只", "golden", *pieces("retriever")[1:-1], "。"]


def test_full_width_forms_are_the_ordinary_ones() -> None:
    assert pieces("ＤＯＧ　２，ｃａｔ") == pieces("dog 2,cat")


def test_every_word_and_every_common_character_can_be_written() -> None:
    words = ["zyzzyva", "qwxjk", "naïve", "x-ray", "3.14159", "e=mc²", "饕餮", "龍貓", "嗎", "螞蟻"]
    assert not [word for word in words if "[UNK]" in pieces(word)]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("abcdeghimnorstuXYZ éÀñ0123456789 .,!?-'_ ＡｂＣ１狗猫雪貓馬两。"), max_size=80))
def test_ids_equal_the_reference(text: str) -> None:
    assert MODEL.tokenize(text)[0].tolist() == reference(text)


def test_a_batch_is_padded_to_its_longest_text() -> None:
    ids = MODEL.tokenize(["a dog", "a dog on the grass"])
    assert ids.shape == (2, 7)
    assert ids[0].tolist() == [VOCABULARY[piece] for piece in ("[CLS]", "a", "dog", "[SEP]", "[PAD]", "[PAD]", "[PAD]")]


def test_long_texts_are_cut_and_reported_once(bundled: Model) -> None:
    texts = ["short", "far " * 400, "too " * 400]
    with pytest.warns(TruncatedText) as caught:
        vectors = bundled.encode_text(texts)
    assert len(caught) == 1
    assert (
        str(caught[0].message)
        == "2 of 3 texts are longer than 256 tokens and lost their end; the first begins '" + "far " * 10 + "'"
    )
    assert vectors.shape == (3, bundled.dim)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert bundled.tokenize(texts).shape == (3, 256)


def test_odd_texts_are_encoded(bundled: Model) -> None:
    texts = ["", "\udce9 lone surrogate", "两只狗", "🐶" * 5, "\0\n\t"]
    vectors = bundled.encode_text(texts)
    assert vectors.shape == (5, bundled.dim)
    assert (abs((vectors**2).sum(axis=1) - 1) < 1e-5).all()


@pytest.mark.parametrize("wrong", [3, [b"bytes"], [None]])
def test_wrong_types_are_explained(bundled: Model, wrong: object) -> None:
    with pytest.raises(InputError, match="expected a string or a list of strings, got"):
        bundled.encode_text(wrong)  # type: ignore[arg-type]
