"""WordPiece ids against ids published for BERT's vocabulary and against a slow reference."""

import json
import re
import unicodedata
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seesay
from seesay.errors import InputError, TruncatedText
from seesay.location import BUNDLED
from seesay.model import Model

VOCABULARY = json.loads((BUNDLED / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
MODEL = seesay.load()


def reference(text: str) -> list[int]:
    """BERT uncased for text of letters, digits, spaces and ASCII punctuation."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
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


def test_ids_are_those_of_bert_base_uncased() -> None:
    assert MODEL.tokenize("Hello, how are you doing today?").tolist() == [
        [101, 7592, 1010, 2129, 2024, 2017, 2725, 2651, 1029, 102]
    ]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("abcdeghimnorstuXYZ éÀñ0123456789 .,!?-'_ "), max_size=80))
def test_ids_equal_the_reference(text: str) -> None:
    assert MODEL.tokenize(text)[0].tolist() == reference(text)


def test_a_batch_is_padded_to_its_longest_text() -> None:
    ids = MODEL.tokenize(["a dog", "a dog on the grass"])
    assert ids.shape == (2, 7)
    assert ids[0].tolist() == [101, 1037, 3899, 102, 0, 0, 0]


def test_long_texts_are_cut_and_reported_once(bundled: Model) -> None:
    texts = ["short", "far " * 400, "too " * 400]
    with pytest.warns(TruncatedText) as caught:
        vectors = bundled.encode_text(texts)
    assert len(caught) == 1
    assert (
        str(caught[0].message)
        == "2 of 3 texts are longer than 256 tokens and lost their end; the first begins '" + "far " * 10 + "'"
    )
    assert vectors.shape == (3, 384)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert bundled.tokenize(texts).shape == (3, 256)


def test_odd_texts_are_encoded(bundled: Model) -> None:
    texts = ["", "\udce9 lone surrogate", "两只狗", "🐶" * 5, "\0\n\t"]
    vectors = bundled.encode_text(texts)
    assert vectors.shape == (5, 384)
    assert (abs((vectors**2).sum(axis=1) - 1) < 1e-5).all()


@pytest.mark.parametrize("wrong", [3, [b"bytes"], [None]])
def test_wrong_types_are_explained(bundled: Model, wrong: object) -> None:
    with pytest.raises(InputError, match="expected a string or a list of strings, got"):
        bundled.encode_text(wrong)  # type: ignore[arg-type]
