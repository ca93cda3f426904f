"""The grammar of queries: what is read, what is written back, and where faults are pointed at."""

import random
import re
import string
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

import pytest

from seesay.errors import InputError
from seesay.library.search.query import Part, Query

HASH = "0123456789ab"


LETTERS = [*"abZ05９é狗。:：.,/’!", *"+＋-－−–*＊×", *'"“”„＂「」『』«»‘\\', *"  \t\u3000\u2003"]


class Rule(NamedTuple):
    """What the grammar says of some place in a sentence: the regular expression of it, and a way to make one up."""

    pattern: str
    make: Callable[[random.Random], str]


class Grammar:
    """A grammar without recursion; `A - B` is an A at whose beginning there is no B."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        self.rules = dict(re.findall(r"^(\w+) *::=((?:.*\n(?!\w))*.*)", text, flags=re.MULTILINE))

    def rule(self, name: str) -> Rule:
        return self.either(re.findall(r""""[^"]*"|'[^']*'|\[[^]]*\]|\w+|[()|?*+-]""", self.rules[name]))

    def either(self, lexemes: list[str]) -> Rule:
        some = [self.difference(lexemes)]
        while lexemes[:1] == ["|"]:
            lexemes.pop(0)
            some.append(self.difference(lexemes))
        return Rule(f"(?:{'|'.join(one.pattern for one in some)})", lambda rng: rng.choice(some).make(rng))

    def difference(self, lexemes: list[str]) -> Rule:
        whole = self.sequence(lexemes)
        if lexemes[:1] != ["-"]:
            return whole
        lexemes.pop(0)
        pattern = f"(?!{self.sequence(lexemes).pattern}){whole.pattern}"
        return Rule(pattern, lambda rng: next(made for made in iter(lambda: whole.make(rng), None) if re.match(pattern, made)))

    def sequence(self, lexemes: list[str]) -> Rule:
        some: list[Rule] = []
        while lexemes and lexemes[0] not in ("|", "-", ")"):
            lexeme = lexemes.pop(0)
            some.append(repeated(some.pop(), lexeme) if lexeme in "?*+" else self.one(lexeme, lexemes))
        return Rule("".join(one.pattern for one in some), lambda rng: "".join(one.make(rng) for one in some))

    def one(self, lexeme: str, lexemes: list[str]) -> Rule:
        if lexeme == "(":
            inner = self.either(lexemes)
            assert lexemes.pop(0) == ")"
            return inner
        if lexeme[0] in "\"'":
            return Rule(re.escape(lexeme[1:-1]), lambda rng: lexeme[1:-1])
        if lexeme[0] != "[":
            return self.rule(lexeme)
        letters = re.sub("#x([0-9A-F]+)", lambda found: f"\\U{int(found[1], 16):08x}", lexeme.replace("\\", "\\\\"))
        pool = [letter for letter in [*LETTERS, *string.ascii_letters] if re.match(letters, letter)]
        return Rule(letters, lambda rng: rng.choice(pool))


def repeated(rule: Rule, sign: str) -> Rule:
    least, most = {"?": (0, 1), "*": (0, 3), "+": (1, 3)}[sign]
    return Rule(f"(?:{rule.pattern}){sign}", lambda rng: "".join(rule.make(rng) for _ in range(rng.randint(least, most))))


QUERY = Grammar(files("seesay").joinpath("library/search/query.ebnf").read_text(encoding="utf-8")).rule("query")
SENTENCE = re.compile(QUERY.pattern)


