"""Sorting into folders: links or copies, nothing moved, nothing written over."""

import os
import shutil
from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.library.sorting import UNKNOWN, Way, folder_name, make_folder, place, placements, remove_links, stale_links
from tests.conftest import Paint, is_root


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("way", ["link", "copy"])
def test_pictures_go_into_folders_by_label(tmp_path: Path, paint: Paint, way: Way) -> None:
    red, blue, third = paint("a/x.png", "red"), paint("b/x.png", "blue"), paint("b/y.png", "green")
    before = {path: path.read_bytes() for path in (red, blue, third)}
    out = tmp_path / "out"
    labelled = [(str(red), "warm"), (str(blue), "warm"), (str(blue), "cold"), (str(third), None)]
    planned = placements(labelled, ["warm", "cold"], str(out), [str(tmp_path / "pictures")])
    assert not out.exists()
    for each in planned:
        place(each, way)
    assert below(out) == ["cold/x.png", f"{UNKNOWN}/y.png", "warm/x-2.png", "warm/x.png"]
    assert (out / "warm/x-2.png").read_bytes() == before[blue]
    assert (out / "warm/x.png").is_symlink() == (way == "link")
    assert {path: path.read_bytes() for path in before} == before
    again = placements(labelled, ["warm", "cold"], str(out))
    assert [each.target for each in again] == [each.target for each in planned]
    assert all(each.there for each in again)
    for each in again:
        place(each, way)
    assert len(below(out)) == 4


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path, paint: Paint) -> None:
    red = paint("x.png", "red")
    other = tmp_path / "out" / "warm" / "x.png"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    dangling = other.with_name("x-2.png")
    dangling.symlink_to(tmp_path / "gone.png")
    (planned,) = placements([(str(red), "warm")], ["warm"], str(tmp_path / "out"))
    assert planned.target.endswith("x-3.png")
    for way in ("link", "copy"):  # even where it came after the plan was made
        Path(planned.target).write_text("also mine")
        with pytest.raises(InputError, match="cannot make"):
            place(planned, way)  # type: ignore[arg-type]
        assert Path(planned.target).read_text() == "also mine"
    assert other.read_text() == "mine"
    assert below(tmp_path / "out") == ["warm/x-2.png", "warm/x-3.png", "warm/x.png"]


def test_the_place_must_be_a_folder_outside_the_pictures(tmp_path: Path, paint: Paint) -> None:
    red = paint("a/x.png", "red")
    pictures = tmp_path / "pictures"
    (tmp_path / "around").symlink_to(pictures)
    file = tmp_path / "file"
    file.write_text("")
    for into in (pictures, pictures / "sorted", pictures / "a", tmp_path / "around" / "sorted"):
        with pytest.raises(InputError, match="whose pictures are sorted"):
            placements([(str(red), "warm")], ["warm"], str(into), [str(pictures)])
    with pytest.raises(InputError, match="is a file, not a folder"):
        placements([(str(red), "warm")], ["warm"], str(file))
    assert placements([(str(red), "warm")], ["warm"], str(tmp_path), [str(pictures)])


@pytest.mark.skipif(is_root(), reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for into in (locked, locked / "inside"):
        with pytest.raises(InputError, match="cannot write in"):
            make_folder(str(into))


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write in .*choose another folder"):
        make_folder(str(tmp_path / "file" / "inside"))


@pytest.mark.parametrize(
    ("label", "folder"),
    [
        ("dog", "dog"),
        ("../../etc", "-..-etc"),
        ("a/b\\c:d", "a-b-c-d"),
        ("..", "label"),
        (".hidden ", "hidden"),
        ("con", "con-"),
        ("一只狗", "一只狗"),
        ("字" * 100, "字" * 40),
        ("x\x00y\n", "x-y-"),
    ],
)
def test_a_label_is_one_safe_folder(label: str, folder: str) -> None:
    assert folder_name(label) == folder
    assert os.path.basename(folder_name(label)) == folder_name(label)


def test_labels_that_a_disk_would_take_for_one_get_folders_of_their_own(tmp_path: Path, paint: Paint) -> None:
    files = [str(paint(f"{i}.png")) for i in range(4)]
    labels = ["Dog", "dog", "unknown"]
    planned = placements(zip(files, [*labels, None], strict=True), labels, str(tmp_path / "out"))
    assert [each.folder for each in planned] == ["Dog", "dog-2", "unknown", "unknown-2"]
    assert [each.label for each in planned] == [*labels, None]


def test_links_of_an_earlier_run_to_another_place_are_stale_and_nothing_else(tmp_path: Path, paint: Paint) -> None:
    red, blue, other = (paint(f"{name}.png", "red") for name in ("red", "blue", "other"))
    into = tmp_path / "sorted"
    for each in placements([(str(red), "warm"), (str(blue), "warm"), (str(other), "warm")], ["warm"], str(into)):
        place(each, "link")
    (into / "warm" / "mine.txt").write_text("a file of the user's")
    (into / "cold").mkdir()
    shutil.copy2(red, into / "cold" / "copy.png")
    planned = placements([(str(red), "warm"), (str(blue), "cold")], ["warm", "cold"], str(into))
    stale = stale_links(planned, str(into))
    assert stale == [str(into / "warm" / "blue.png")]  # other.png was not sorted this time
    remove_links(stale)
    assert sorted(path.name for path in (into / "warm").iterdir()) == ["mine.txt", "other.png", "red.png"]
    remove_links([str(into / "warm" / name) for name in ("other.png", "red.png")])
    assert (into / "warm" / "mine.txt").exists()
    assert all(path.exists() for path in (red, blue, other))
    assert stale_links(planned, str(tmp_path / "none")) == []
