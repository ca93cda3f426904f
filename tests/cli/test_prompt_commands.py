"""prompt and caption."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

import seesay
from seesay.model import Model
from tests.cli.conftest import Run
from tests.compat.tiny import make_open_clip


@pytest.fixture(scope="module", autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _cached(_one_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all of these tests: the packaged phrases take seconds to encode."""
    monkeypatch.setenv("SEESAY_CACHE", _one_cache)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    file = tmp_path / "words.txt"
    file.write_text("{a red|a blue|a green} picture, a dog, a pizza\n# light\nsunset, fog\n", encoding="utf-8")
    return file


@pytest.fixture
def pizza(photos: list[Path]) -> Path:
    return next(path for path in photos if path.name.startswith("pizza"))


def test_prompt_says_what_is_shown_in_both_languages(run: Run, pizza: Path, bundled: Model) -> None:
    for language, word in (("en", "pizza"), ("zh", "萨")):
        document = json.loads(run("prompt", pizza, "--language", language, "--json").out)
        assert word in document["prompt"]
        assert document["phrases"]
        assert all(phrase["text"] in document["prompt"] for phrase in document["phrases"])
        assert document["cosine"] == pytest.approx(float(bundled.similarity(pizza, document["prompt"])[0, 0]), abs=2e-5)
        assert document["steps"] == sorted(document["steps"])
        assert document["tokens"] < document["context"] == 256


