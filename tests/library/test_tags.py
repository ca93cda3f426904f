"""Tags: by hand, by rule, and what becomes of them."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import InputError, NoLibrary
from seesay.library import Filters, Library, tags
from seesay.library.relevance import Neutral
from seesay.library.schema import MIGRATIONS
from seesay.model import Model
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
def few_phrases(library: Library, fake: Model) -> np.ndarray:
    """Random vectors fit one of 911 phrases better than any label."""
    (folder,) = (library.path / "vectors").iterdir()
    phrases = fake.encode_text(["one", "two", "three"])
    Neutral(phrases, np.zeros(3, dtype=np.float32), 4).write(folder)
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
        cosines = [*(texts @ vector), np.quantile(few_phrases @ vector, 0.99)]
        shares = np.exp(fake.logit_scale * np.array(cosines, dtype=np.float64))
        if (best := int(shares.argmax())) < len(names):
            expected[names[best]][path.stem] = float(shares[best] / shares.sum())
    assert 0 < sum(map(len, expected.values())) < 4
    for name, some in found.items():
        assert {Path(each.path).stem: each.probability for each in some} == pytest.approx(expected[name], abs=1e-3)
        assert [each.probability for each in some] == sorted((each.probability for each in some), reverse=True)


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


def test_a_library_of_the_first_version_is_brought_up_to_date(library: Library, tmp_path: Path, fake: Model) -> None:
    file = tmp_path / "library" / "library.db"
    library.close()
    with sqlite3.connect(file) as db:
        db.execute("DROP TABLE tags")
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


def test_phrases_are_made_where_an_older_version_indexed(library: Library, tmp_path: Path) -> None:
    (stored,) = (tmp_path / "library" / "vectors").glob("*/neutral-*.npz")
    stored.unlink()
    library.tags.by_rule(["warm"])
    assert Neutral.read(stored.parent) is not None
