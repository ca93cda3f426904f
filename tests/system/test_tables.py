import json
from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.system.tables import picture_of, read_table

ROWS = [{"image": "a.jpg", "text": 'two "dogs", running'}, {"image": "b.jpg", "text": "雪地"}]


def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    (tmp_path / "t.tsv").write_text("image\ttext\n" + "".join(f"{r['image']}\t{r['text']}\n" for r in ROWS), encoding="utf-8")
    (tmp_path / "t.csv").write_text(
        'image,text\na.jpg,"two ""dogs"", running"\nb.jpg,雪地\n', encoding="utf-8-sig"
    )  # as spreadsheets save it
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(r) + "\n\n" for r in ROWS), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    for name in ("t.tsv", "t.csv", "t.jsonl", "t.parquet"):
        assert read_table(tmp_path / name, ["image", "text"]) == ROWS, name


def test_csv_may_be_separated_by_semicolons(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('image;text\na.jpg;"one, two; three"\n', encoding="utf-8")
    assert read_table(tmp_path / "t.csv") == [{"image": "a.jpg", "text": "one, two; three"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", b"", "expected a table that ends in"),
        ("t.tsv", b"", "has no rows"),
        ("t.tsv", b"image\ttext\n", "has no rows"),
        ("t.tsv", b"picture\ttext\na\tb\n", "row 1: expected a column image, got picture, text"),
        ("t.tsv", b"image\ttext\na\tb\na\n", "line 3: expected 2 columns as in the header, got 1"),
        ("t.tsv", b"\xff\xfe\x00", "cannot be read"),
        ("t.jsonl", b'{"image": "a"}\nnonsense\n', "line 2 is not JSON"),
        ("t.jsonl", b"[1]\n", r"line 1: expected an object, got \[1\]"),
        ("t.jsonl", b'{"image": "a"}\n{"text": "b"}\n', "row 2: expected a column image"),
        ("t.parquet", b"nonsense", "is not a Parquet file"),
    ],
)
def test_a_bad_table_says_where(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / name, ["image"])
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_table(tmp_path / "absent.tsv")


def test_pictures_lie_in_images_beside_the_table_or_where_it_is_said(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    assert picture_of(table, "a.jpg") == tmp_path / "a.jpg"
    (tmp_path / "images").mkdir()
    assert picture_of(table, "a.jpg") == tmp_path / "images" / "a.jpg"
    assert picture_of(table, "a.jpg", tmp_path / "x") == tmp_path / "x" / "a.jpg"
    assert picture_of(table, "https://example.org/a.jpg") == "https://example.org/a.jpg"
