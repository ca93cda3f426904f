"""`seesay data`: its fixed command lines, what they print and write, and what they refuse."""

import json
import random
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

NOUNS = ("dog", "cat", "bird", "horse", "小狗", "骆驼")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    draw = random.Random(1)
    rows = [f"{n}.jpg\ta {draw.choices(NOUNS, (60, 20, 10, 5, 4, 1))[0]} on grass" for n in range(400)]
    file = tmp_path / "in.tsv"
    file.write_text("\n".join(["image\ttext", *rows]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def parquet(table: Path) -> Path:
    pyarrow_csv = pytest.importorskip("pyarrow.csv")
    import pyarrow.parquet

    options = pyarrow_csv.ParseOptions(delimiter="\t")
    pyarrow.parquet.write_table(pyarrow_csv.read_csv(table, parse_options=options), table.with_suffix(".parquet"))
    return table.with_suffix(".parquet")


def test_queries_are_made_from_captions(run: Run, table: Path, tmp_path: Path) -> None:
    found = run("data", "queries", table, "-o", tmp_path / "q.txt")
    assert found.code == 0
    assert "queries from 400 captions" in found.out
    queries = (tmp_path / "q.txt").read_text(encoding="utf-8").splitlines()
    assert {"dog", "cat", "grass", "狗"} <= set(queries)
    document = json.loads(run("data", "queries", table, "-o", tmp_path / "q.txt", "--least", "50", "--json").out)
    assert document["queries"] == len((tmp_path / "q.txt").read_text(encoding="utf-8").splitlines())
    assert (document["captions"], document["least"]) == (400, 50)


def test_curation_balances_a_parquet_table(run: Run, parquet: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    (tmp_path / "q.txt").write_text("\n".join(NOUNS), encoding="utf-8")
    out = tmp_path / "out.parquet"
    document = json.loads(run("data", "curate", parquet, out, "--queries", tmp_path / "q.txt", "--cap", "20", "--json").out)
    texts = pyarrow.parquet.read_table(out)["text"].to_pylist()
    assert document["pairs"] == {"read": 400, "matched": 400, "kept": len(texts)}
    assert document["queries"]["before"]["p100"] == document["largest"][0]["before"] > 200
    assert document["largest"][0]["query"] == "dog"
    assert document["largest"][0]["after"] == sum("dog" in text for text in texts)
    assert document["queries"]["after"]["p100"] < 45
    assert document["queries"]["after"]["top_share"] < document["queries"]["before"]["top_share"]


def test_curation_in_words_with_a_plot(run: Run, table: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "q.txt").write_text("\n".join((*NOUNS, "zebra")), encoding="utf-8")
    arguments = ("--queries", tmp_path / "q.txt", "--cap", "20", "--plot", tmp_path / "plot.png")
    found = run("data", "curate", table, tmp_path / "out.tsv", *arguments)
    assert found.code == 0
    assert "6 of 7 queries are found" in found.out
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8").startswith("image\ttext\n")


def test_nothing_kept_is_said_by_the_exit_code(run: Run, table: Path, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("zebra\n")
    assert run("data", "curate", table, tmp_path / "out.tsv", "--queries", tmp_path / "q.txt").code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("curate", "absent.parquet", "out.parquet", "--queries", "q.txt"), "no file is called absent.parquet"),
        (("curate", "in.tsv", "out.parquet"), "Missing option '--queries'"),
        (("curate", "in.tsv", "out.parquet", "--queries", "absent.txt"), "absent.txt cannot be read"),
        (("curate", "in.tsv", "out.parquet", "--queries", "empty.txt"), "has no queries"),
        (("curate", "in.tsv", "out.parquet", "--queries", "q.txt", "--cap", "0"), "0 is not in the range"),
        (("curate", "in.tsv", "out.doc", "--queries", "q.txt"), "expected a name that ends in .parquet"),
        (("curate", "in.tsv", "in.tsv", "--queries", "q.txt"), "in.tsv"),
        (("curate", "in.tsv", "out.tsv", "--queries", "q.txt", "--text-column", "words"), "expected a column 'words'"),
        (("curate", "in.tsv", "out.tsv", "--queries", "q.txt", "--plot", "plot.doc"), "ends in one of .png"),
        (("curate", "empty.txt", "out.tsv", "--queries", "q.txt"), "expected a table that ends in"),
        (("queries", "in.tsv"), "Missing option '-o'"),
        (("queries", "in.tsv", "-o", "in.tsv"), "in.tsv"),
        (("queries", "in.tsv", "-o", "new.txt", "--names", "absent.txt"), "absent.txt cannot be read"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.txt").write_text("dog\n")
    (tmp_path / "empty.txt").write_text("\n")
    before = table.read_bytes()
    found = run("data", *arguments)
    assert found.code == 2
    assert message in found.err
    assert "Traceback" not in found.err
    assert table.read_bytes() == before


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A table of two photos of the examples, one of them twice, and one that is not there."""
    photos = sorted((Path(__file__).parents[2] / "examples" / "photos").rglob("*.jpg"))[:2]
    rows = [f"{photos[0]}\ta photo", f"{photos[1]}\t一张照片", f"{photos[0]}\tthe first again", "absent.jpg\tnothing"]
    file = tmp_path / "photos.tsv"
    file.write_text("\n".join(["image\ttext", *rows]) + "\n", encoding="utf-8")
    return file


def test_a_collection_is_checked(run: Run, photos: Path) -> None:
    found = run("data", "check", photos)
    assert found.code == 1
    for part in ("4 pairs of 2 pictures, 1 broken", "English 75.0%, Chinese 25.0%", "4 different captions"):
        assert part in found.out
    document = json.loads(run("data", "check", photos, "--json").out)
    assert (document["pairs"], document["pictures"], document["broken"]["count"]) == (4, 2, 1)
    assert document["leaks"] is None


def test_a_leak_into_the_test_set_is_found(run: Run, photos: Path, tmp_path: Path) -> None:
    first = photos.read_text(encoding="utf-8").splitlines()[1].partition("\t")[0]
    (tmp_path / "test.tsv").write_text(f"image\ttext\n{first}\tA photo!\n")
    (tmp_path / "good.tsv").write_text(
        "".join(photos.read_text(encoding="utf-8").splitlines(keepends=True)[:3]), encoding="utf-8"
    )
    found = run("data", "check", tmp_path / "good.tsv", "--against", tmp_path / "test.tsv")
    assert found.code == 1
    assert "1 pictures, captions of 1 pairs" in found.out
    document = json.loads(run("data", "check", tmp_path / "good.tsv", "--against", tmp_path / "test.tsv", "--json").out)
    assert (document["leaks"]["pictures"], document["leaks"]["captions"]) == (1, 1)
    assert run("data", "check", tmp_path / "good.tsv").code == 0


def test_what_is_no_collection_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("image\tlabel\na.jpg\tdog\n")
    for arguments, message in (
        ((tmp_path / "labels.tsv",), "expected a column with the text"),
        ((tmp_path / "absent.tsv",), "cannot be read"),
        ((tmp_path / "absent.tar",), "there is no such file"),
        ((tmp_path / "a.doc",), "expected a table that ends in"),
    ):
        found = run("data", "check", *arguments)
        assert (found.code, "Traceback" in found.err) == (2, False)
        assert message in found.err


@pytest.fixture
def player(tmp_path: Path) -> Path:
    """A program that leaves the shards of a recorded run of img2dataset."""
    record = Path(__file__).parents[1] / "training" / "img2dataset"
    program = tmp_path / "player"
    program.write_text(
        f"#!{sys.executable}\nimport json, pathlib, shutil, sys\n"
        "given = dict(word[2:].split('=', 1) for word in sys.argv[1:])\n"
        f"for file in pathlib.Path({str(record)!r}).glob('0*'):\n"
        "    shutil.copy(file, json.loads(given['output_folder']))\n"
    )
    program.chmod(0o755)
    return program


def test_pictures_are_fetched_into_shards(run: Run, tmp_path: Path, player: Path) -> None:
    (tmp_path / "urls.tsv").write_text("URL\tTEXT\nhttp://a.example/a.jpg\ta dog\n")
    out = tmp_path / "out"
    found = run("data", "fetch", tmp_path / "urls.tsv", out, "--img2dataset", player)
    assert found.code == 1  # some were not fetched
    assert "3 of 11 pictures in 1 shards" in found.out
    assert "HTTP Error 404" in found.out
    document = json.loads(run("data", "fetch", tmp_path / "urls.tsv", out, "--img2dataset", player, "--json").out)
    assert (document["shards"], document["rows"], document["fetched"]) == (1, 11, 3)
    assert document["reasons"]["timed out"] == 1
    pytest.importorskip("webdataset")
    checked = json.loads(run("data", "check", f"{out}/*.tar", "--json").out)
    assert (checked["pairs"], checked["pictures"], checked["broken"]["count"]) == (3, 3, 0)


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("link\ttext", (), "expected a column with the URLs (url, image_url, image), got link, text"),
        ("url\tname", (), "expected a column text, caption, texts, got url, name"),
        ("url\ttext", ("--url-column", "link"), "expected a column 'link', got url, text"),
        ("url\ttext", ("--img2dataset", "absent"), "absent is not a program"),
        ("url\ttext", ("--px", "0"), "0 is not in the range"),
    ],
)
def test_a_list_that_cannot_be_fetched_is_refused(
    run: Run, tmp_path: Path, header: str, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "urls.tsv").write_text(f"{header}\na\tb\n")
    found = run("data", "fetch", tmp_path / "urls.tsv", tmp_path / "out", *options)
    assert (found.code, "Traceback" in found.err) == (2, False)
    assert message in found.err
    assert not (tmp_path / "out").exists()
