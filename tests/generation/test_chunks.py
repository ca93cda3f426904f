"""Prompts are cut into chunks between words; nothing is lost and nothing changes its order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.generation.chunks import Chunk, chunks, name_pattern
from seesay.generation.prompt import literal, parse
from seesay.tokenizers import SPECS, Tokenizer, vocabulary

CLIP = Tokenizer(vocabulary("clip"), replace(SPECS["clip"], padding="context"))
CHINESE = Tokenizer(vocabulary("chinese_clip"), replace(SPECS["chinese_clip"], padding="context"))


def sizes(text: str) -> list[int]:
    return [len(chunk.tokens) for chunk in chunks(parse(text), CLIP)]


def test_75_tokens_are_one_chunk_and_76_are_two() -> None:
    assert sizes("cat " * 75) == [75]
    assert sizes("cat " * 76) == [75, 1]
    assert sizes("") == [0]
    assert sizes(" BREAK ") == [0, 0]


def test_a_chunk_ends_after_a_mark_that_is_near() -> None:
    assert sizes("cat " * 60 + ", " + "dog " * 30) == [61, 30]
    assert sizes("cat " * 40 + ", " + "dog " * 50) == [75, 16]  # the mark is too far back


def test_no_word_is_cut_in_two() -> None:
    long = "antidisestablishmentarianism"  # several tokens
    found = chunks(parse(f"{long} " * 30), CLIP)
    assert len(found) > 1
    words = [{token.word for token in chunk.tokens} for chunk in found]
    assert not words[0] & words[1]
    assert sum(len(each) for each in words) == 30


def test_a_word_longer_than_a_chunk_is_cut() -> None:
    found = chunks(parse("猫" * 60), CLIP)
    assert len(found[0].tokens) == 75
    assert len({token.word for chunk in found for token in chunk.tokens}) == 1


def test_break_begins_a_new_chunk() -> None:
    assert [[token.piece for token in chunk.tokens] for chunk in chunks(parse("a cat BREAK a dog"), CLIP)] == [
        ["a</w>", "cat</w>"],
        ["a</w>", "dog</w>"],
    ]


def test_each_token_has_the_weight_and_the_number_of_its_fragment() -> None:
    (chunk,) = chunks(parse("a (cat in:1.3) [sunglasses], red"), CLIP)
    assert [(token.piece, round(token.weight, 3), token.fragment) for token in chunk.tokens] == [
        ("a</w>", 1, 0),
        ("cat</w>", 1.3, 1),
        ("in</w>", 1.3, 1),
        ("sunglasses</w>", 0.909, 3),
        (",</w>", 1, 4),
        ("red</w>", 1, 4),
    ]


def test_chinese_is_cut_by_a_chinese_vocabulary_character_by_character() -> None:
    (chunk,) = chunks(parse("(一只猫:1.2)在草地上"), CHINESE)
    assert [token.piece for token in chunk.tokens] == list("一只猫在草地上")
    assert [token.weight for token in chunk.tokens] == [1.2] * 3 + [1.0] * 4


WORDS = st.sampled_from(["cat", "dog,", "a", "antidisestablishmentarianism", "猫狗", ".", "!!", "x" * 300])


@given(st.lists(WORDS, max_size=200))
def test_chunks_hold_the_tokens_of_the_text_in_order(words: list[str]) -> None:
    text = " ".join(words)
    found = chunks(literal(text), CLIP)
    assert all(0 < len(chunk.tokens) <= 75 for chunk in found) or found == (Chunk(),)
    assert [token.id for chunk in found for token in chunk.tokens] == [i for word in CLIP.words(text) for i in word]


@pytest.mark.parametrize("text", ["a photo", "Two  Words", "it's 3 o'clock, isn't it?", "猫，狗", ""])
def test_one_chunk_has_the_ids_of_the_tokenizer(text: str) -> None:
    (chunk,) = chunks(literal(text), CLIP)
    assert CLIP.framed(chunk.ids).tolist() == CLIP([text]).ids[0].tolist()


def test_ten_thousand_words_are_cut() -> None:
    found = chunks(parse("a photograph of something, " * 2_500), CLIP)
    assert sum(len(chunk.tokens) for chunk in found) == 12_500
    assert len(found) < 180


def test_names_of_inversions_stand_for_their_ids() -> None:
    names = {"<cat-toy>": (60_000,), "My Style": (60_001, 60_002)}
    (chunk,) = chunks(parse("a <CAT-toy>, (my style:1.2) mystyle"), CLIP, names)
    assert [token.id for token in chunk.tokens if token.id >= 60_000] == [60_000, 60_001, 60_002]
    assert [token.weight for token in chunk.tokens if token.id >= 60_001] == [1.2, 1.2]
    assert [token.piece for token in chunk.tokens][-1] == "style</w>"


def test_a_name_is_found_as_a_word_only() -> None:
    pattern = name_pattern({"sun": (), "sunset": ()})
    assert pattern is not None
    assert pattern.findall("sun, Sunset, sunny, a-sun") == ["sun", "Sunset", "sun"]
    assert name_pattern({}) is None
