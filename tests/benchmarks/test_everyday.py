"""What people look for: the tables are well formed, verdicts follow captions and labels, scores follow their definitions."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from everyday import PAGE, SHOWN, answer
from mixed_library import Photo
from needs import COLUMNS, Judgement, Need, faults, read_needs
from phrasings import read_nouns
from rankings import ANY, CUT, agreement, condensed, quality

HAN = re.compile(r"[\u4e00-\u9fff]")


def row(**given: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | {"key": "k", "kind": "word", "topic": "things", "en": "dog", "zh": "狗"} | given


def photo(number: int | None = None, *labels: str, captions: tuple[str, ...] = ()) -> Photo:
    of = "flickr8k" if captions else "grocery" if number is None else "photos-1k"
    return Photo(Path("p.jpg"), of, captions, number, labels)


def test_there_are_enough_needs_and_absent_things_and_every_one_can_be_typed_in_both_languages() -> None:
    needs = read_needs()
    absent = [need for need in needs if need.kind == "absent"]
    assert len(needs) - len(absent) >= 130
    assert len(absent) >= 40
    for need in needs:
        assert need.queries["en"].isascii(), need.key
        assert HAN.search(need.queries["zh"]), need.key
        assert need.expressions or need.classes or need.groceries, need.key
        assert need.kind != "absent" or need.expressions, need.key
        assert need.doubtful is None or need.doubtful.pattern, need.key
    for named in ([need.key for need in needs], *([need.queries[language] for need in needs] for language in ("en", "zh"))):
        assert len(named) == len(set(named))


@pytest.mark.parametrize("wrong", [{"kind": "thing"}, {"topic": "fun"}, {"kind": "absent"}])
def test_a_row_of_an_unknown_kind_or_topic_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="k: (kind|topic) is one of"):
        Need.of(row(**wrong))


def test_a_captioned_photo_is_right_where_enough_captions_have_both_expressions() -> None:
    need = Need.of(row(captions="dogs?|puppy", also="snow", maybe="wolf"))
    assert need.right(photo(captions=("A dog in the snow", "A puppy", "white snow"))) is True
    assert need.right(photo(captions=("A Dog", "A puppy", "white snow"))) is None  # one speaks of snow: it is not known
    assert need.right(photo(captions=("a wolf", "an animal"))) is None
    assert need.right(photo(captions=("a hotdog", "dogged"))) is False  # whole words
    assert Need.of(row(captions="dog", least="1")).right(photo(captions=("A dog", "An animal"))) is True
    assert Need.of(row(photos="1", unjudged="flickr8k")).right(photo(captions=("a cat",))) is None


def test_a_labelled_photo_is_right_by_its_class_and_not_judged_where_the_table_says_so() -> None:
    need = Need.of(row(photos="3-5,9", groceries="Apple,Plum", unjudged="7,Pear"))
    assert [need.right(photo(number, "x")) for number in (3, 5, 9, 7, 8)] == [True, True, True, None, False]
    assert [need.right(photo(None, "Anjou", name)) for name in ("Plum", "Pear", "Leek")] == [True, None, False]
    everything = Need.of(row(photos="3", unjudged="photos-1k,grocery"))
    assert [everything.right(photo(number, "x")) for number in (3, 4)] == [True, None]
    assert everything.right(photo(None, "Leek", "Leek")) is None


def test_what_does_not_fit_the_photos_is_told() -> None:
    photos = [photo(0, "hot dog"), photo(1, "cat"), photo(None, "Granny-Smith", "Apple"), photo(captions=("A red kite",))]
    needs = [
        Need.of(row(key="few", photos="0,1", groceries="Apples")),
        Need.of(row(key="there", kind="absent", topic="", captions="granny smith")),
        Need.of(row(key="gone", kind="absent", topic="", captions="dogs")),
    ]
    told = ["few: 2 right photos", "few: nothing is named Apples", "there: said to be absent, but there is 'Granny-Smith'"]
    assert faults(needs, photos) == told


def test_qualities_are_what_their_definitions_say() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        gains = rng.random(rng.integers(1, 30)) < rng.random()
        right = int(gains.sum() + rng.integers(0, 15)) or 1
        slow = 0.0
        for place in range(min(CUT, len(gains))):
            slow += gains[place] / np.log2(place + 2)
        ideal = sum(1 / np.log2(place + 2) for place in range(CUT) if place < right)
        found = quality(gains.tolist(), right)
        assert found.ndcg == pytest.approx(slow / ideal)
        assert found.precision == pytest.approx(gains[:CUT].sum() / CUT)
        assert found.best_precision == pytest.approx(min(right, CUT) / CUT)
        assert found.any == bool(gains[:ANY].any())
        assert found.first == (int(np.argmax(gains)) + 1 if gains.any() else None)
    assert quality([True] * CUT, 40).ndcg == pytest.approx(1)
    with pytest.raises(ValueError, match="nothing is right"):
        quality([False], 0)


def test_a_condensed_list_takes_no_more_pages_than_it_needs() -> None:
    pages = iter([[1, 2, 3], [4, 5, 6], [7]])
    assert condensed(pages, {2, 4}, least=3) == [1, 3, 5, 6]
    assert list(pages) == [[7]]
    assert condensed([[1, 2]], {1}, least=3) == [2]


def test_agreement_is_that_of_the_two_rankings_that_share_the_fewest() -> None:
    assert agreement([[1, 2, 3], [3, 2, 1], [1, 2, 4]]) == 2
    assert agreement([list(range(CUT)), [*range(1, CUT), 77, 0]]) == CUT - 1  # what comes behind the first ten is not looked at


def test_there_are_thirteen_ways_to_type_a_noun() -> None:
    nouns = read_nouns()
    assert len(nouns) > 40
    assert nouns[0].english == (
        *("dog", "dogs", "Dog", "a dog", "a dog.", "dog!", "my dog"),
        *("a photo of a dog", "picture of dogs"),
    )
    assert nouns[0].chinese == ("狗", "狗。", "一只狗", "狗的照片")
    for noun in nouns:
        assert noun.noun.isascii(), noun
        assert noun.plural.isascii(), noun
        assert HAN.fullmatch(noun.measure), noun
        assert "an " not in noun.english[3] or noun.noun[0] in "aeiou", noun


@dataclass
class Ranked:
    """A library of numbered photos whose every search finds them in one order; the even ones are marked likely."""

    order: list[int]
    asked: list[tuple[int, str | None]] = field(default_factory=list)

    def search(self, query: str, *, n: int, cursor: str | None = None) -> list[Any]:
        self.asked.append((n, cursor))
        at = 0 if cursor is None else int(cursor)
        numbered = enumerate(self.order[at : at + n], start=at + 1)
        return [
            SimpleNamespace(path=f"{number}-p.jpg", likely=number % 2 == 0, cursor=str(place)) for place, number in numbered
        ]


def test_photos_that_are_not_judged_are_shown_but_passed_over_in_the_scores() -> None:
    library = Ranked(list(range(200)))
    mixed: Any = SimpleNamespace(library=library, number=lambda path: int(path.split("-")[0]))
    need = Need.of(row(photos="0"))
    found = answer(mixed, need, "zh", Judgement(frozenset({14, 16, 17}), frozenset(range(13)) | {15}))
    assert found.query == "狗"
    assert found.shown == list(range(SHOWN))
    assert found.right == [None] * 13 + [False, True]
    assert found.likely == [True, False] * 7 + [True]
    assert library.asked == [(SHOWN, None), (PAGE, str(SHOWN))]
    assert found.quality == quality([False, True, True, True], 3)  # 13, 14, 16, 17
