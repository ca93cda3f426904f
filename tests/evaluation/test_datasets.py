import json
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError
from seesay.evaluation.datasets import read_captions, read_labels, with_same_names

CAPTIONS = """image\tsplit\tlang\ttext
a.jpg\tval\ten\ta dog
b.jpg\tval\ten\ta cat
a.jpg\tval\tzh\t一只狗
a.jpg\tval\ten\tthe dog
c.jpg\ttest\tzh\t一辆车
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_captions_belong_to_their_picture_wherever_their_row_stands(tmp_path: Path) -> None:
    table = write(tmp_path / "t.tsv", CAPTIONS)
    found = read_captions(table, split="val")
    assert found.images == (tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert found.texts == ("a dog", "a cat", "the dog")
    assert found.owner.tolist() == [0, 1, 0]
    assert (found.language, found.split) == ("en", "val")
    assert "2 languages; those in en are used (--lang zh)" in found.notes[0]
    everything = read_captions(table, language="zh")
    assert (everything.texts, everything.notes) == (("一只狗", "一辆车"), ())


def test_only_renumbers_what_is_left(tmp_path: Path) -> None:
    found = read_captions(write(tmp_path / "t.tsv", CAPTIONS), split="val")
    left = found.only(np.array([1]))
    assert (left.images, left.texts, left.owner.tolist()) == ((tmp_path / "b.jpg",), ("a cat",), [0])


def test_the_only_language_needs_no_word(tmp_path: Path) -> None:
    found = read_captions(write(tmp_path / "t.tsv", "image\tlang\tcaption\na\tzh\t狗\n"))
    assert (found.texts, found.language, found.notes) == (("狗",), "zh", ())
    plain = read_captions(write(tmp_path / "u.csv", "image,text\na,dog\n"), language="en", split="test")
    assert len(plain.notes) == 2
    assert plain.texts == ("dog",)


def test_json_lines_may_hold_a_list_of_texts(tmp_path: Path) -> None:
    rows = [{"image": "a", "texts": ["one", "two"]}, {"image": "b", "texts": ["three"]}]
    found = read_captions(write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows))))
    assert (found.texts, found.owner.tolist()) == (("one", "two", "three"), [0, 0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "fr"}, "no rows whose lang is 'fr'; there are 'en', 'zh'"),
        ({"split": "train"}, "no rows whose split is 'train'; there are 'val', 'test'"),
        ({"language": "en", "split": "test"}, "lang is 'en'; there are 'zh'"),
    ],
)
def test_a_wrong_choice_names_what_is_there(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_captions(write(tmp_path / "t.tsv", CAPTIONS), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["image\tlabel\na\tb\n", "image\ttext\na\t \n"])
def test_a_table_without_texts_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"expected a column text or caption|empty text"):
        read_captions(write(tmp_path / "t.tsv", text))


def test_labels_are_names_with_spaces(tmp_path: Path) -> None:
    found = read_labels(write(tmp_path / "t.tsv", "image\tlabel\na\tsea_lion\nb\tcat\nc\tsea_lion\na\tsea_lion\n"))
    assert found.names == ("cat", "sea lion")
    assert found.labels.tolist() == [1, 0, 1]


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"image": str(i), "fine": label}) + "\n" for i, label in enumerate([10, 2, 2.0, 0]))
    found = read_labels(write(tmp_path / "t.jsonl", rows), column="fine")
    assert (found.names, found.labels.tolist()) == (("0", "2", "10"), [2, 1, 1, 0])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("n.txt", "apple\npear\nplum\n"),
        ("n.json", '["apple", "pear", "plum"]'),
        ("n.json", '{"0": "apple", "1": "pear", "2": "plum"}'),
        ("n.tsv", "label\tname\n0\tapple\n1\tpear\n2\tplum\n"),
        ("n.csv", "label,name\n0,apple\n1,pear\n2,plum\n"),
    ],
)
def test_names_of_numbers_come_from_any_kind_of_file(tmp_path: Path, name: str, content: str) -> None:
    table = write(tmp_path / "t.tsv", "image\tlabel\na\t2\nb\t0\n")
    found = read_labels(table, names=write(tmp_path / name, content))
    assert found.names == ("apple", "pear", "plum"), "also the one that no picture has"
    assert found.labels.tolist() == [2, 0]


def test_a_list_of_names_holds_the_candidates_of_labels_that_are_names(tmp_path: Path) -> None:
    table = write(tmp_path / "t.tsv", "image\tlabel\na\tsea_lion\nb\tcat\n")
    found = read_labels(table, names=write(tmp_path / "n.txt", "dog\ncat\nsea lion\n"))
    assert (found.names, found.labels.tolist()) == (("dog", "cat", "sea lion"), [2, 1])


@pytest.mark.parametrize(
    ("labels", "name", "content", "message"),
    [
        ("x", "n.txt", "y\nz\n", "has no name 'x'; it has 'y', 'z'"),
        ("3", "n.txt", "y\nz\n", "for the labels 0 to 1, and none for '3'; where labels do not count from 0"),
        ("x", "n.json", '{"y": "Y"}', "names no class for 'x'; it names 'y'"),
        ("x", "n.json", "[1]", "expected a list of names"),
        ("x", "n.json", "{", "is not JSON"),
        ("x", "n.txt", "x\n\nx\n", "an empty one"),
        ("x", "n.txt", "x\nx\n", "has 'x' twice"),
        ("x", "n.txt", "", "got none"),
        ("x", "n.tsv", "a\tb\n0\t1\n", "expected a column label"),
        ("x", "n.tsv", "label\tname\n0\ta\n0\tb\n", "label 0 has two names"),
        ("x", "n.xml", "", "expected names of classes in"),
    ],
)
def test_names_that_do_not_fit_are_refused(tmp_path: Path, labels: str, name: str, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labels(write(tmp_path / "t.tsv", f"image\tlabel\na\t{labels}\n"), names=write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a\tx\na\ty\n", "a has the labels 'x' and 'y'; one is expected"),
        ("a\t\n", "a has an empty label"),
        ("a\tb c\nd\tb_c\n", "spells 'b c' with a space and with an underscore"),
    ],
)
def test_labels_that_cannot_be_counted_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labels(write(tmp_path / "t.tsv", "image\tlabel\n" + rows))


def test_two_tables_share_one_list_of_names(tmp_path: Path) -> None:
    first = read_labels(write(tmp_path / "a.tsv", "image\tlabel\na\tx\nb\tz\n"))
    second = read_labels(write(tmp_path / "b.tsv", "image\tlabel\na\ty\nb\tz\n"))
    one, two = with_same_names(first, second)
    assert one.names == two.names == ("x", "z", "y")
    assert (one.labels.tolist(), two.labels.tolist()) == ([0, 1], [2, 1])
