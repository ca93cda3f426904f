"""seesay eval clipscore, edits and distance: example photos, the bundled model."""

import json
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Run
from tests.conftest import Paint


@pytest.fixture
def chosen(photos: list[Path], tmp_path: Path) -> Path:
    """A folder with links to three photos."""
    folder = tmp_path / "generated"
    folder.mkdir()
    for photo in photos:
        if photo.name in ("pizza-1.jpg", "sunflower-1.jpg", "motorbike-1.jpg"):
            (folder / photo.name).symlink_to(photo)
    return folder


def table(file: Path, *rows: tuple[str, ...]) -> Path:
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return file


PROMPTS = (("image", "prompt"), ("motorbike-1.jpg", "a motorbike"), ("pizza-1.jpg", "a pizza"), ("sunflower-1.jpg", "a dog"))


def test_clipscore_of_a_folder_with_its_table(run: Run, chosen: Path) -> None:
    table(chosen / "prompts.tsv", *PROMPTS)
    result = run("eval", "clipscore", "--data", chosen, "--json")
    assert (result.code, result.err) == (0, "")
    scores = json.loads(result.out)
    cosines = [each["cosine"] for each in scores["per_picture"]]
    assert [Path(each["path"]).name for each in scores["per_picture"]] == [name for name, _ in PROMPTS[1:]]
    assert min(cosines[:2]) > cosines[2]
    assert scores["clipscore"] == pytest.approx(sum(2.5 * max(0.0, each) for each in cosines) / 3, abs=1e-5)
    assert scores["clipscore_100"] == pytest.approx(100 * sum(cosines) / 3, abs=1e-4)
    low, high = scores["intervals"]["clipscore"]
    assert low < scores["clipscore"] < high
    assert "refclipscore" not in scores
    prefixed = json.loads(run("eval", "clipscore", "--data", chosen, "--prefix", "A photo depicts ", "--json").out)
    assert prefixed["clipscore"] != scores["clipscore"]
    page, text = chosen.parent / "page.html", chosen.parent / "scores.md"
    shown = run("eval", "clipscore", "--data", chosen, "--report", page, "--markdown", text).out
    assert "The lowest (bundled)" in page.read_text(encoding="utf-8")
    assert "| a dog | sunflower-1.jpg |" in text.read_text(encoding="utf-8")
    assert "3 pictures, 3 prompts" in shown
    assert "CLIPScore (2.5 cos)" in shown
    assert shown.index("a dog") < shown.index("a pizza"), "the lowest first"


def test_prompts_by_line_in_the_order_of_names(run: Run, chosen: Path) -> None:
    (chosen / "prompts.txt").write_text("a motorbike\na pizza\n一朵向日葵\n", encoding="utf-8")
    scores = json.loads(run("eval", "clipscore", "--data", chosen, "--json").out)
    assert [each["prompt"] for each in scores["per_picture"]] == ["a motorbike", "a pizza", "一朵向日葵"]
    (chosen / "prompts.txt").write_text("a motorbike\n")
    few = run("eval", "clipscore", "--data", chosen)
    assert (few.code, few.out) == (2, "")
    assert "has 1 prompts for 3 pictures" in few.err


def test_a_caption_beside_each_picture(run: Run, chosen: Path) -> None:
    (chosen / "motorbike-1.txt").write_text("a motorbike,\nred\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a\n")
    (chosen / "pizza-1.txt").write_text("\ufeff一个披萨\nSteps: 20, Sampler: Euler a", encoding="utf-8")
    (chosen / "sunflower-1.txt").write_text(" \n")
    result = run("eval", "clipscore", "--data", chosen, "--json")
    scores = json.loads(result.out)
    assert [(Path(each["path"]).name, each["prompt"]) for each in scores["per_picture"]] == [
        ("motorbike-1.jpg", "a motorbike, red"),
        ("pizza-1.jpg", "一个披萨"),
    ]
    assert (result.code, "1 picture has no prompt and is left out: sunflower-1.jpg" in result.err) == (0, True)
    table(chosen / "prompts.tsv", *PROMPTS)
    assert json.loads(run("eval", "clipscore", "--data", chosen, "--json").out)["prompts"] == 3, "a table counts before"
    (chosen / "prompts.tsv").unlink()
    (chosen / "pizza-1.txt").write_bytes(b"\xff\xfe\x00")
    bad = run("eval", "clipscore", "--data", chosen)
    assert (bad.code, "pizza-1.txt cannot be read" in bad.err, "Traceback" in bad.err) == (2, True, False)
    for name in ("pizza-1", "motorbike-1"):
        (chosen / f"{name}.txt").write_text("")
    assert "the .txt files beside the pictures are empty" in run("eval", "clipscore", "--data", chosen).err


