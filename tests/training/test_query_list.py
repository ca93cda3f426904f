"""Lists of queries: frequent words, pairs by mutual information, Chinese words without a dictionary, and names."""

import math
import random
from collections import Counter
from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.training.curation.counts import BoundedCounts
from seesay.training.curation.query_list import Vocabulary, make_query_list

NOUNS = ("dog", "cat", "bird", "horse", "boat", "tree", "house", "child")
PLACES = ("grass", "snow", "water", "sand", "street", "field")


@pytest.fixture
def captions() -> list[str]:
    draw = random.Random(1)
    texts = [f"a {draw.choice(NOUNS)} on the {draw.choice(PLACES)}" for _ in range(400)]
    texts += [f"a golden retriever, and a {draw.choice(NOUNS)}." for _ in range(12)]
    texts += [f"the golden {draw.choice(NOUNS)}" for _ in range(6)]
    return texts


def write(file: Path, texts: list[str]) -> Path:
    file.write_text("\n".join(["text", *texts]) + "\n", encoding="utf-8")
    return file


def test_frequent_words_are_queries_and_rare_ones_are_not(tmp_path: Path, captions: list[str]) -> None:
    captions.append("one zyzzyva")
    made = make_query_list([write(tmp_path / "in.tsv", captions)], least=5)
    counts = Counter(word for text in captions for word in text.replace(",", " ,").replace(".", " .").split())
    expected = {word for word, count in counts.items() if count >= 5 and word.isalpha()}
    assert set(made.queries[: made.words]) == expected
    assert made.queries[0] == counts.most_common(1)[0][0]
    assert (made.captions, made.least, made.missing) == (len(captions), 5, 0)


def test_neighbours_that_belong_together_are_queries_by_their_mutual_information(captions: list[str]) -> None:
    vocabulary = Vocabulary()
    vocabulary.add(captions)
    words, pairs = vocabulary.words, vocabulary.pairs
    pmi = math.log2(pairs["golden retriever"] * sum(words.values()) / (words["golden"] * words["retriever"]))
    assert "golden retriever" in vocabulary.collocations(5, pmi - 0.01)
    assert "golden retriever" not in vocabulary.collocations(5, pmi + 0.01)
    assert vocabulary.collocations(5, 4.0)[0] == "golden retriever"
    assert "retriever and" not in pairs  # a comma parts them


def test_chinese_words_are_found_without_a_dictionary() -> None:
    draw = random.Random(2)
    words = {"A": ("小狗", "骆驼", "蝴蝶"), "V": ("奔跑", "休息", "徘徊"), "P": ("草地", "沙滩", "公园")}
    forms = ("A在P上V", "P上的A", "V的A和A", "A从P来", "A向P走", "一A到P", "看A", "A")
    vocabulary = Vocabulary()
    texts = ("".join(draw.choice(words[c]) if c in words else c for c in draw.choice(forms)) for _ in range(800))
    vocabulary.add(texts)
    found = vocabulary.chinese_words(5, 2.0)
    assert {"小狗", "骆驼", "蝴蝶", "草地", "沙滩", "公园"} <= set(found)
    assert not {"驼在", "在草", "狗在", "上奔", "的骆", "滩上"} & set(found)  # they cut through words
    assert "在" in found


def test_names_come_first_and_the_list_has_an_end(tmp_path: Path, captions: list[str]) -> None:
    (tmp_path / "titles.txt").write_text("Golden_Gate_Bridge\n红楼梦\ndog\n", encoding="utf-8")
    made = make_query_list([write(tmp_path / "in.tsv", captions)], names=[tmp_path / "titles.txt"], least=5)
    assert made.queries[:3] == ("Golden Gate Bridge", "红楼梦", "dog")
    assert (made.names, made.chinese) == (3, 1)
    assert len(made.queries) == len(set(made.queries)) == made.names + made.words + made.pairs
    few = make_query_list([tmp_path / "in.tsv"], names=[tmp_path / "titles.txt"], least=5, most=5)
    assert few.queries == made.queries[:5]
    lower = make_query_list([tmp_path / "in.tsv"], names=[tmp_path / "titles.txt"], least=5, lower=True)
    assert lower.queries[0] == "golden gate bridge"


def test_a_word_needs_fewer_occurrences_in_a_small_collection() -> None:
    vocabulary = Vocabulary()
    for words, least in ((1000, 5), (20_000_000, 20), (3_000_000_000, 100)):
        vocabulary.all_words = words
        assert vocabulary.least() == least


def test_bounded_counts_are_too_low_by_no_more_than_they_say() -> None:
    draw = random.Random(3)
    things = [f"t{int(draw.paretovariate(0.7)) % 5000}" for _ in range(60_000)]
    exact, bounded = Counter(things), BoundedCounts(500)
    for at in range(0, len(things), 1000):
        bounded.add(things[at : at + 1000])
    assert len(bounded) <= 500
    assert 0 < bounded.missing < 1000
    for thing, count in exact.items():
        assert count - bounded.missing <= bounded[thing] <= count
    everything = BoundedCounts(10_000)
    everything.add(things)
    assert everything == exact
    assert everything.missing == 0


def test_wrong_numbers_and_files_are_refused(tmp_path: Path, captions: list[str]) -> None:
    table = write(tmp_path / "in.tsv", captions)
    with pytest.raises(InputError, match="most of at least 1, got 0"):
        make_query_list([table], most=0)
    with pytest.raises(InputError, match="least of at least 1, got 0"):
        make_query_list([table], least=0)
    with pytest.raises(InputError, match="cannot be read"):
        make_query_list([table], names=[tmp_path / "absent.txt"])
    with pytest.raises(InputError, match="expected a column 'words', got text"):
        make_query_list([table], column="words")
