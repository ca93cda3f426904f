"""What is typed means the same however it is typed."""

import numpy as np
import pytest

from seesay.model import Model
from seesay.tasks.phrasing import Phrase, phrase, phrasings, query_embeddings, singular

DOGS = (
    "dog|dogs|Dog|DOG|a dog|a dog.|dog!|dog?|the dog…|my dog|our dogs|a photo of a dog|Photo of the dogs.|picture of dogs|"
    'pictures of my dog|"dog"|“dog”|‘dog’|“dog|show me a dog|dog photos|ｄｏｇ|  dog  '
)
DOGS_ZH = "狗|狗。|狗！|狗？|一只狗|这只狗|一條狗|狗的照片|狗的图片。|一张狗的照片|我的狗|我家的狗|「狗」|“狗”|一只狗的照片"


@pytest.mark.parametrize("typed", DOGS.split("|"))
def test_english_forms_are_one(typed: str) -> None:
    assert phrase(typed) == Phrase("dog", "en", True)


@pytest.mark.parametrize("typed", DOGS_ZH.split("|"))
def test_chinese_forms_are_one(typed: str) -> None:
    assert phrase(typed) == Phrase("狗", "zh", True)


@pytest.mark.parametrize(
    ("typed", "text", "short"),
    [
        ("Two dogs run on the grass.", "two dogs run on the grass", False),
        ("a dog on grass", "dog on grass", True),
        ("red cars", "red car", True),
        ("old photos", "old photo", True),
        ("a photo", "photo", True),
        ("the", "the", True),
        ("!!!", "!!!", True),
        ("C++", "c++", True),
        ("‘90s", "90s", True),
        ("iced tea", "iced tea", True),
        ("一群狗", "一群狗", True),
        ("两只狗在雪地里奔跑。", "两只狗在雪地里奔跑", False),
        ("张三", "张三", True),
        ("个人", "个人", True),
        ("地图", "地图", True),
        ("照片", "照片", True),
        ("一个人", "人", True),
    ],
)
def test_what_says_something_stays(typed: str, text: str, short: bool) -> None:
    normalized = phrase(typed)
    assert (normalized.text, normalized.short) == (text, short)
    assert phrase(normalized.text) == normalized  # once is enough


PLURALS = (
    "dogs dog horses horse cherries cherry boxes box buses bus churches church dishes dish women woman people people "
    "children child wolves wolf tomatoes tomato shoes shoe cookies cookie faces face houses house geese goose trees tree"
)
SAME = "grass glass bus glasses scissors jeans chess news gymnastics octopus gas this tennis"


@pytest.mark.parametrize(
    ("plural", "one"),
    [*zip(PLURALS.split()[::2], PLURALS.split()[1::2], strict=True), *((word, word) for word in SAME.split())],
)
def test_singulars(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_one_word_is_told_from_a_few() -> None:
    assert [phrase(text).one_word for text in ("a dog", "red cars", "自行车", "草地上的马")] == [True, False, True, False]


def test_short_queries_are_put_in_several_ways_and_sentences_in_one(fake: Model) -> None:
    templates = {"en": ("{}", "a photo of a {}"), "zh": ("图片里有{}",)}
    assert phrasings("My dogs!", templates) == ["dog", "a photo of a dog"]
    assert phrasings("一只狗", templates) == ["图片里有狗"]
    assert phrasings("a dog is on the grass.", templates) == ["dog is on the grass"]
    assert phrasings("a dog", {}) == ["dog"]
    got = query_embeddings(fake, ["reds", "a red dog in the blue sea", "blue"], {"en": ("{}", "{} thing")})
    for row, texts in zip(got, (["red", "red thing"], ["red dog in the blue sea"], ["blue", "blue thing"]), strict=True):
        mean = np.mean([fake.encode_text(text)[0] for text in texts], axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)
