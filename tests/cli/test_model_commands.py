"""classify, similarity, embed, models."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seesay
from seesay.model import Model
from tests.cli.conftest import Run
from tests.compat.tiny import make_open_clip
from tests.picture_server import Server, png, sends


def test_classify_ranks_labels(run: Run, photos: list[Path]) -> None:
    pizza = next(path for path in photos if path.name.startswith("pizza"))
    result = run("classify", pizza, "--labels", "dog, pizza，狗、helicopter,pizza,")
    assert result.code == 0
    assert result.out.splitlines()[1].split()[-1] == "pizza"
    assert {line.split()[-1] for line in result.out.splitlines()[1:]} == {"dog", "pizza", "狗", "helicopter"}
    document = json.loads(run("classify", pizza, "--labels", "狗、披萨", "--json").out)
    assert document["labels"] == ["狗", "披萨"]
    assert document["results"][0]["best"] == "披萨"
    assert sum(document["results"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_classify_with_a_bad_picture_does_the_rest(run: Run, album: Path) -> None:
    bad = album / "bad.jpg"
    bad.write_text("x")
    result = run("classify", album / "red/red.png", bad, album / "none.png", "--labels", "red,blue", "--json")
    document = json.loads(result.out)
    assert result.code == 1
    assert [r["path"] for r in document["results"]] == [str(album / "red/red.png")]
    assert [f["path"] for f in document["failed"]] == [str(bad), str(album / "none.png")]
    assert "none.png: no such file" in result.err


def test_classify_compares_models(run: Run, album: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pizza, bad = next(path for path in photos if path.name.startswith("pizza")), album / "none.png"
    monkeypatch.setenv("SEESAY_CACHE", str(album / "cache"))
    other = make_open_clip(album / "tiny")
    models = ("--model", "bundled", "--model", other, "--model", "bundled")
    result = run("classify", pizza, bad, "--labels", "dog,pizza", *models)
    lines = result.out.splitlines()
    assert result.code == 1
    assert result.err.count("none.png: no such file") == 1
    assert lines[0].split()[1] == "bundled"
    assert len(lines[0].split()) == 3
    assert [line.split()[0] for line in lines[1:]] == ["pizza", "dog"]
    assert [len(line.split()) for line in lines[1:]] == [3, 3]

    document = json.loads(run("classify", pizza, bad, "--labels", "dog,pizza", *models, "--json").out)
    assert document.keys() == {"labels", "models", "failed"}
    assert [answers["model"] for answers in document["models"]] == ["bundled", str(other)]
    assert document["models"][0]["space_id"] != document["models"][1]["space_id"]
    assert [f["path"] for f in document["failed"]] == [str(bad)]
    for answers in document["models"]:
        (alone,) = json.loads(run("classify", pizza, "--labels", "dog,pizza", "--model", answers["model"], "--json").out)[
            "results"
        ]
        assert answers["results"] == [alone]
    assert run("classify", pizza, "--labels", "dog", "--model", "bundled", "--model", "nonsense").code == 2


def test_similarity_is_the_models_matrix(run: Run, album: Path, bundled: Model, tmp_path: Path) -> None:
    a, b = album / "red/red.png", album / "blue/blue.png"
    document = json.loads(run("similarity", a, b, "--text", "a tomato", "--json").out)
    assert (document["rows"], document["columns"]) == ([str(a), str(b)], ["a tomato"])
    np.testing.assert_allclose(document["cosine"], bundled.similarity([a, b], "a tomato"), atol=1e-5)
    assert np.shape(json.loads(run("similarity", a, b, "--json").out)["cosine"]) == (2, 2)
    table = run("similarity", "--text", "a tomato", "--text", "[bold]a dog[/bold]").out
    assert "1.000" in table
    assert "[bold]a dog" in table
    assert run("similarity", a, b).out.split()[:2] == ["red.png", "blue.png"]
    assert run("similarity", album / "none.png", "--text", "x").code == 1
    drawn = run("similarity", a, b, "--text", "a tomato", "--text", "\U0010fffd", "--plot", tmp_path / "a.png")
    assert (drawn.code, drawn.err.count("\n")) == (0, 2)
    assert "no font of this system has \U0010fffd" in drawn.err
    with Image.open(tmp_path / "a.png") as figure:
        assert figure.width > 200
    assert run("similarity", a, "--text", "x", "--plot", tmp_path / "a.docx").code == 2


@pytest.mark.parametrize("suffix", [".npz", ".jsonl", ".parquet"])
def test_embed_writes_what_the_model_gives(run: Run, album: Path, tmp_path: Path, bundled: Model, suffix: str) -> None:
    (album / "bad.png").write_bytes(b"")
    captions = tmp_path / "captions.txt"
    captions.write_text("a dog\n\na cat\n")
    file = tmp_path / "out" / f"vectors{suffix}"
    result = run("embed", album, captions, "--text", "a bird", "-o", file, "--json")
    assert result.code == 1
    counts = json.loads(result.out)
    assert (counts["written"], counts["dim"], len(counts["failed"])) == (7, bundled.dim, 1)
    rows = READ[suffix](file)
    assert [(text, line) for _, text, line, _ in rows if text] == [("a dog", 1), ("a cat", 3), ("a bird", 0)]
    pictures = [path for path, text, _, _ in rows if not text]
    assert len(pictures) == 4
    expected = np.concatenate(
        [bundled.encode_text(["a dog", "a cat"]), bundled.encode_image(pictures), bundled.encode_text("a bird")]
    )
    np.testing.assert_allclose(np.stack([vector for *_, vector in rows]), expected, atol=1e-6)
    assert not list(file.parent.glob("*.part"))


def test_a_url_is_taken_wherever_a_picture_is(run: Run, album: Path, tmp_path: Path, server: Server, bundled: Model) -> None:
    red = (album / "red/red.png").read_bytes()
    url, gone = server.url("/red.png?size=1", sends(red)), server.url("/gone.png", sends(status=404))
    classified = run("classify", url, gone, "--labels", "red,blue", "--json")
    document = json.loads(classified.out)
    assert (classified.code, document["results"][0]["path"]) == (1, url)
    assert document["failed"] == [{"path": gone, "reason": "the server answered 404 Not Found"}]
    assert run("classify", url, "--labels", "red,blue").out.splitlines()[0] == url
    alike = json.loads(run("similarity", url, album / "red/red.png", "--json").out)
    assert alike["rows"][0] == url
    np.testing.assert_allclose(alike["cosine"], 1, atol=1e-5)
    assert run("similarity", gone, url).err == f"seesay: {gone}: the server answered 404 Not Found\n"
    file = tmp_path / "v.npz"
    assert run("embed", url, gone, "-o", file).code == 1
    ((path, _, _, vector),) = read_npz(file)
    assert path == url
    np.testing.assert_allclose(vector, bundled.encode_image(red)[0], atol=1e-6)
    run("index", album)
    nearest = json.loads(run("search", "--image", url, "-n", "1", "--json").out)
    assert nearest["query"] == {"image": url}
    assert nearest["results"][0]["path"] == str(album / "red/red.png")


def test_a_url_that_is_a_text_is_never_fetched(run: Run, album: Path, tmp_path: Path, server: Server) -> None:
    url = server.url("/red.png", sends(png()))
    texts = tmp_path / "links.txt"
    texts.write_text(f"{url}\n")
    assert run("index", album, texts).code == 0
    assert run("search", url).code == 0
    assert run("similarity", "--text", url, "--text", "a tomato").code == 0
    assert run("embed", texts, "--text", url, "-o", tmp_path / "v.npz").code == 0
    indexed = run("index", url)
    assert (indexed.code, "no such file or folder" in indexed.err) == (2, True)
    assert server.asked == []


Rows = list[tuple[str, str, int, np.ndarray]]


def read_npz(file: Path) -> Rows:
    data = np.load(file, allow_pickle=False)
    assert data["space_id"] == seesay.load().space_id
    return list(zip(data["path"], data["text"], data["line"], data["vectors"], strict=True))


def read_jsonl(file: Path) -> Rows:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [(r.get("path", ""), r.get("text", ""), r.get("line", 0), np.array(r["vector"])) for r in rows]


def read_parquet(file: Path) -> Rows:
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    assert table.schema.metadata[b"space_id"].decode() == seesay.load().space_id
    return [(r["path"] or "", r["text"] or "", r["line"] or 0, np.array(r["vector"])) for r in table.to_pylist()]


READ = {".npz": read_npz, ".jsonl": read_jsonl, ".parquet": read_parquet}


def test_embed_tells_what_of_a_folder_is_not_read(run: Run, album: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mov", "c.psd"):
        (album / name).write_bytes(b"x")
    output = run("embed", album, "-o", tmp_path / "v.npz").err
    assert "  2 × video: not read by this version" in output
    assert "  1 × picture of another kind: convert it" in output
    assert json.loads(run("embed", album, "-o", tmp_path / "v.npz", "--json").out)["skipped"] == {
        "video": 2,
        "picture of another kind": 1,
    }


def test_embed_without_pyarrow_names_the_extra(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    result = run("embed", "--text", "a dog", "-o", tmp_path / "x.parquet")
    assert result.code == 2
    assert "pip install 'seesay[parquet]'" in result.err
    assert list(tmp_path.iterdir()) == []


def test_embed_to_a_place_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("embed", "--text", "a dog", "-o", tmp_path / "file" / "x.npz")
    assert result.code == 2
    assert "cannot write" in result.err


def test_models_list_and_info(run: Run) -> None:
    listed = json.loads(run("models", "list", "--json").out)["models"][0]
    assert (listed["name"], listed["dim"], listed["languages"]) == ("bundled", 512, ["en", "zh"])
    assert listed["megabytes"] < 45
    info = json.loads(run("models", "info", "--json").out)
    assert "research and personal use" in info["card"]["licence"]
    assert {score["task"] for score in info["card"]["variants"]} <= {score["task"] for score in info["card"]["scores"]}
    text = run("models", "info").out
    assert text.index("Good at:") < text.index("Bad at:") < text.index("Measured:")
    assert "without Flickr8k" in text
    for part in (
        "zero-shot caltech101, top-1",
        "Flickr8k val, Chinese",
        "EfficientNet-Lite2",
        "cosine mean",
    ):
        assert part in text
    assert run("models", "info", "nonsense").code == 2


def test_every_command_has_help(run: Run) -> None:
    from seesay.cli.main import COMMANDS

    for command in COMMANDS:
        result = run(command, "--help")
        assert result.code == 0
        assert "--json" in result.out or "[ARGS]..." in result.out or command == "serve"
