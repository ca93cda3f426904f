from collections import Counter
from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.training.data.class_folder import ClassFolder
from tests.conftest import Paint
from tests.training.tables import good, take


@pytest.fixture
def folder(paint: Paint, tmp_path: Path) -> Path:
    for name in ("hot_dog/a.png", "hot_dog/more/b.jpg", "hot_dog/.thumb.png", ".cache/x.png", "cat/c.PNG", "cat/notes.txt.png"):
        paint(name)
    (tmp_path / "pictures" / "cat" / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_class_is_its_folder_and_its_pictures_have_a_template(folder: Path) -> None:
    source = ClassFolder(path="pictures", templates=("{}", "a {}!")).open(folder)
    assert len(source) == 4
    samples = [(Path(str(s.image)).name, s.label, s.text) for s in source.once()]
    assert samples[:2] == [("c.PNG", "cat", "cat"), ("c.PNG", "cat", "a cat!")]
    assert {name: label for name, label, _ in samples} == {
        "c.PNG": "cat",
        "notes.txt.png": "cat",
        "a.png": "hot dog",
        "b.jpg": "hot dog",
    }
    drawn = good(take(source, 800))
    assert Counter(s.image_id for s in drawn[4:8]) == Counter(s.image_id for s in drawn[:4])
    assert Counter(s.text for s in drawn)["a hot dog!"] / 400 == pytest.approx(0.5, abs=0.1)
    assert take(source, 20, start=5) == take(source, 25)[5:]


def test_a_table_names_classes(folder: Path) -> None:
    table = folder / "names.tsv"
    table.write_text("folder\tname\nhot_dog\tfrankfurter\ncat\ttabby\n")
    source = ClassFolder(path="pictures", names="names.tsv").open(folder)
    assert {s.label for s in source.once()} == {"frankfurter", "tabby"}
    table.write_text("folder\tname\ndog\tdog\n")
    with pytest.raises(InputError, match="expected a name for every class, got none for cat and 1 more"):
        ClassFolder(path="pictures", names="names.tsv").open(folder)


def test_a_folder_that_does_not_fit_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder of classes, got: No such file"):
        ClassFolder(path="absent").open(tmp_path)
    with pytest.raises(InputError, match="one subfolder of pictures per class, got none"):
        ClassFolder(path=".").open(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected pictures in its subfolders, got none in 1"):
        ClassFolder(path=".").open(tmp_path)
    with pytest.raises(InputError, match="expected templates with {} where the class goes.*got 'a dog'"):
        ClassFolder(path=".", templates=("a dog",))
    with pytest.raises(InputError, match="at least one template"):
        ClassFolder(path=".", templates=())
