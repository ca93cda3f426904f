from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seesay.errors import InputError
from seesay.system.schema import from_json
from seesay.training.data.listed_source import ListedSource
from seesay.training.data.manifest import Manifest
from tests.training.tables import good, take, write_rows

SHARED_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def opened(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> ListedSource:
    write_rows(tmp_path / "t.jsonl", rows)
    return Manifest(path="t.jsonl", **options).open(tmp_path)


def bilingual(pictures: int) -> list[dict[str, Any]]:
    """Five English texts and one Chinese of every picture."""
    rows = [
        {"image": f"{i}.jpg", "lang": "en", "text": f"picture {i} text {k}", "split": "train"}
        for i in range(pictures)
        for k in range(5)
    ]
    return rows + [{"image": f"{i}.jpg", "lang": "zh", "text": f"图 {i}", "split": "val"} for i in range(pictures)]


def test_rows_of_one_picture_are_gathered_and_a_pass_holds_each_picture_once(tmp_path: Path) -> None:
    source = opened(tmp_path, bilingual(7))
    assert len(source) == 7
    everything = good(take(source, 21))
    for number in range(3):
        ids = [sample.image_id for sample in everything[7 * number : 7 * number + 7]]
        assert sorted(ids) == sorted(str(tmp_path / f"{i}.jpg") for i in range(7))
    assert everything[:7] != everything[7:14]
    assert all(Path(str(s.image)).stem in s.text for s in everything), "a text of another picture"


def test_all_holds_each_pair_once(tmp_path: Path) -> None:
    source = opened(tmp_path, bilingual(4), texts="all")
    assert len(source) == 24
    assert Counter((s.image_id, s.text) for s in good(take(source, 24))) == Counter((s.image_id, s.text) for s in source.once())


@pytest.mark.parametrize("texts", ["draw", "all"])
def test_once_is_every_pair_in_the_order_of_the_table(tmp_path: Path, texts: str) -> None:
    rows = [{"image": "b.jpg", "texts": [" two ", "one"]}, {"image": "a.jpg", "texts": ["three"]}]
    pairs = [(s.name, s.text) for s in opened(tmp_path, rows, texts=texts).once()]
    assert pairs == [(str(tmp_path / f"{name}.jpg"), text) for name, text in (("b", "two"), ("b", "one"), ("a", "three"))]


@SHARED_FOLDER
@given(start=st.integers(0, 40), seed=st.integers(0, 2**63), texts=st.sampled_from(["draw", "all"]))
def test_a_stream_begun_later_is_the_rest_of_the_stream(tmp_path: Path, start: int, seed: int, texts: str) -> None:
    source = opened(tmp_path, bilingual(3), texts=texts)
    assert take(source, 20, seed=seed, start=start) == take(source, start + 20, seed=seed)[start:]


def test_another_seed_is_another_order_and_the_same_seed_the_same(tmp_path: Path) -> None:
    source = opened(tmp_path, bilingual(20))
    assert take(source, 40, seed=1) == take(opened(tmp_path, bilingual(20)), 40, seed=1)
    assert take(source, 40, seed=1) != take(source, 40, seed=2)


@pytest.mark.parametrize(
    ("languages", "chinese"),
    [({}, 1 / 6), ({"en": 1, "zh": 1}, 1 / 2), ({"en": 1, "zh": 3}, 3 / 4), ({"zh": 2}, 1), ({"en": 1, "zh": 0}, 0)],
)
def test_languages_are_drawn_by_their_weights(tmp_path: Path, languages: dict[str, float], chinese: float) -> None:
    drawn = good(take(opened(tmp_path, bilingual(50), languages=languages), 4000, seed=3))
    assert sum("图" in s.text for s in drawn) / len(drawn) == pytest.approx(chinese, abs=0.025)


def test_texts_are_drawn_by_their_weights_within_a_language(tmp_path: Path) -> None:
    texts = [
        {"text": "rare", "lang": "en"},
        {"text": "often", "lang": "en", "weight": 3},
        {"text": "不", "lang": "zh", "weight": 9},
    ]
    rows = [{"image": f"{i}.jpg", "texts": [*texts, {"text": "never", "weight": 0}]} for i in range(10)]
    count = Counter(s.text for s in good(take(opened(tmp_path, rows, languages={"en": 2, "zh": 1}), 6000)))
    assert {text: n / 6000 for text, n in count.items()} == pytest.approx(
        {"rare": 1 / 6, "often": 1 / 2, "不": 1 / 3}, abs=0.025
    )


def test_a_picture_without_a_text_in_the_languages_is_skipped(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "text": "a", "lang": "en"}, {"image": "b.jpg", "text": "乙", "lang": "zh"}]
    source = opened(tmp_path, rows, languages={"zh": 1})
    assert (len(source), [s.text for s in source.once()]) == (1, ["乙"])


