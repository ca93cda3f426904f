"""The grammar of queries: what is read, what is written back, and where faults are pointed at."""

import random

import pytest

from seesay.errors import InputError
from seesay.library.query import Part, Query

HASH = "0123456789ab"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a dog on grass", [("words", "a dog on grass", 1)]),
        ("  a   dog ", [("words", "a dog", 1)]),
        ("a black-and-white t-shirt", [("words", "a black-and-white t-shirt", 1)]),
        ("C++ on a screen", [("words", "C++ on a screen", 1)]),
        ("photo: a dog", [("words", "photo: a dog", 1)]),
        ("草地上的马", [("words", "草地上的马", 1)]),
        (
            '"beach sunset" + photo:./pool.jpg - people',
            [("words", "beach sunset", 1), ("photo", "./pool.jpg", 1), ("words", "people", -1)],
        ),
        (
            "beach sunset + photo:./pool.jpg -people",
            [("words", "beach sunset", 1), ("photo", "./pool.jpg", 1), ("words", "people", -1)],
        ),
        ('0.5*"oil painting"', [("words", "oil painting", 0.5)]),
        ("cat - 2 * oil painting", [("words", "cat", 1), ("words", "oil painting", -2)]),
        (".5*like:0123456789ab+x", None),
        (f"like:{HASH} + .5*like:{HASH}:12", [("like", HASH, 1), ("like", f"{HASH}:12", 0.5)]),
        ('photo:"my pool.jpg"', [("photo", "my pool.jpg", 1)]),
        ("photo:https://example.org/a-b+c.jpg", [("photo", "https://example.org/a-b+c.jpg", 1)]),
        ("- people", [("words", "people", -1)]),
        ("+ people", [("words", "people", 1)]),
        ("“海滩 日落” ＋ photo:泳池.jpg － 人", [("words", "海滩 日落", 1), ("photo", "泳池.jpg", 1), ("words", "人", -1)]),
        ("「夜」 - a dog 狗", [("words", "夜", 1), ("words", "a dog 狗", -1)]),
        (r'"say \"hi\" - or \\"', [("words", r'say "hi" - or \\'.replace("\\\\", "\\"), 1)]),
        ("3 dogs", [("words", "3 dogs", 1)]),
        ('"3*x"', [("words", "3*x", 1)]),
    ],
)
def test_what_is_read(text: str, parts: list[tuple[str, str, float]] | None) -> None:
    if parts is None:
        with pytest.raises(InputError):
            Query.of(text)
        return
    read = Query.of(text)
    assert [(part.what, part.value, part.weight) for part in read.parts] == parts
    assert Query.of(str(read)) == read
    assert str(Query.of(str(read))) == str(read)


def test_words_alone_are_written_as_they_were() -> None:
    assert str(Query.of("a dog on grass")) == "a dog on grass"
    assert Query.of("a dog").words == "a dog"
    assert Query.of("- a dog").words is None
    assert Query.of("2*a dog").words is None


def test_whatever_is_written_is_read_back() -> None:
    rng = random.Random(0)
    signs = ["-", "+", " - ", " + ", '"', "“", "”", "「", "\\", "*", "2*", "photo:", "like:", ":", "0.5", "－"]
    letters = [*"abé 狗。", *signs]
    for _ in range(3000):
        parts = []
        for _ in range(rng.randint(1, 4)):
            weight = rng.choice([1.0, -1.0, 0.5, -2.0, 0.001, -1000.0, rng.uniform(0.01, 9)])
            if rng.random() < 0.2:
                parts.append(Part("like", HASH + rng.choice(["", ":7"]), weight))
                continue
            value = "".join(rng.choice(letters) for _ in range(rng.randint(1, 9)))
            kind = rng.choice(["words", "photo"])
            value = " ".join(value.split()) if kind == "words" else value
            if value.strip():
                parts.append(Part(kind, value, weight))  # type: ignore[arg-type]
        if parts:
            query = Query(tuple(parts))
            assert Query.of(str(query)) == query, str(query)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", None, "the query is empty"),
        ("   ", None, "the query is empty"),
        ("dog +", 5, "expected words, photo:FILE or like:ID here"),
        ("dog + - cat", 6, "expected words"),
        ('dog - "cat', 6, "this quotation mark has no end"),
        ('"dog" cat', 6, "expected + or - between two parts"),
        ("photo:./my pool.jpg", 11, "expected + or - between two parts"),
        ('photo:""', 0, "expected a file or URL after photo:"),
        ("dog + like:xyz", 6, "expected the id of a hit"),
        ("dog + 0*cat", 6, "expected a weight from 0.001 to 1000, got 0"),
        ("2*", 0, "expected words"),
        ("狗 + - 猫", 5, "expected words"),
    ],
)
def test_faults_are_pointed_at(text: str, place: int | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Query.of(text)
    assert message in str(caught.value)
    if place is not None:
        *_, shown, pointer = str(caught.value).splitlines()
        assert shown == f"    {text}"
        assert pointer.index("^") == 4 + place
