"""`seesay learn`, `identify` and `names` on example photos, with the bundled model."""

import json
import os
from pathlib import Path

import pytest

from seesay.library.storage.lock import writer_lock
from tests.cli.conftest import Run
from tests.conftest import PHOTOS
from tests.parity.test_checkpoints import DATA

ANIMALS, FOOD = PHOTOS / "animals", PHOTOS / "food"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the strangers' vectors are kept, so that they are encoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _with_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(cache))


@pytest.fixture
def gallery(run: Run, tmp_path: Path) -> Path:
    """A gallery of two names, of one picture each."""
    file = tmp_path / "pets.db"
    assert run("learn", "Spot", ANIMALS / "dalmatian-1.jpg", "--gallery", file).code == 0
    assert run("learn", "pizza", FOOD / "pizza-1.jpg", "--gallery", file).code == 0
    return file


def test_one_picture_is_enough_and_others_are_unknown(run: Run, gallery: Path) -> None:
    pictures = [ANIMALS / "dalmatian-2.jpg", FOOD / "pizza-2.jpg", PHOTOS / "places" / "eiffel-tower.jpg"]
    document = json.loads(run("identify", *pictures, "--gallery", gallery, "--json").out)
    assert [result["path"] for result in document["results"]] == list(map(str, pictures))
    assert [result["name"] for result in document["results"]] == ["Spot", "pizza", None]
    for result in document["results"]:
        assert set(result) == {"path", "name", "score", "candidates"}
        assert result["score"] == result["candidates"][0]["score"] > result["candidates"][1]["score"]
        assert (result["score"] >= document["threshold"]) == (result["name"] is not None)
    told = run("identify", *pictures, "--gallery", gallery)
    assert told.code == 0
    assert "dalmatian-2.jpg: Spot  (" in told.out
    assert "% of other pictures score as high)" in told.out
    assert "eiffel-tower.jpg: unknown" in told.out


def test_a_name_that_is_taken_says_that_it_adds(run: Run, gallery: Path) -> None:
    again = run("learn", "spot", ANIMALS / "dalmatian-1.jpg", ANIMALS / "dalmatian-2.jpg", "--gallery", gallery)
    assert again.code == 0
    assert again.out == "Spot: there already; 1 added, 2 pictures now\n  1 picture was known already and is counted once\n"
    document = json.loads(run("learn", "Spot", ANIMALS / "dalmatian-2.jpg", "--gallery", gallery, "--json").out)
    assert (document["new"], document["added"], document["known"], document["pictures"]) == (False, 0, 1, 2)


def test_names_are_listed_and_forgotten(run: Run, gallery: Path) -> None:
    assert run("names", "list", "--gallery", gallery).out == "      1  pizza\n      1  Spot\n"
    wrong = run("names", "forget", "dog", "--gallery", gallery)
    assert (wrong.code, wrong.out) == (2, "")
    assert "has no name 'dog'; it has pizza, Spot" in wrong.err
    assert run("names", "forget", "PIZZA", "--gallery", gallery).out == "pizza: forgotten, with 1 picture\n"
    assert json.loads(run("names", "list", "--gallery", gallery, "--json").out)["names"] == [{"name": "Spot", "pictures": 1}]
    assert json.loads(run("names", "forget", "Spot", "--gallery", gallery, "--json").out)["forgotten"][0]["pictures"] == 1
    empty = run("names", "list", "--gallery", gallery)
    assert (empty.code, empty.out) == (0, "")
    assert "no names yet" in empty.err