def test_columns_of_other_names_splits_labels_and_identities(tmp_path: Path) -> None:
    rows = [
        {"file": "a.jpg", "title": "a cat", "split": "train", "class": 3, "identity": "same"},
        {"file": "b.jpg", "title": "b cat", "split": "train", "class": "", "identity": "same"},
        {"file": "c.jpg", "title": "c", "split": "val", "class": "x"},
    ]
    columns = {"image_column": "file", "text_column": "title", "label_column": "class"}
    first, second = opened(tmp_path, rows, split="train", images="photos", **columns).once()
    assert (first.image, first.label, first.image_id) == (tmp_path / "photos" / "a.jpg", "3", "same")
    assert (second.label, second.image_id) == (None, "same")


def test_a_table_of_urls(tmp_path: Path) -> None:
    (sample,) = opened(tmp_path, [{"image": "https://me:secret@example.org/a.jpg", "text": "a"}]).once()
    assert sample.image == sample.image_id == "https://me:secret@example.org/a.jpg"
    assert "secret" not in sample.name


def test_tsv_and_parquet_give_the_same_samples(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"image": "a.jpg", "text": "a cat", "weight": "2", "lang": "en"},
        {"image": "a.jpg", "text": "猫", "weight": "", "lang": "zh"},
    ]
    (tmp_path / "t.tsv").write_text("image\ttext\tweight\tlang\na.jpg\ta cat\t2\ten\na.jpg\t猫\t\tzh\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    tsv, parquet = (Manifest(path=f"t.{kind}").open(tmp_path) for kind in ("tsv", "parquet"))
    assert take(tsv, 50) == take(parquet, 50)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"image": "a", "text": "b", "split": "train"}], {"split": "test"}, "expected the split 'test', got train. Name one"),
        ([{"image": "a", "text": "b"}], {"split": "test"}, "row 1: expected a column split, got image, text"),
        ([{"image": "a", "text": "b", "lang": "en"}], {"languages": {"de": 1}}, "expected the language 'de', got en"),
        ([{"image": "a", "text": "b"}], {"languages": {"de": 1}}, "got no languages"),
        (
            [{"image": "a", "text": "b"}, {"image": "a"}],
            {},
            r"row 2: expected a column with the text \(text, caption, texts\), got image",
        ),
        ([{"image": "a", "text": "  "}], {}, "row 1: expected a text, got '  '"),
        ([{"image": "a", "texts": ["b", {"lang": "en"}]}], {}, "row 1: expected a text, got None"),
        ([{"image": "a", "text": "b", "weight": "much"}], {}, "row 1: expected a weight of 0 or more, got 'much'"),
        ([{"image": "a", "text": "b", "weight": -1}], {}, "row 1: expected a weight of 0 or more, got -1"),
        ([{"image": "a", "text": "b", "weight": 0}], {}, "expected texts with a weight above 0, got none in 1 pictures"),
        ([{"image": "a", "text": "b", "lang": 3}], {}, "row 1: expected a language such as 'en', got 3"),
        ([{"image": "a", "text": "b"}], {"label_column": "class"}, "row 1: expected a column class"),
    ],
)
def test_a_table_that_does_not_fit_says_why(tmp_path: Path, rows: list[dict[str, Any]], options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        opened(tmp_path, rows, **options)


def test_read_from_a_recipe_with_every_fault(tmp_path: Path) -> None:
    assert from_json(Manifest, {"kind": "manifest", "path": "a.tsv", "weight": 2}, "r") == Manifest(path="a.tsv", weight=2.0)
    for bad, message in (({"weight": 0}, "a weight above 0, got 0.0"), ({"languages": {"en": -1}}, "weights of 0 or more")):
        with pytest.raises(InputError, match=message):
            from_json(Manifest, {"path": "a.tsv", **bad}, "r")
    with pytest.raises(InputError, match="a language with a weight above 0"):
        Manifest(path="a.tsv", languages={"en": 0})
