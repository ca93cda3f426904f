"""`seesay classify`: labels from files and ready sets, folders, sorting, none of these, several labels, calibration."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import DamagedImage, TruncatedText
from seesay.library.search.background import read_or_encode_phrases
from seesay.model import Model
from seesay.tasks.label_sets import PLAIN, label_set
from seesay.tasks.prompts import template_set
from seesay.tasks.zero_shot import Classifier, none_of_these
from tests.cli.conftest import Run
from tests.conftest import PHOTOS

HORSES = PHOTOS / "animals" / "horses.jpg"
PIZZA = PHOTOS / "food" / "pizza-1.jpg"


def document(run: Run, *arguments: object, code: int = 0) -> dict[str, object]:
    result = run("classify", *arguments, "--json")
    assert result.code == code, result.err
    found: dict[str, object] = json.loads(result.out)
    return found


def probabilities(run: Run, *arguments: object) -> dict[str, float]:
    found: dict[str, float] = document(run, HORSES, *arguments)["results"][0]["probabilities"]  # type: ignore[index]
    return found


def test_labels_come_from_files(run: Run, tmp_path: Path) -> None:
    wanted = probabilities(run, "--labels", "cat,horse|pony|马,dog")
    assert list(wanted) == ["cat", "horse", "dog"]
    (tmp_path / "a.txt").write_text("\ufeff# animals\ncat\n\nhorse | pony|马\n#dog\ndog\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("label,name\ncat,\nhorse,pony|马\ndog,dog\n", encoding="utf-8")
    (tmp_path / "a.TSV").write_text("label\tnames\ncat\tcat\nhorse\tpony\ndog\t\nhorse\t马\n", encoding="utf-8")
    (tmp_path / "names.csv").write_text("name;note\ncat;x\nhorse|pony|马;y\ndog;z\n", encoding="utf-8")
    assert probabilities(run, "--labels", "cat；horse|pony|马;dog") == pytest.approx(wanted, abs=1e-6)
    for file in ("a.txt", "a.csv", "a.TSV", "names.csv"):
        assert probabilities(run, "--labels", tmp_path / file) == pytest.approx(wanted, abs=1e-6), file


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "holds no texts"),
        ("a.txt", b"# only\n# comments\n", "holds no labels, only comments"),
        ("a.txt", b"\xff\xfe\x00cat", "is not UTF-8 text"),
        ("a.txt", b"cat\0dog", "holds zero bytes"),
        ("a.txt", b"cat\ndog||puppy\n", "a.txt, line 2: 'dog||puppy' has an empty name"),
        ("a.csv", b"picture,text\na,b\n", "expected a column label"),
        ("a.csv", b"label\n", "has no rows"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "cannot be read"),
        ("a.tsv", b"label\tname\ncat\n", "line 2: expected 2 columns"),
        ("a.txt", b"dog|puppy\ncat\npuppy\n", "'puppy' is a name of two labels, 'dog' and 'puppy'"),
        ("a.txt", b"dog\n", "one label alone always gets 100 %"),
        ("a.txt", b"x\n" * 6_000_000, "is 11 MB; a file of labels has at most 10"),
    ],
)
def test_bad_files_of_labels_are_named(run: Run, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    result = run("classify", HORSES, "--labels", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.startswith("seesay: ")
    assert result.err.count("\n") == 1


def test_wrong_use_says_what_to_do(run: Run, tmp_path: Path, album: Path) -> None:
    (tmp_path / "empty").mkdir()
    two = ("--labels", "cat,dog")
    for arguments, message in {
        (HORSES,): "Say which labels",
        (HORSES, *two, "--set", "scene"): "one of them",
        (HORSES, "--labels", "gone.txt"): "gone.txt cannot be read: No such file or directory",
        (HORSES, "--labels", "cat"): 'add --none ("none of these")',
        (HORSES, "--set", "mood"): "a ready set of labels, one of quality (画质)",
        (HORSES, *two, "--template", "a {}", "--templates", "food"): "choose one",
        (HORSES, *two, "--templates", "films"): "templates are short, photo",
        (HORSES, *two, "--dry-run"): "belong to --sort-into",
        (HORSES, *two, "--csv", "--json"): "Choose one",
        (HORSES, *two, "--csv", "--sort-into", tmp_path / "out"): "--csv shows what --sort-into does not",
        (HORSES, *two, "--sort-into", tmp_path / "out", "--model", "a", "--model", "b"): "take one model",
        (HORSES, *two, "--min", "2"): "2.0 is not in the range",
        (HORSES, *two, "--frames", "0"): "0 is not in the range",
        (tmp_path / "empty", *two): "no picture was found in",
        (album, *two, "--sort-into", album / "sorted"): "whose pictures are sorted",
        (HORSES, *two, "--sort-into", HORSES): "is a file, not a folder",
    }.items():
        result = run("classify", *arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert message in result.err
        assert "Traceback" not in result.err


def test_repeated_labels_count_once_and_long_ones_lose_their_end(run: Run) -> None:
    with pytest.warns(TruncatedText, match="longer than 256 tokens and lost their end"):
        result = run("classify", HORSES, "--labels", "cat,horse,cat," + "very " * 400 + "long horse", "--json")
    assert list(json.loads(result.out)["results"][0]["probabilities"])[:2] == ["cat", "horse"]
    assert "1 repeated labels are counted once" in result.err


def test_a_set_of_templates_and_a_ready_set_are_those_of_the_library(run: Run, bundled: Model) -> None:
    vectors = bundled.encode_image(HORSES)
    wanted = Classifier.of(bundled, ["cat", "马"], template_set("photo")).probabilities(vectors)[0]
    got = probabilities(run, "--labels", "cat,马", "--templates", "photo")
    np.testing.assert_allclose(list(got.values()), wanted, atol=1e-5)
    for name in ("scene", "场景"):
        labels = label_set(name)
        wanted = Classifier.of(bundled, labels, PLAIN, "max").probabilities(vectors)[0]
        got = probabilities(run, "--set", name)
        assert list(got) == [label.name for label in labels]
        np.testing.assert_allclose(list(got.values()), wanted, atol=1e-5)
        assert max(got, key=lambda label: got[label]) in ("meadow", "草地")


def test_a_set_that_the_model_does_not_know_says_so(run: Run) -> None:
    assert "hardly better than a guess with quality" in run("classify", HORSES, "--set", "quality").err
    assert run("classify", HORSES, "--set", "kind").err == ""


def test_none_of_these_is_the_librarys(run: Run, bundled: Model) -> None:
    vectors = bundled.encode_image([HORSES, PIZZA])
    rest = none_of_these(vectors, read_or_encode_phrases(bundled))
    wanted = Classifier.of(bundled, ["cat", "horse"]).probabilities(vectors, rest)
    results = document(run, HORSES, PIZZA, "--labels", "cat,horse", "--none")["results"]
    for result, row in zip(results, wanted, strict=True):  # type: ignore[call-overload]
        np.testing.assert_allclose([*result["probabilities"].values(), result["none"]], row, atol=1e-5)
    assert [result["best"] for result in results] == ["horse", None]  # type: ignore[attr-defined]
    shown = run("classify", PIZZA, "--labels", "cat,horse", "--none").out.splitlines()
    assert shown[1].endswith("none of these")
    (one,) = document(run, HORSES, "--labels", "horse", "--none")["results"]  # type: ignore[misc]
    assert 0.5 < one["probabilities"]["horse"] < 1
    unsure = document(run, HORSES, "--labels", "cat,horse", "--min", "0.999")["results"]
    assert [result["best"] for result in unsure] == [None]  # type: ignore[attr-defined]


def test_a_picture_may_have_several_labels(run: Run, bundled: Model) -> None:
    (result,) = document(run, HORSES, "--labels", "horse,grass,pizza", "--multi", "--min", "0.3")["results"]  # type: ignore[misc]
    vectors = bundled.encode_image(HORSES)
    rest = none_of_these(vectors, read_or_encode_phrases(bundled))
    wanted = Classifier.of(bundled, ["horse", "grass", "pizza"]).single_probabilities(vectors, rest)[0]
    np.testing.assert_allclose(list(result["probabilities"].values()), wanted, atol=1e-5)
    above = {label for label, p in zip(("horse", "grass", "pizza"), wanted, strict=True) if p >= 0.3}
    assert set(result["labels"]) == above
    assert "pizza" not in above
    assert result["best"] == (result["labels"][0] if above else None)


def test_a_folder_is_what_the_library_reads(run: Run, album: Path) -> None:
    (album / ".hidden").mkdir()
    (album / ".hidden" / "x.png").write_bytes((album / "red" / "red.png").read_bytes())
    (album / "clip.mp4").write_bytes(b"x")
    (album / "bad.png").write_bytes(b"x")
    (album / "dot.png").write_bytes(b"")
    Image.new("RGB", (1, 1), "red").save(album / "one.png")
    found = document(run, album, album / "red" / "red.png", "--labels", "red,blue", code=1)
    paths = [os.path.relpath(result["path"], album) for result in found["results"]]  # type: ignore[attr-defined]
    assert paths == ["one.png", "black/black.png", "blue/blue.png", "green/green.png", "red/red.png"]
    assert sorted(os.path.basename(failure["path"]) for failure in found["failed"]) == ["bad.png", "dot.png"]  # type: ignore[attr-defined]
    assert found["skipped"] == {"video": 1}
    assert "1 × video: not read by this version" in run("classify", album, "--labels", "red,blue").err
    for begins in (b"\0\0\0\x18ftypisom", b"\x1a\x45\xdf\xa3\x93", b"RIFF\0\0\0\0AVI LIST", b"\0\0\1\xba!"):
        (album / "clip.mp4").write_bytes(begins + bytes(40))
        refused = run("classify", album / "clip.mp4", "--labels", "red,blue")
        assert refused.code == 1
        assert "clip.mp4: is a video, which is not read" in refused.err


def test_many_pictures_get_a_line_each_and_counts(run: Run) -> None:
    result = run("classify", PHOTOS / "animals", "--labels", "bird,dog,cat", "--none")
    lines = result.out.splitlines()
    assert lines[0].rstrip().endswith(".jpg")
    assert len([line for line in lines if "animals" in line]) == len(list((PHOTOS / "animals").iterdir()))
    counted = {line.rsplit(": ", 1)[0]: line for line in lines if line.endswith((" picture", " pictures"))}
    assert set(counted) == {"bird", "dog", "cat", "none of these"}


def test_csv_has_a_row_per_picture(run: Run) -> None:
    rows = list(csv.reader(io.StringIO(run("classify", HORSES, PIZZA, "--labels", "cat,horse", "--none", "--csv").out)))
    assert rows[0] == ["path", "best", "cat", "horse", "none of these"]
    assert [row[:2] for row in rows[1:]] == [[str(HORSES), "horse"], [str(PIZZA), ""]]
    for row in rows[1:]:
        assert sum(map(float, row[2:])) == pytest.approx(1, abs=1e-5)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("copy", [False, True])
def test_sorting_into_folders(run: Run, tmp_path: Path, copy: bool) -> None:
    source, out = tmp_path / "mine", tmp_path / "out"
    for name, photo in {"a/x.jpg": HORSES, "b/x.jpg": PHOTOS / "vehicles" / "ferry.jpg", "b/y.jpg": PIZZA}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(photo.read_bytes())
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*.jpg")}
    asked = (source, "--labels", "horse,ship", "--none", "--sort-into", out, *(["--copy"] if copy else []))
    dry = run("classify", *asked, "--dry-run")
    assert not out.exists()
    assert "horse: 1 new, 0 there already" in dry.out
    assert "nothing was made" in dry.err
    done = document(run, *asked)
    assert files_in(out) == {"horse/x.jpg", "ship/x.jpg", "unknown/y.jpg"}
    assert (out / "horse/x.jpg").is_symlink() != copy
    assert (out / "horse/x.jpg").read_bytes() == HORSES.read_bytes()
    assert {each["to"] for each in done["sorted"]["files"]} == {str(out / name) for name in files_in(out)}  # type: ignore[index]
    assert "horse: 0 new, 1 there already" in run("classify", *asked).out
    assert len(files_in(out)) == 3
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*.jpg")} == before


def test_an_animation_is_the_mean_of_its_frames(run: Run, tmp_path: Path, bundled: Model) -> None:
    frames = [Image.open(path).convert("RGB").resize((160, 120)) for path in (HORSES, PIZZA)]
    clip = tmp_path / "a.webp"
    frames[0].save(clip, save_all=True, append_images=frames[1:], lossless=True)
    vectors = bundled.encode_image(frames)
    mean = vectors.mean(axis=0, keepdims=True) / np.linalg.norm(vectors.mean(axis=0))
    classifier = Classifier.of(bundled, ["horse", "pizza"])
    for options, vector in (((), mean), (("--frames", "1"), vectors[:1])):
        (result,) = document(run, clip, "--labels", "horse,pizza", *options)["results"]  # type: ignore[misc]
        wanted = classifier.probabilities(vector)[0]
        np.testing.assert_allclose(list(result["probabilities"].values()), wanted, atol=1e-3)


def test_calibrating_on_a_table(run: Run, tmp_path: Path) -> None:
    groups = {"animals": "animal", "food": "food", "vehicles": "vehicle", "places": "building"}
    rows = [(path, groups[path.parent.name]) for path in sorted(PHOTOS.rglob("*.*")) if path.parent.name in groups][::3]
    table = tmp_path / "labelled.tsv"
    table.write_text("image\tlabel\n" + "".join(f"{path}\t{label}\n" for path, label in rows), encoding="utf-8")
    asked = (HORSES, "--labels", "animal|beast,food,vehicle,building", "--calibrate", table)
    found = document(run, *asked)
    calibrated = found["calibrated"]
    assert calibrated["pictures"] == len(rows)  # type: ignore[index]
    assert calibrated["scale"] != pytest.approx(calibrated["scale_before"], rel=0.01)  # type: ignore[index]
    plain = probabilities(run, *asked[1:3])
    logits = {label: np.log(p) for label, p in plain.items()}
    factor = calibrated["scale"] / calibrated["scale_before"]  # type: ignore[index]
    expected = np.exp(factor * (np.array(list(logits.values())) - max(logits.values())))
    got = found["results"][0]["probabilities"]  # type: ignore[index]
    np.testing.assert_allclose(list(got.values()), expected / expected.sum(), atol=2e-3)
    assert f"calibrated on {len(rows)} pictures" in run("classify", *asked).err
    few = tmp_path / "few.tsv"
    few.write_text("\n".join(table.read_text(encoding="utf-8").splitlines()[:20]), encoding="utf-8")
    result = run("classify", *asked[:3], "--calibrate", few)
    assert (result.code, "has 19 labelled pictures; --calibrate needs 20 or more" in result.err) == (2, True)
    refused = run("classify", HORSES, "--labels", "animal,food", "--calibrate", table)
    assert (refused.code, "'building', which is none of the labels" in refused.err) == (2, True)


def test_calibrating_on_pictures_that_are_all_right_keeps_the_models_scale(run: Run, tmp_path: Path) -> None:
    sailing = [PHOTOS / "vehicles" / f"{name}.jpg" for name in ("sailing-boat", "sailing-ship", "ferry", "paddle-steamer")]
    rows = [(path, "ship") for path in sailing] * 3 + [(PIZZA, "pizza"), (PHOTOS / "food" / "pizza-2.jpg", "pizza")] * 4
    table = tmp_path / "right.tsv"
    for number, (path, _) in enumerate(rows):  # a table has each picture once
        (tmp_path / f"{number}.jpg").write_bytes(path.read_bytes())
    listed = "".join(f"{tmp_path / f'{number}.jpg'}\t{label}\n" for number, (_, label) in enumerate(rows))
    table.write_text("image\tlabel\n" + listed, encoding="utf-8")
    found = document(run, HORSES, "--labels", "ship,pizza", "--calibrate", table)["calibrated"]
    assert found["scale"] == found["scale_before"]  # type: ignore[index]
    assert "own scale is kept" in run("classify", HORSES, "--labels", "ship,pizza", "--calibrate", table).err


def test_a_rule_of_tag_takes_names_as_classify_does(run: Run, tmp_path: Path) -> None:
    library = ("--library", tmp_path / "library")
    run("index", PHOTOS / "vehicles", *library)
    rule = ("tag", "--label", "ship|boat|sailing ship", "--label", "helicopter", "--dry-run", *library, "--json")
    tagged = json.loads(run(*rule).out)["tagged"]
    assert list(tagged) == ["ship", "helicopter"]
    assert {os.path.basename(each["path"]) for each in tagged["ship"]} >= {"sailing-ship.jpg", "sailing-boat.jpg"}
    both = run("tag", "--label", "ship,helicopter", "--dry-run", *library)
    assert "ship,helicopter is one tag; for several, give --label for each" in both.err


def test_sorting_again_with_other_labels_removes_the_links_of_before(run: Run, tmp_path: Path) -> None:
    pizza, into = PHOTOS / "food" / "pizza-1.jpg", tmp_path / "sorted"
    run("classify", pizza, "--labels", "pizza,dog", "--sort-into", into)
    planned = run("classify", pizza, "--labels", "food,dog", "--sort-into", into, "--dry-run").out
    assert "to be removed: 1 link of an earlier run" in planned
    assert (into / "pizza" / "pizza-1.jpg").is_symlink()
    done = json.loads(run("classify", pizza, "--labels", "food,dog", "--sort-into", into, "--json").out)["sorted"]
    assert done["removed"] == [str(into / "pizza" / "pizza-1.jpg")]
    assert sorted(path.name for path in into.iterdir()) == ["food"]


def test_a_truncated_picture_is_noted(run: Run, tmp_path: Path) -> None:
    whole = (PHOTOS / "food" / "pizza-1.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 4 // 5])
    with pytest.warns(DamagedImage, match="cut.jpg: cut short"):
        assert run("classify", tmp_path / "cut.jpg", "--labels", "pizza,dog").code == 0
    with pytest.warns(DamagedImage, match="cut.jpg: "):
        assert run("explain", tmp_path / "cut.jpg", "pizza", "--json").code == 0