def test_every_sentence_of_the_grammar_is_read_and_written_back() -> None:
    rng, read = random.Random(0), 0
    for _ in range(8000):
        sentence = QUERY.make(rng)
        if not SENTENCE.fullmatch(sentence):  # a part that was made alone may see in the next what it must not have ahead
            continue
        read += 1
        query = Query.parse(sentence)
        assert Query.parse(str(query)) == query, sentence
        assert SENTENCE.fullmatch(str(query)), sentence
    assert read > 5000


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
        ("＂dog - cat＂ + snow", [("words", "dog - cat", 1), ("words", "snow", 1)]),
        ("『狗 - 猫』 + «snow - ice»", [("words", "狗 - 猫", 1), ("words", "snow - ice", 1)]),
        ("„Hund - Katze” - »Schnee«", [("words", "Hund - Katze", 1), ("words", "Schnee", -1)]),
        ("‘a dog’s toy - red’ - the dog’s", [("words", "a dog’s toy - red", 1), ("words", "the dog’s", -1)]),
        ("草地上的狗＋雪－人", [("words", "草地上的狗", 1), ("words", "雪", 1), ("words", "人", -1)]),
        ("photo:狗.jpg－０．５＊人", [("photo", "狗.jpg", 1), ("words", "人", -0.5)]),
        (f"like:{HASH}＋2×雪", [("like", HASH, 1), ("words", "雪", 2)]),
        ("dog – cat − snow −ice", [("words", "dog", 1), ("words", "cat", -1), ("words", "snow", -1), ("words", "ice", -1)]),
        ("2010–2020, a 4×4 – dust", [("words", "2010–2020, a 4×4", 1), ("words", "dust", -1)]),
        ("2:golden retriever", [("words", "2:golden retriever", 1)]),
        ("3 dogs", [("words", "3 dogs", 1)]),
        ('"3*x"', [("words", "3*x", 1)]),
        ("‘90s", [("words", "‘90s", 1)]),
        ("a ‘90s car - people", [("words", "a ‘90s car", 1), ("words", "people", -1)]),
        ("‘90s cars - people", [("words", "‘90s cars", 1), ("words", "people", -1)]),
        ("‘90s dogs’ toys", [("words", "‘90s dogs’ toys", 1)]),
        ("rock ‘n’ roll", [("words", "rock ‘n’ roll", 1)]),
        ("‘n’ roll", [("words", "‘n’ roll", 1)]),
        ("“dog", [("words", "“dog", 1)]),
        ("dog”", [("words", "dog”", 1)]),
        ("dog - “cat", [("words", "dog", 1), ("words", "“cat", -1)]),
        ("“golden retriever” on grass", [("words", "“golden retriever” on grass", 1)]),
        ("“dog” and “cat” - 2*“ice” cream", [("words", "“dog” and “cat”", 1), ("words", "“ice” cream", -2)]),
        ("“dog - cat” on grass - snow", [("words", "“dog - cat” on grass", 1), ("words", "snow", -1)]),
        ("“dog - cat”", [("words", "dog - cat", 1)]),
        ("‘复古’风格的街道", [("words", "‘复古’风格的街道", 1)]),
        ("「夜」的城市＋雪", [("words", "「夜」的城市", 1), ("words", "雪", 1)]),
        ("it’s a dog’s life", [("words", "it’s a dog’s life", 1)]),
        ("“ ”", [("words", "“ ”", 1)]),
    ],
)
def test_what_is_read(text: str, parts: list[tuple[str, str, float]] | None) -> None:
    if parts is None:
        with pytest.raises(InputError):
            Query.parse(text)
        return
    read = Query.parse(text)
    assert [(part.kind, part.value, part.weight) for part in read.parts] == parts
    assert Query.parse(str(read)) == read
    assert str(Query.parse(str(read))) == str(read)
    assert SENTENCE.fullmatch(text)


def test_words_alone_are_written_as_they_were() -> None:
    assert str(Query.parse("a dog on grass")) == "a dog on grass"
    assert Query.parse("a dog").words == "a dog"
    assert Query.parse("- a dog").words is None
    assert Query.parse("2*a dog").words is None


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
            assert Query.parse(str(query)) == query, str(query)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", None, "the query is empty"),
        ("   ", None, "the query is empty"),
        ("dog +", 5, "expected words, photo:FILE, name:NAME or like:ID here"),
        ("dog + - cat", 6, "expected words"),
        ('dog - "cat', 6, "this quotation mark has no end"),
        ('"dog" cat', 6, "expected + or - between two parts"),
        ("photo:./my pool.jpg", 11, "expected + or - between two parts"),
        ('photo:""', 0, "expected a file or URL after photo:"),
        ("dog + like:xyz", 6, "expected the id of a hit"),
        ("dog + 0*cat", 6, "expected a weight from 0.001 to 1000, got 0"),
        ("2*", 2, "expected words"),
        ("狗 + - 猫", 5, "expected words"),
        ("-- people", 1, "expected words"),
        ("2*-dog", 2, "expected words"),
        ('dog + " "', 6, "expected words in these quotation marks"),
        ("dog*0.5", 3, "expected one number before a part, as in 0.5*dog, got dog* here"),
        ("0,5*dog", 3, "got 0,5* here"),
        ("1e9*dog", 3, "got 1e9* here"),
        ("2*3*dog", 3, "got 3* here"),
        ('"dog"*0.5', 5, "got * here; words with * in them need quotation marks"),
        ("狗×0.5", 2, "got 狗× here"),
        ("“dog”*0.5", 5, "got * here; words with * in them need quotation marks"),
        ("“dog - cat” on 2*grass", 16, "got 2* here"),
    ],
)
def test_faults_are_pointed_at(text: str, place: int | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Query.parse(text)
    assert message in str(caught.value)
    if place is not None:
        *_, shown, pointer = str(caught.value).splitlines()
        assert shown == f"    {text}"
        assert pointer.index("^") == 4 + place
    assert not SENTENCE.fullmatch(text)


def test_a_fault_in_a_long_query_is_shown_with_what_is_around_it() -> None:
    with pytest.raises(InputError) as caught:
        Query.parse("a dog on grass " * 20 + '+ "snow" and ' + "草地上的马 " * 20)
    _, shown, pointer = str(caught.value).splitlines()
    assert shown == '    …grass a dog on grass + "snow" and 草地上的马 草地上的马 草地…'
    assert shown[pointer.index("^") :].startswith("and")
    with pytest.raises(InputError) as caught:
        Query.parse("草地上的马" * 20 + " + ")
    _, shown, pointer = str(caught.value).splitlines()
    assert shown.startswith("    …")
    assert len(pointer) - 1 == len(shown) + sum(letter in "草地上的马" for letter in shown), "two columns each"


def test_a_part_points_at_its_place() -> None:
    first, second = Query.parse("a dog - photo:x.jpg").parts
    assert first == Part("words", "a dog")
    assert str(second.fault("no such file")) == "no such file\n    a dog - photo:x.jpg\n            ^"
    assert str(Part("photo", "x.jpg").fault("no such file")) == "no such file"