def test_references_make_refclipscore(run: Run, chosen: Path) -> None:
    rows = [("image", "prompt", "reference"), ("pizza-1.jpg", "a pizza", "a round pizza"), ("pizza-1.jpg", "a pizza", "food")]
    table(chosen / "prompts.tsv", *rows, ("sunflower-1.jpg", "a sunflower", ""))
    result = run("eval", "clipscore", "--data", chosen, "--json")
    scores = json.loads(result.out)
    assert "1 picture has no prompt and is left out: motorbike-1.jpg" in result.err
    first, second = scores["per_picture"]
    assert "refclipscore" not in second
    assert scores["refclipscore"] == first["refclipscore"]
    assert 0 < first["refclipscore"] < 2


def test_a_prompt_whose_picture_is_missing_and_one_that_is_too_long(run: Run, chosen: Path) -> None:
    table(chosen / "prompts.tsv", *PROMPTS[:3], ("none.jpg", "a cat"), ("sunflower-1.jpg", "a flower " * 400))
    result = run("eval", "clipscore", "--data", chosen, "--json")
    assert result.code == 1
    scores = json.loads(result.out)
    assert (scores["pictures"], [Path(each["path"]).name for each in scores["failed"]]) == (3, ["none.jpg"])
    assert "none.jpg: no such file" in result.err
    assert "1 of 3 texts are longer than" in result.err


def test_an_aesthetic_head(run: Run, chosen: Path, tmp_path: Path) -> None:
    table(chosen / "prompts.tsv", *PROMPTS)
    head, wide = tmp_path / "head.pth", tmp_path / "wide.pth"
    torch.manual_seed(0)
    torch.save(torch.nn.Linear(512, 1).state_dict(), head)
    torch.save(torch.nn.Linear(768, 1).state_dict(), wide)
    scores = json.loads(run("eval", "clipscore", "--data", chosen, "--aesthetic", head, "--json").out)
    assert scores["aesthetic"] == pytest.approx(sum(each["aesthetic"] for each in scores["per_picture"]) / 3, abs=1e-5)
    refused = run("eval", "clipscore", "--data", chosen, "--aesthetic", wide)
    assert (refused.code, refused.out) == (2, "")
    assert "vectors of 768 dimensions; those of bundled have 512" in refused.err
    assert run("eval", "clipscore", "--data", chosen, "--aesthetic", tmp_path / "none.pth").code == 2


def test_data_without_prompts(run: Run, chosen: Path, tmp_path: Path) -> None:
    assert "expected one of prompts.tsv" in run("eval", "clipscore", "--data", chosen).err
    assert "a column prompt" in run("eval", "clipscore", "--data", table(tmp_path / "t.tsv", ("image", "x"), ("a", "b"))).err
    assert "empty prompt" in run("eval", "clipscore", "--data", table(tmp_path / "t.tsv", PROMPTS[0], ("a", " "))).err
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "prompts.txt").write_text("")
    assert "holds no pictures" in run("eval", "clipscore", "--data", empty).err