def test_names_alone_lists(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_LIBRARY", str(tmp_path / "library"))
    assert "no names yet" in run("names").err
    run("learn", "Spot", ANIMALS / "dalmatian-1.jpg")
    assert run("names").out == "      1  Spot\n"


def test_a_picture_that_was_taught_by_mistake_is_forgotten(run: Run, gallery: Path, tmp_path: Path) -> None:
    wrong, copy = ANIMALS / "panda.jpg", tmp_path / "copy.jpg"
    copy.write_bytes(wrong.read_bytes())
    run("learn", "spot", wrong, "--gallery", gallery)
    told = run("names", "forget", "SPOT", "--picture", copy, "--gallery", gallery)  # known by its bytes
    assert (told.code, told.out) == (0, "Spot: 1 picture forgotten, 1 left\n")
    again = run("names", "forget", "Spot", "--picture", wrong, "--gallery", gallery)
    assert (again.code, "'Spot' was not learned from" in again.err) == (2, True)
    run("learn", "Spot", copy, "--box", "0,0,50,50", "--gallery", gallery)
    copy.unlink()
    told = run("names", "forget", "Spot", "--picture", copy, "--gallery", gallery, "--json")  # by where it was
    assert json.loads(told.out)["forgotten"] == [{"name": "Spot", "pictures": 1, "left": 1}]
    told = run("names", "forget", "Spot", "--picture", ANIMALS / "dalmatian-1.jpg", "--gallery", gallery)
    assert told.out == "Spot: forgotten, with 1 picture\n"
    assert run("names", "list", "--gallery", gallery).out == "      1  pizza\n"
    assert run("names", "forget", "a", "b", "--picture", copy, "--gallery", gallery).code == 2


def test_a_bad_picture_fails_alone(run: Run, gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    learned = run("learn", "Tom", tmp_path / "broken.jpg", ANIMALS / "tabby-cat.jpg", "--gallery", gallery)
    assert (learned.code, learned.out) == (1, "Tom: learned from 1 picture\n")
    assert "broken.jpg" in learned.err
    found = run("identify", "missing.jpg", ANIMALS / "tabby-cat.jpg", "--gallery", gallery, "--json")
    assert found.code == 1
    document = json.loads(found.out)
    assert [result["name"] for result in document["results"]] == ["Tom"]
    assert document["failed"] == [{"path": "missing.jpg", "reason": "no such file"}]


def test_a_folder_is_all_pictures_in_it(run: Run, gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "pandas" / "deep").mkdir(parents=True)
    for number, name in enumerate(("panda.jpg", "kitten-with-yarn.webp")):
        (tmp_path / "pandas" / "deep" / f"{number}.jpg").write_bytes((ANIMALS / name).read_bytes())
    (tmp_path / "pandas" / "clip.mp4").write_bytes(b"a video")
    learned = run("learn", "soft", tmp_path / "pandas", "--gallery", gallery)
    assert (learned.code, learned.out) == (0, "soft: learned from 2 pictures\n")
    assert "1 × " in learned.err  # the video is told, with advice
    found = json.loads(run("identify", tmp_path / "pandas", "--gallery", gallery, "--json").out)
    assert [(Path(result["path"]).name, result["name"]) for result in found["results"]] == [
        ("0.jpg", "soft"),
        ("1.jpg", "soft"),
    ]


def test_without_a_readable_picture_nothing_is_learned(run: Run, gallery: Path) -> None:
    for options in ((), ("--json",)):
        told = run("learn", "Ghost", "missing.jpg", "--gallery", gallery, *options)
        assert told.code == 2
        assert "no picture could be read; nothing was learned" in told.err
    assert "Ghost" not in run("names", "list", "--gallery", gallery).out


def test_a_box_teaches_a_part_of_a_picture(run: Run, gallery: Path) -> None:
    picture = ANIMALS / "two-dogs-at-window.jpg"
    assert run("learn", "left dog", picture, "--box", "0,0,150,150", "--gallery", gallery).code == 0
    outside = run("learn", "left dog", picture, "--box", "0,0,9000,150", "--gallery", gallery)
    assert outside.code == 2
    assert "expected x0,y0,x1,y1 with corners inside the picture" in outside.err
    assert "expected four numbers" in run("learn", "x", picture, "--box", "1,2,3", "--gallery", gallery).err
    assert run("learn", "x", picture, picture, "--box", "0,0,9,9", "--gallery", gallery).code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("learn", "Spot"), "Missing argument 'IMAGE|FOLDER...'"),
        (("learn", " ", "a.jpg"), "a name is a word or a few"),
        (("identify",), "Give pictures, or --library"),
        (("identify", "a.jpg", "--dry-run"), "--dry-run is for --library"),
        (("identify", "a.jpg", "--gallery", "none.db"), "has no names yet. Teach one with: seesay learn"),
        (("identify", "a.jpg", "--library", "."), "Give pictures or --library, not both"),
        (("names", "forget"), "Missing argument 'NAME...'"),
    ],
)
def test_wrong_use_says_what_to_do(run: Run, arguments: tuple[str, ...], message: str) -> None:
    told = run(*arguments)
    assert told.code == 2
    assert message in told.err
    assert "Traceback" not in told.err


