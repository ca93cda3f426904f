"""seesay eval: tables of example photos, the bundled model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seesay.model import Model
from tests.cli.conftest import Run
from tests.compat.tiny import make_open_clip

CHOSEN = {
    "pizza": ("pizza-1.jpg", "pizza-2.jpg"),
    "sunflower": ("sunflower-1.jpg", "sunflower-2.jpg"),
    "motorbike": ("motorbike-1.jpg", "motorbike-2.jpg"),
    "dalmatian": ("dalmatian-1.jpg", "dalmatian-2.jpg"),
}


@pytest.fixture(scope="session")
def chosen(photos: list[Path]) -> dict[str, list[Path]]:
    return {label: [path for path in photos if path.name in names] for label, names in CHOSEN.items()}


@pytest.fixture
def labels(chosen: dict[str, list[Path]], tmp_path: Path) -> Path:
    rows = "".join(f"{path}\t{label}\n" for label, paths in chosen.items() for path in paths)
    table = tmp_path / "labels.tsv"
    table.write_text("image\tlabel\n" + rows, encoding="utf-8")
    return table


@pytest.fixture
def captions(chosen: dict[str, list[Path]], tmp_path: Path) -> Path:
    rows = []
    for label, paths in chosen.items():
        rows.append(f"{paths[0]}\tval\ten\ta photo of a {label}")
        rows.append(f"{paths[0]}\tval\ten\tone {label}")
        rows.append(f"{paths[0]}\tval\tzh\t一张照片")
        rows.append(f"{paths[1]}\ttest\ten\ta {label}")
    table = tmp_path / "captions.tsv"
    table.write_text("image\tsplit\tlang\ttext\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return table


@pytest.fixture
def bad_rows(labels: Path) -> Path:
    (labels.parent / "bad.jpg").write_text("x")
    with labels.open("a") as stream:
        stream.write("bad.jpg\tpizza\nnone.jpg\tpizza\n")
    return labels


def test_retrieval_prints_the_fixed_keys(run: Run, captions: Path) -> None:
    result = run("eval", "retrieval", "--data", captions, "--lang", "en", "--split", "val", "--json")
    assert (result.code, result.err) == (0, "")
    scores = json.loads(result.out)
    assert scores["text_to_image"].keys() == scores["image_to_text"].keys() == {"R@1", "R@5", "R@10"}
    assert scores["text_to_image"] == scores["image_to_text"] == {"R@1": 1.0, "R@5": 1.0, "R@10": 1.0}
    assert (scores["pictures"], scores["texts"], scores["language"], scores["split"]) == (4, 8, "en", "val")
    assert scores["intervals"]["image_to_text"]["R@1"] == [1.0, 1.0]
    assert scores["failed"] == []


def test_a_choice_made_for_the_user_is_said(run: Run, captions: Path) -> None:
    result = run("eval", "retrieval", "--data", captions)
    assert result.code == 0
    assert "has texts in 2 languages; those in en are used (--lang zh)" in result.err
    assert "8 pictures, 12 texts in en" in result.out
    assert "Text to image" in result.out
    wrong = run("eval", "retrieval", "--data", captions, "--lang", "fr")
    assert (wrong.code, wrong.out) == (2, "")
    assert "there are 'en', 'zh'" in wrong.err


def test_zero_shot_prints_the_fixed_keys(run: Run, labels: Path, tmp_path: Path) -> None:
    scores = json.loads(run("eval", "zero-shot", "--data", labels, "--json").out)
    assert (scores["top1"], scores["top5"], scores["mean_per_class_recall"]) == (1.0, 1.0, 1.0)
    assert scores["per_class"][0] == {"name": "dalmatian", "pictures": 2, "recall": 1.0}
    assert scores["confusion"] == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]]

    names = tmp_path / "names.txt"
    names.write_text("pizza\nsunflower\nmotorbike\ndalmatian\nsubmarine\nsock\n")
    more = json.loads(run("eval", "zero-shot", "--data", labels, "--names", names, "--templates", "imagenet", "--json").out)
    assert more["classes"] == 6
    assert len(more["templates"]) == 80
    assert more["per_class"][5] == {"name": "sock", "pictures": 0, "recall": None}

    chinese = json.loads(run("eval", "zero-shot", "--data", labels, "--lang", "zh", "--json").out)
    assert "一张{}的照片。" in chinese["templates"]


def test_pictures_that_cannot_be_read_are_left_out(run: Run, bad_rows: Path) -> None:
    result = run("eval", "zero-shot", "--data", bad_rows, "--json")
    assert result.code == 1
    scores = json.loads(result.out)
    assert (scores["pictures"], scores["top1"]) == (8, 1.0)
    assert [Path(f["path"]).name for f in scores["failed"]] == ["bad.jpg", "none.jpg"]
    assert "none.jpg: no such file" in result.err


def test_several_models_stand_side_by_side(
    run: Run, labels: Path, captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    other = make_open_clip(tmp_path / "tiny")
    both = ("--model", "bundled", "--model", other)
    scores = json.loads(run("eval", "zero-shot", "--data", labels, *both, "--json").out)
    assert scores.keys() == {"models"}
    assert [one["model"] for one in scores["models"]] == ["bundled", str(other)]
    assert all(one.keys() >= {"top1", "top5", "space_id"} for one in scores["models"])
    page, text = tmp_path / "page.html", tmp_path / "scores.md"
    result = run("eval", "retrieval", "--data", captions, "--lang", "en", *both, "--report", page, "--markdown", text)
    assert result.code == 0
    assert text.read_text().count("| bundled | ") == 2
    assert page.read_text().count("<svg") == 2


def test_linear_probe_learns_from_one_table_and_is_measured_on_another(run: Run, labels: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    lines = labels.read_text().splitlines()
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("\n".join([lines[0], *lines[1::2]]).replace("label", "kind"))
    test.write_text("\n".join([lines[0], *lines[2::2], "none.jpg\tpizza"]).replace("label", "kind"))
    arguments = ("eval", "linear-probe", "--train", train, "--data", test, "--label-column", "kind")
    result = run(*arguments, "--shots", 1, "--json")
    assert result.code == 1, "one picture is not there"
    scores = json.loads(result.out)
    assert (scores["top1"], scores["train_pictures"], scores["pictures"], scores["shots"]) == (1.0, 4, 4, 1)
    assert "Fit" in run(*arguments).out


def test_linear_probe_without_its_extra_says_so_first(run: Run, labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    result = run("eval", "linear-probe", "--train", labels, "--data", labels)
    assert result.code == 2
    assert "pip install 'seesay[eval]'" in result.err


def test_robustness_of_labels_and_of_captions(run: Run, labels: Path, captions: Path) -> None:
    chosen = ("--corruption", "noise", "--corruption", "grey", "--severity", 1, "--severity", 5, "--json")
    scores = json.loads(run("eval", "robustness", "--data", labels, *chosen).out)
    assert scores["clean"]["top1"] == 1.0
    assert list(scores["corruptions"]) == ["noise", "grey"]
    assert [one["severity"] for one in scores["corruptions"]["noise"]] == [1, 5]
    top1 = [one["top1"] for row in scores["corruptions"].values() for one in row]
    assert scores["mean"]["top1"] == pytest.approx(sum(top1) / 4)
    assert scores["corruptions"]["noise"][1]["top1"] < 1.0

    scores = json.loads(run("eval", "robustness", "--data", captions, "--split", "val", *chosen[2:6], *chosen[-1:]).out)
    assert scores["clean"].keys() == {"text_to_image R@1", "image_to_text R@1", "intervals"}
    assert list(scores["corruptions"]) == ["grey"]


@pytest.mark.parametrize("command", ["zero-shot", "robustness", "linear-probe"])
def test_the_page_stands_alone(run: Run, labels: Path, tmp_path: Path, command: str) -> None:
    pytest.importorskip("matplotlib")
    options = {
        "zero-shot": [],
        "robustness": ["--corruption", "blur", "--severity", 2],
        "linear-probe": ["--train", labels],
    }[command]
    page = tmp_path / "sub" / "page.html"
    labels.write_text(labels.read_text().replace("\tpizza", "\t<披萨>"))
    assert run("eval", command, "--data", labels, *options, "--report", page).code == 0
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text
    assert "<script" not in text
    assert command == "robustness" or "&lt;披萨&gt;" in text
    assert "<披萨>" not in text
    assert 'src="http' not in text


def test_a_page_without_its_extra_says_so_first(
    run: Run, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("eval", "zero-shot", "--data", labels, "--report", tmp_path / "page.html")
    assert (result.code, result.out) == (2, "")
    assert "pip install 'seesay[eval]'" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("retrieval", "--data", "labels.tsv"), "expected a column text or caption, got image, label"),
        (("zero-shot", "--data", "none.tsv"), "cannot be read"),
        (("zero-shot", "--data", "labels.tsv", "--label-column", "kind"), "expected a column kind"),
        (("zero-shot", "--data", "labels.tsv", "--names", "none.txt"), "none.txt cannot be read"),
        (("zero-shot", "--data", "labels.tsv", "--templates", "long"), "templates are short, photo"),
        (("zero-shot", "--data", "labels.tsv", "--images", "nowhere"), "none of 8 pictures can be read"),
        (("robustness", "--data", "labels.tsv", "--label-column", "kind"), "expected a column text, caption or kind"),
    ],
)
def test_what_cannot_be_measured_is_exit_code_2(
    run: Run, labels: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    labels.write_text("image\tlabel\n" + "".join(f"{i}.jpg\tx{i}\n" for i in range(8)))
    monkeypatch.chdir(labels.parent)
    result = run("eval", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_second_run_encodes_nothing(run: Run, labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("eval", "zero-shot", "--data", labels, "--json").out

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(Model, "encode_pixels", refuse)
    monkeypatch.setattr(Model, "encode_text", refuse)
    assert run("eval", "zero-shot", "--data", labels, "--json").out == first


def test_help_loads_no_numpy() -> None:

    code = (
        "from seesay.cli.main import _run; import sys; sys.argv[1:] = ['eval', '--help']; _run(); print('numpy' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"