def test_the_prompt_is_in_the_language_of_the_messages(run: Run, pizza: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh")
    shown = run("prompt", pizza, "--mode", "fast").out
    assert "，" in shown.splitlines()[0]
    assert "萨" in shown.splitlines()[0]


def test_prompt_modes_and_lists_of_ones_own(run: Run, pizza: Path, words: Path) -> None:
    own = ("--phrases", words)
    found = {
        mode: json.loads(run("prompt", pizza, "--mode", mode, *own, "--json").out) for mode in ("best", "fast", "negative")
    }
    assert found["best"]["phrases"][0]["text"] == "a pizza"
    assert found["fast"]["phrases"][0]["text"] == "a pizza"
    assert "pizza" not in found["negative"]["prompt"]
    assert found["negative"]["cosine"] < found["fast"]["cosine"] <= found["best"]["cosine"] + 1e-3
    assert len(json.loads(run("prompt", pizza, *own, "--count", "1", "--json").out)["phrases"]) == 1
    lines = run("prompt", pizza, *own).out.splitlines()
    assert lines[0] == found["best"]["prompt"]
    assert "of 256 tokens" in lines[-1]


def test_prompts_of_two_models_stand_side_by_side(run: Run, pizza: Path, words: Path, tmp_path: Path) -> None:
    tiny = make_open_clip(tmp_path / "tiny")
    models = ("--model", "bundled", "--model", tiny)
    document = json.loads(run("prompt", pizza, "--phrases", words, *models, "--json").out)
    assert [each["model"] for each in document["models"]] == ["bundled", str(tiny)]
    assert [each["context"] for each in document["models"]] == [256, 77]
    assert document["models"][0]["space_id"] != document["models"][1]["space_id"]
    for each in document["models"]:
        alone = json.loads(run("prompt", pizza, "--phrases", words, "--model", each["model"], "--json").out)
        assert alone == each
    shown = run("prompt", pizza, "--phrases", words, *models).out
    assert "bundled" in shown.splitlines()[0]


def test_refine_comes_nearer(run: Run, pizza: Path, words: Path, tmp_path: Path) -> None:
    tiny = make_open_clip(tmp_path / "tiny")
    options = ("--phrases", words, "--model", tiny, "--json")
    before = json.loads(run("prompt", pizza, *options).out)
    after = json.loads(run("prompt", pizza, "--refine", *options).out)
    assert after["cosine"] > before["cosine"]
    assert after["steps"] == sorted(after["steps"])
    assert after["tokens"] <= after["context"]
    model = seesay.load(str(tiny))
    assert after["cosine"] == pytest.approx(float(model.similarity(pizza, after["prompt"])[0, 0]), abs=1e-4)
    assert run("prompt", pizza, "--refine", *options).out == json.dumps(after, ensure_ascii=False, indent=2) + "\n"
    assert run("prompt", pizza, "--refine", "--mode", "negative").code == 2


def test_prompt_with_captions(run: Run, pizza: Path, words: Path, tmp_path: Path) -> None:
    bank = tmp_path / "captions.tsv"
    bank.write_text("id\ttext\n1\ta pizza on a plate\n2\ta man on a horse\n3\ta pizza with cheese\n", encoding="utf-8")
    document = json.loads(run("prompt", pizza, "--phrases", words, "--captions", bank, "--json").out)
    assert {each["text"] for each in document["captions"][:2]} == {"a pizza on a plate", "a pizza with cheese"}
    assert "a pizza" in run("prompt", pizza, "--phrases", words, "--captions", bank).out


def test_bad_prompt_calls_say_what_to_do(run: Run, pizza: Path, words: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("x")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "kinds.txt").write_text("# sound\nloud")
    for arguments, code, message in (
        ((tmp_path / "bad.jpg", "--phrases", words), 1, "bad.jpg"),
        ((tmp_path / "none.jpg", "--phrases", words), 1, "no such file"),
        ((pizza, "--phrases", tmp_path / "none.txt"), 2, "none.txt"),
        ((pizza, "--phrases", tmp_path / "empty.txt"), 2, "has no phrases"),
        ((pizza, "--phrases", tmp_path / "latin.txt"), 2, "not UTF-8"),
        ((pizza, "--phrases", tmp_path / "kinds.txt"), 2, "expected a kind"),
        ((pizza, "--captions", tmp_path / "empty.txt", "--phrases", words), 2, "holds no texts"),
        ((pizza, "--count", "0", "--phrases", words), 2, "1 to 50 phrases"),
        ((pizza, "--language", "fr"), 2, "'fr'"),
        ((), 2, "IMAGE"),
    ):
        result = run("prompt", *arguments)
        assert (result.code, message in result.err, "Traceback" in result.err) == (code, True, False), result.err


def test_caption_fills_a_table_and_goes_on_where_it_was(run: Run, album: Path, tmp_path: Path, bundled: Model) -> None:
    table, bank = tmp_path / "out.tsv", tmp_path / "bank.txt"
    bank.write_text("a red wall\na blue sky\ngreen grass\nthe night\n", encoding="utf-8")
    bad = album / "red" / "bad.jpg"
    bad.write_text("x")
    options = ("-o", table, "--captions", bank, "--json")
    first = run("caption", album / "red", *options)
    document = json.loads(first.out)
    assert (first.code, document["written"], document["present"]) == (1, 1, 0)
    assert [each["path"] for each in document["failed"]] == [str(bad)]
    bad.unlink()
    with table.open("ab") as stream:
        stream.write(b"/a/row/that/a/kill/cut")
    second = json.loads(run("caption", album, *options).out)
    assert (second["written"], second["present"], second["failed"]) == (3, 1, [])
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "path\tcaption\tscore\tspace"
    rows = [line.split("\t") for line in lines[1:]]
    assert sorted(row[0] for row in rows) == sorted(map(str, album.rglob("*.png")))
    for path, caption, score, space in rows:
        assert caption in bank.read_text(encoding="utf-8").splitlines()
        assert float(score) == pytest.approx(float(bundled.similarity(Path(path), caption)[0, 0]), abs=1e-3)
        assert space == bundled.space_id
    again = run("caption", album, "-o", table, "--captions", bank)
    assert again.code == 0
    assert "wrote 0 captions" in again.out


def test_caption_takes_the_library_without_opening_its_files(run: Run, album: Path, tmp_path: Path) -> None:
    assert run("index", album).code == 0
    for file in album.rglob("*.png"):
        file.write_bytes(b"gone")
    table = tmp_path / "out.tsv"
    document = json.loads(run("caption", "-o", table, "--language", "en", "--json").out)
    assert (document["written"], document["failed"]) == (4, [])
    assert json.loads(run("caption", "-o", table, "--json").out)["present"] == 4
    assert len(table.read_text(encoding="utf-8").splitlines()) == 5


def test_names_that_a_table_cannot_hold_fail_alone(run: Run, album: Path, tmp_path: Path) -> None:
    odd, bytes_name = album / "a\tb.png", os.fsencode(album) + b"/\xff.png"
    content = (album / "red" / "red.png").read_bytes()
    odd.write_bytes(content)
    Path(os.fsdecode(bytes_name)).write_bytes(content)
    bank, table = tmp_path / "bank.txt", tmp_path / "out.tsv"
    bank.write_text("a red wall\n", encoding="utf-8")
    for present in (0, 5):
        result = run("caption", album, "-o", table, "--captions", bank, "--json")
        document = json.loads(result.out)
        assert (result.code, document["present"], document["written"]) == (1, present, 5 - present)
        assert [each["path"] for each in document["failed"]] == [str(odd)]
        assert "tab" in document["failed"][0]["reason"]
    assert bytes_name in table.read_bytes()


def test_bad_caption_calls_say_what_to_do(run: Run, album: Path, tmp_path: Path) -> None:
    bank = tmp_path / "bank.txt"
    bank.write_text("a red wall\n", encoding="utf-8")
    other, foreign = tmp_path / "other.tsv", tmp_path / "foreign.tsv"
    other.write_text("name\tage\nme\t3\n", encoding="utf-8")
    foreign.write_text("path\tcaption\tscore\tspace\na.png\tred\t0.1\tabc\n", encoding="utf-8")
    for arguments, message in (
        ((album, "-o", tmp_path / "out.csv"), "must end in .tsv"),
        ((album, "-o", other, "--captions", bank), "no table of captions"),
        ((album, "-o", foreign, "--captions", bank), "another model"),
        ((album, "--library", tmp_path, "-o", tmp_path / "out.tsv"), "not both"),
        (("--library", tmp_path / "nowhere", "-o", tmp_path / "out.tsv", "--captions", bank), "nowhere"),
        ((album, "-o", tmp_path / "out.tsv", "--captions", tmp_path / "none.txt"), "none.txt"),
    ):
        result = run("caption", *arguments)
        assert (result.code, message in result.err, "Traceback" in result.err) == (2, True, False), result.err
    assert other.read_text(encoding="utf-8") == "name\tage\nme\t3\n"


def test_refining_needs_torch(bundled: Model, pizza: Path) -> None:
    from seesay.errors import MissingCapability
    from seesay.tasks.interrogation.interrogator import Prompt
    from seesay.tasks.interrogation.refine import refined

    with pytest.raises(MissingCapability, match="engine='torch'"):
        refined(bundled, np.zeros(bundled.dim, dtype=np.float32), Prompt("a dog", (), 0.0, ()))