def test_edits(run: Run, chosen: Path, tmp_path: Path) -> None:
    rows = (
        ("before", "after", "source", "target"),
        ("pizza-1.jpg", "sunflower-1.jpg", "a pizza", "a sunflower"),
        ("pizza-1.jpg", "sunflower-1.jpg", "a sunflower", "a pizza"),
        ("pizza-1.jpg", "pizza-1.jpg", "a pizza", "a sunflower"),
        ("pizza-1.jpg", "none.jpg", "a pizza", "a cat"),
    )
    result = run("eval", "edits", "--data", table(chosen / "edits.tsv", *rows), "--json")
    assert result.code == 1
    scores = json.loads(result.out)
    right, wrong, none = (each["direction"] for each in scores["per_edit"])
    assert right > 0.1
    assert wrong == pytest.approx(-right, abs=1e-5)
    assert none is None
    assert (scores["edits"], scores["unchanged"]) == (3, 1)
    assert scores["per_edit"][2]["kept"] == pytest.approx(1, abs=1e-5)
    assert "none.jpg: no such file" in result.err
    shown = run("eval", "edits", "--data", chosen / "edits.tsv").out
    assert "1 of them change nothing and have no direction" in shown
    alone = run("eval", "edits", "--data", table(chosen / "same.tsv", rows[0], rows[3]), "--json")
    assert (alone.code, json.loads(alone.out)["intervals"]) == (0, {}), "one edit has no interval"
    shown = run("eval", "edits", "--data", table(chosen / "same.tsv", *rows[:2])).out
    assert ("1 edited picture\n" in shown, "no interval: one picture" in shown, "in brackets" in shown) == (True, True, False)
    assert "(" not in shown.split("Edits\n")[1]
    both = run("eval", "edits", "--data", table(chosen / "same.tsv", rows[0], rows[1], rows[3]), "--json")
    assert json.loads(both.out)["intervals"].keys() == {"kept"}, "one of two has a direction"
    assert "an empty target" in run("eval", "edits", "--data", table(tmp_path / "e.tsv", rows[0], ("a", "b", "c", " "))).err
    missing = run("eval", "edits", "--data", table(tmp_path / "e.tsv", rows[0], ("a", "b", "c", "d")))
    assert (missing.code, missing.out) == (2, "")


def test_distance(run: Run, photos: list[Path], tmp_path: Path, paint: Paint) -> None:
    for folder, some in (("even", photos[:100:2]), ("odd", photos[1:100:2])):
        (tmp_path / folder).mkdir()
        for photo in some:
            (tmp_path / folder / f"{photo.parent.name}-{photo.name}").symlink_to(photo)
    for number in range(12):
        paint(f"flat-{number}.png", ("red", "blue", "green")[number % 3])
    (tmp_path / "odd" / "bad.jpg").write_text("x")
    near = run("eval", "distance", tmp_path / "even", tmp_path / "odd", "--json")
    far = json.loads(run("eval", "distance", tmp_path / "even", tmp_path / "pictures", "--json").out)
    assert near.code == 1, "one picture is no picture"
    assert "bad.jpg" in near.err
    scores = json.loads(near.out)
    assert scores["pictures"] == [50, 50]
    assert far["cmmd"] > 5 * scores["cmmd"]
    assert far["cmmd"] > far["chance"]["cmmd_95"]
    assert far["frechet"] > scores["frechet"]
    assert "50 pictures are few for the Fréchet distance" in near.err
    shown = run("eval", "distance", tmp_path / "even", tmp_path / "pictures")
    assert "by chance" in shown.out
    assert "12 pictures are too few for either distance" in shown.err
    assert "few for the Fréchet" not in shown.err


def test_distance_of_too_little(run: Run, chosen: Path, tmp_path: Path) -> None:
    one, none = tmp_path / "one", tmp_path / "none"
    for folder in (one, none):
        folder.mkdir()
    (one / "a.jpg").symlink_to(next(chosen.iterdir()))
    few = run("eval", "distance", chosen, one)
    assert (few.code, few.out) == (2, "")
    assert "at least two pictures on both sides, got 3 and 1" in few.err
    assert "there are no pictures in" in run("eval", "distance", none, chosen).err
    assert run("eval", "distance", chosen).code == 2
