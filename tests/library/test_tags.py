"""Tags: by hand, by rule, and what becomes of them."""

import shutil
import sqlite3
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError, NoLibrary
from seesay.library import Filters, Library, tags
from seesay.library.storage.schema import MIGRATIONS
from seesay.model import Model
from seesay.tasks.labels import Label
from seesay.tasks.prompts import label_embeddings
from tests.conftest import Paint


@pytest.fixture
def library(tmp_path: Path, fake: Model, paint: Paint) -> Library:
    for name in ("a/red", "a/blue", "b/green", "b/yellow"):
        paint(f"{name}.png", name[2:])
    made = Library(tmp_path / "library", fake)
    made.index(tmp_path / "pictures")
    return made


def tagged(library: Library, *names: str) -> set[str]:
    return {Path(hit.path).stem for hit in library.search("x", filters=Filters(tag=names))}


def test_by_hand(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    assert library.tags.add("  summer   2024 ", folder / "a", folder / "b" / "green.png") == 3
    assert library.tags.add("summer 2024", folder / "a") == 0
    assert library.tags.add("海边", folder / "a" / "red.png") == 1
    assert library.tags.counts() == {"summer 2024": 3, "海边": 1}
    assert tagged(library, "SUMMER 2024") == {"red", "blue", "green"}
    assert tagged(library, "summer 2024", "海边") == {"red"}
    (hit,) = library.search("x", filters=Filters(tag="海边"))
    assert hit.tags == ("summer 2024", "海边")
    assert hit.to_json()["tags"] == ["summer 2024", "海边"]
    assert library.tags.remove("summer 2024", folder / "a" / "red.png") == 1
    assert tagged(library, "summer 2024") == {"blue", "green"}
    assert library.tags.remove("summer 2024") == 2
    assert library.tags.counts() == {"海边": 1}


def test_a_tag_goes_where_the_picture_goes(library: Library, tmp_path: Path, paint: Paint) -> None:
    folder = tmp_path / "pictures"
    library.tags.add("kept", folder / "a" / "red.png")
    shutil.move(folder / "a" / "red.png", folder / "b" / "moved.png")
    library.index()
    assert tagged(library, "kept") == {"moved"}
    paint("b/moved.png", "black")
    library.index()
    assert tagged(library, "kept") == {"moved"}
    (folder / "b" / "moved.png").unlink()
    library.index()
    assert library.tags.counts() == {}


@pytest.fixture
def few_phrases(library: Library, fake: Model, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Random vectors fit some of 911 phrases better than any label."""
    phrases = fake.encode_text(["one", "two", "three"])
    monkeypatch.setattr("seesay.library.session.read_or_encode_phrases", lambda model: phrases)
    monkeypatch.setattr("seesay.library.session.neutral_phrases", lambda: ("one", "two", "three"))
    (stored,) = (library.path / "vectors").glob("*/background-*.npz")
    stored.unlink()
    library._cache.backgrounds.clear()
    return phrases


def test_by_rule_is_the_softmax_over_labels_and_none_of_these(
    library: Library, fake: Model, few_phrases: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "CHUNK", 3)
    names = ["warm", "cold"]
    texts = label_embeddings(fake, names, None)
    found = library.tags.by_rule(names, least=0.01, dry_run=True)
    assert library.tags.counts() == {}
    expected: dict[str, dict[str, float]] = {name: {} for name in names}
    for path in library.path.parent.rglob("*.png"):
        vector = fake.encode_image(path)[0]
        cosines = [*(texts @ vector), np.mean(few_phrases @ vector)]
        shares = np.exp(fake.scale * np.array(cosines, dtype=np.float64))
        if (best := int(shares.argmax())) < len(names):
            expected[names[best]][path.stem] = float(shares[best] / shares.sum())
    assert 0 < sum(map(len, expected.values())) < 4
    for name, some in found.items():
        assert {Path(each.path).stem: each.probability for each in some} == pytest.approx(expected[name], abs=1e-3)
        assert [each.probability for each in some] == sorted((each.probability for each in some), reverse=True)


@pytest.mark.usefixtures("few_phrases")
def test_a_rule_may_know_a_tag_by_several_names(library: Library, fake: Model) -> None:
    given = [["colour", "red", "blue"], "cold"]
    found = library.tags.by_rule(given, least=0.01, dry_run=True)
    assert list(found) == ["colour", "cold"]
    assert found != library.tags.by_rule(["colour", "cold"], least=0.01, dry_run=True)
    again = library.tags.by_rule([Label("colour", ("colour", "red", "blue")), "cold"], least=0.01)
    assert again == found
    assert library.tags.counts() == {name: len(some) for name, some in found.items() if some}


def test_by_rule_takes_the_models_own_sigmoid(library: Library, fake: Model, few_phrases: np.ndarray) -> None:
    """Where a model was trained with the sigmoid loss, a label's probability does not depend on the other labels."""
    names = ["warm", "cold"]
    softmax = library.tags.by_rule(names, least=0.01, dry_run=True)
    fake.config = replace(fake.config, score="sigmoid", logit_bias=-2.0)
    texts = label_embeddings(fake, names, None)
    found = library.tags.by_rule(names, least=0.01, dry_run=True)
    assert found != softmax
    assert {name: {each.path for each in some} for name, some in found.items()} == {
        name: {each.path for each in some} for name, some in softmax.items()
    }
    for name, text in zip(names, texts, strict=True):
        for each in found[name]:
            logit = fake.scale * float(fake.encode_image(each.path)[0] @ text) - 2.0
            assert each.probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-3)


@pytest.mark.usefixtures("few_phrases")
def test_a_rule_again_replaces_itself_and_not_what_was_done_by_hand(library: Library) -> None:
    names = ["warm", "cold"]
    first = library.tags.by_rule(names, least=0.01)
    assert library.tags.counts() == {name: len(some) for name, some in first.items() if some}
    given = {each.path for some in first.values() for each in some}
    other = next(path for path in library.path.parent.rglob("*.png") if str(path) not in given)
    library.tags.add("warm", other)
    library.tags.by_rule(names, least=1.0)
    assert library.tags.counts() == {"warm": 1}
    inside = library.tags.by_rule(names, least=0.01, filters=Filters(under=other.parent))
    assert {Path(each.path).parent for some in inside.values() for each in some} <= {other.parent}


def test_words_that_fit_and_none_of_these(bundled: Model, photos: list[Path], tmp_path: Path) -> None:
    library = Library(tmp_path / "library", bundled)
    library.index(*photos)
    found = library.tags.by_rule(["pizza", "a giraffe"])
    assert {Path(each.path).name for each in found["pizza"]} >= {"pizza-2.jpg"}
    assert len(found["pizza"]) <= 3
    assert found["a giraffe"] == []


def test_bad_input(library: Library, fake: Model, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for call, message in (
        (lambda: library.tags.add(" ", folder), "a tag is a word"),
        (lambda: library.tags.add("x\x00y", folder), "a tag is a word"),
        (lambda: library.tags.add("x" * 101, folder), "at most 100"),
        (lambda: library.tags.add("x", folder / "none"), "holds no picture there"),
        (lambda: library.tags.by_rule([]), "at least one label"),
        (lambda: library.tags.by_rule(["x"], least=0), "more than 0"),
        (lambda: Filters(tag=""), "tag: expected a name"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    with pytest.raises(NoLibrary):
        Library(tmp_path / "other", fake).tags.add("x", folder)


WITHOUT_NAMES = """DROP TABLE regions; DROP TABLE excluded; DROP INDEX files_by_key; DROP INDEX files_by_folder;
    ALTER TABLE files DROP COLUMN key; ALTER TABLE files DROP COLUMN folder_id; DROP TABLE folders;
    ALTER TABLE contents DROP COLUMN reader; ALTER TABLE failures DROP COLUMN reader; DROP TABLE skipped;"""  # version 3


def test_a_library_of_the_first_version_is_brought_up_to_date(library: Library, tmp_path: Path, fake: Model) -> None:
    file = tmp_path / "library" / "library.db"
    library.close()
    with sqlite3.connect(file) as db:
        db.executescript(WITHOUT_NAMES)
        db.execute("DROP TABLE tags")
        db.execute("DROP TABLE kept_tags")
        for index in ("contents_by_date", "contents_by_place", "contents_by_camera"):
            db.execute(f"DROP INDEX {index}")
        db.execute("ALTER TABLE contents DROP COLUMN waves")
        db.execute("PRAGMA user_version = 1")
    db.close()
    opened = Library(tmp_path / "library", fake)
    assert len(opened.search("x")) == 4
    assert opened.tags.add("kept", tmp_path / "pictures") == 4
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.close()


def test_tags_of_the_second_version_are_kept(library: Library, tmp_path: Path, fake: Model) -> None:
    file = tmp_path / "library" / "library.db"
    library.close()
    with sqlite3.connect(file) as db:
        db.executescript(WITHOUT_NAMES)
        db.executescript(
            """DROP TABLE tags; DROP TABLE kept_tags; PRAGMA user_version = 2;
               CREATE TABLE tags (
                   content_id INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE, tag TEXT NOT NULL COLLATE NOCASE,
                   probability REAL, PRIMARY KEY (content_id, tag)
               ) WITHOUT ROWID;
               CREATE INDEX tags_by_tag ON tags (tag);"""
        )
        db.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(1, "ÉTÉ", 0.9), (1, "été", None), (2, "Receipt", 0.6)])
    db.close()
    opened = Library(tmp_path / "library", fake)
    assert opened.tags.counts() == {"Receipt": 1, "été": 1}
    opened.tags.by_rule(["été"], least=1.0)
    assert opened.tags.counts() == {"Receipt": 1, "été": 1}, "the one by hand was kept of two"


def test_tags_by_hand_stay_with_their_picture_when_files_are_renumbered(library: Library, tmp_path: Path, paint: Paint) -> None:
    for number in range(6):
        paint(f"c/{number}.png", "red")
    folder = tmp_path / "pictures" / "c"
    library.index()
    library.tags.add("kept", folder / "3.png")
    for number in reversed(range(6)):
        (folder / f"{number}.png").rename(folder / f"{number + 1}.png")
    library.index()
    assert tagged(library, "kept") == {"4"}
    (folder / "4.png").rename(folder / "aside")
    (folder / "5.png").rename(folder / "4.png")
    (folder / "aside").rename(folder / "5.png")
    library.index()
    assert tagged(library, "kept") == {"5"}
    shutil.copy(folder / "1.png", folder / "5.png")
    library.index()
    assert library.tags.counts() == {}


@pytest.mark.parametrize("how", ["unreadable", "another root", "out and back", "forgotten"])
def test_tags_by_hand_outlive_their_content(library: Library, tmp_path: Path, paint: Paint, how: str) -> None:
    red, other = tmp_path / "pictures" / "a" / "red.png", tmp_path / "other"
    library.tags.add("Kept", red)
    library.tags.by_rule(["warm"], least=0.01)
    if how == "unreadable":
        whole = red.read_bytes()
        red.write_bytes(whole[:40])
        assert library.index().failed
        assert library.tags.counts().get("Kept") is None
        red.write_bytes(whole)
        library.index()
    elif how == "another root":
        other.mkdir()
        shutil.move(red, other / "red.png")
        library.index()
        library.index(other)
    elif how == "out and back":
        red.rename(tmp_path / "red.png")
        library.index()
        (tmp_path / "red.png").rename(red)
        library.index()
    else:
        library.forget(red.parent)
        library.index(red.parent)
    assert library.tags.counts()["Kept"] == 1
    assert tagged(library, "kept") == {"red"}
    assert library.stats()["spaces"][0]["vectors"] == {"image": 4}


def test_a_tag_taken_from_all_pictures_does_not_come_back(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "pictures" / "a"
    library.tags.add("Gone", folder)
    library.forget(folder)
    assert library.tags.remove("gone") == 0
    library.index(folder)
    assert library.tags.counts() == {}


@pytest.mark.parametrize(
    "said", ["été  à la mer", "ÉTÉ À LA MER", unicodedata.normalize("NFD", " Été à la mer"), "été\tà la mer"]
)
def test_a_tag_is_the_same_in_any_case_form_and_spacing(library: Library, tmp_path: Path, said: str) -> None:
    folder = tmp_path / "pictures"
    library.tags.add("Été à la mer", folder / "a")
    assert tagged(library, said) == {"red", "blue"}
    assert library.tags.add(said, folder) == 2
    assert library.tags.counts().popitem()[1] == 4
    assert library.tags.remove(said, folder) == 4


@pytest.mark.usefixtures("few_phrases")
def test_a_rule_for_a_folder_leaves_its_tags_elsewhere(library: Library, tmp_path: Path) -> None:
    (given,) = {Path(each.path).parent for each in library.tags.by_rule(["warm"], least=0.01)["warm"]}
    (other,) = {tmp_path / "pictures" / "a", tmp_path / "pictures" / "b"} - {given}
    before = library.tags.counts()
    library.tags.by_rule(["warm"], least=1.0, filters=Filters(under=other))
    assert library.tags.counts() == before
    library.tags.by_rule(["warm"], least=1.0, filters=Filters(under=given))
    assert library.tags.counts() == {}


@pytest.mark.usefixtures("few_phrases")
def test_equal_labels_are_one(library: Library) -> None:
    once = library.tags.by_rule(["dog", "cold"], least=0.01, dry_run=True)
    assert library.tags.by_rule(["dog", "cold", "DOG", " dog"], least=0.01, dry_run=True) == once


def test_a_rule_without_pictures_says_that_there_are_none(library: Library, tmp_path: Path, fake: Model) -> None:
    with pytest.raises(InputError, match="nowhere: the library holds no picture there"):
        library.tags.by_rule(["dog"], filters=Filters(under=tmp_path / "nowhere"))
    (tmp_path / "texts.txt").write_text("a dog")
    only_texts = Library(tmp_path / "other", fake)
    only_texts.index(tmp_path / "texts.txt")
    with pytest.raises(InputError, match="the library holds no picture; index some first"):
        only_texts.tags.by_rule(["dog"])


def test_a_rule_needs_nothing_of_an_earlier_run(library: Library, tmp_path: Path) -> None:
    before = library.tags.by_rule(["warm"], least=0.01, dry_run=True)
    (stored,) = (tmp_path / "library" / "vectors").glob("*/background-*.npz")
    stored.unlink()
    assert Library(library.path, library.model).tags.by_rule(["warm"], least=0.01, dry_run=True) == before