def test_a_share_that_is_none_is_wrong_use(run: Run, gallery: Path) -> None:
    told = run("identify", ANIMALS / "panda.jpg", "--gallery", gallery, "--false-accepts", "5")
    assert told.code == 2
    assert "false_accepts: expected a share above 0 and at most 1" in told.err
    closed = run("identify", PHOTOS / "places" / "eiffel-tower.jpg", "--gallery", gallery, "--false-accepts", "1", "--json")
    assert json.loads(closed.out)["results"][0]["name"] is not None


def test_a_damaged_gallery_is_told(run: Run, gallery: Path) -> None:
    gallery.write_bytes(gallery.read_bytes()[:5000])
    for command in (("identify", ANIMALS / "panda.jpg"), ("learn", "Spot", ANIMALS / "panda.jpg"), ("names", "list")):
        told = run(*command, "--gallery", gallery)
        assert told.code == 2
        assert "pets.db is damaged" in told.err


def test_any_model_may_teach_but_not_into_the_gallery_of_another(run: Run, gallery: Path, tmp_path: Path) -> None:
    model = ("--model", DATA / "hf-clip-5")
    for command in (("learn", "Tom", ANIMALS / "panda.jpg"), ("identify", ANIMALS / "panda.jpg"), ("names", "list")):
        told = run(*command, "--gallery", gallery, *model)
        assert told.code == 2
        assert "was taught with model 'bundled'" in told.err
        assert "in a gallery of its own: --gallery FILE" in told.err
    own = ("--gallery", tmp_path / "own.db", *model)
    assert run("learn", "panda", ANIMALS / "panda.jpg", *own).code == 0
    document = json.loads(run("identify", ANIMALS / "panda.jpg", ANIMALS / "sheep.jpg", *own, "--json").out)
    assert [result["name"] for result in document["results"]] == ["panda", None]


def test_a_library_is_tagged_by_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_LIBRARY", str(tmp_path / "library"))
    pictures = tmp_path / "photos"
    pictures.mkdir()
    for number, source in enumerate((ANIMALS / "dalmatian-2.jpg", FOOD / "pizza-2.jpg", ANIMALS / "sheep.jpg")):
        (pictures / f"{number}.jpg").write_bytes(source.read_bytes())
    assert run("learn", "Spot", ANIMALS / "dalmatian-1.jpg").code == 0  # the default gallery, before there is a library
    assert (tmp_path / "library" / "gallery.db").is_file()
    assert run("identify", "--library").code == 2  # which there is not yet
    assert run("index", pictures).code == 0
    dry = run("identify", "--library", "--dry-run")
    assert dry.code == 0
    assert dry.out.splitlines()[0] == "      1  Spot"
    assert "nothing was tagged" in dry.err
    assert json.loads(run("tag", "--json").out)["tags"] == {}
    with writer_lock(tmp_path / "library"):
        locked = run("identify", "--library")
        assert locked.code == 2
        assert f"is being written to by process {os.getpid()}" in locked.err
    document = json.loads(run("identify", "--library", "--json").out)
    assert [Path(each["path"]).name for each in document["tagged"]["Spot"]] == ["0.jpg"]
    for query in (("name:spot",), ("--tag", "Spot"), ("--name", "SPOT")):
        hits = json.loads(run("search", *query, "--json").out)["results"]
        assert [Path(hit["path"]).name for hit in hits] == ["0.jpg"]
    assert json.loads(run("identify", "--library", tmp_path / "library", "--json").out) == document


def test_names_that_are_words_count_as_words(run: Run, gallery: Path) -> None:
    scores = []
    for options in ((), ("--words",)):
        found = run("identify", FOOD / "pizza-2.jpg", "--gallery", gallery, "--json", *options)
        scores.append(json.loads(found.out)["results"][0]["score"])
    assert scores[1] > scores[0] + 0.02


def test_chinese(run: Run, gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh")
    assert run("learn", "熊猫", ANIMALS / "panda.jpg", "--gallery", gallery).out == "熊猫：已从 1 张图片学会\n"
    assert "panda.jpg: 熊猫" in run("identify", ANIMALS / "panda.jpg", "--gallery", gallery).out
