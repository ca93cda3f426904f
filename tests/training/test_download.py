"""Fetching a list of URLs by img2dataset: for real where it is installed, and else from the record of a real run.

The record in tests/training/img2dataset is what `test_a_list_is_fetched_for_real` leaves in its folder (img2dataset 1.47.0).
SEESAY_IMG2DATASET names the program, if it is not on the search path.
"""

import io
import json
import os
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError
from seesay.training.curation.download import LOG, Options, columns, count_rows, download, find_program, read_stats
from seesay.training.curation.pairs import read_pairs
from seesay.training.data.samples import Sample
from seesay.training.data.shards import Shards
from tests.picture_server import Handler, Server, png, sends

RECORD = Path(__file__).parent / "img2dataset"
PROGRAM = os.environ.get("SEESAY_IMG2DATASET") or shutil.which("img2dataset")
CAPTIONS = {"a scene", "小的图片", 'red, "quoted"'}


def jpeg(seed: int, size: tuple[int, int]) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG")
    return stream.getvalue()


def large_png() -> bytes:
    stream = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def urls(server: Server, tmp_path: Path) -> Path:
    """A list with three good pictures and everything that goes wrong on the web."""

    def late(handler: Handler) -> None:
        time.sleep(3)
        handler.reply()

    rows = [
        (server.url("/a.jpg", sends(jpeg(1, (400, 300)), kind="image/jpeg")), "a scene"),
        (server.url("/gone.jpg", sends(status=404)), "gone"),
        (server.url("/page.html", sends(b"<html>no picture</html>", kind="text/html")), "a page"),
        (server.url("/b.jpg", sends(jpeg(2, (160, 100)), kind="image/jpeg")), "小的图片"),
        (server.url("/huge.bin", sends(bytes(30_000_000), kind="image/jpeg")), "thirty megabytes of nothing"),
        (server.url("/large.png", sends(large_png())), "more pixels than are read"),
        (server.url("/c.png", sends(png())), 'red, "quoted"'),
        (server.url("/no.jpg", sends(jpeg(3, (160, 100)), X_Robots_Tag="noai")), "not to be trained on"),
        (server.url("/late.jpg", late), "too late"),
        ("http://127.0.0.1:9/dead.jpg", "a dead link"),
        ("no url", "nothing"),
    ]
    file = tmp_path / "urls.tsv"
    file.write_text("\n".join(["URL\tTEXT", *(f"{url}\t{text}" for url, text in rows)]) + "\n", encoding="utf-8")
    return file


def check_shards(folder: Path) -> None:
    """The shards are read by the trainer's source, with the pictures and captions of the list."""
    pytest.importorskip("webdataset")
    samples = list(Shards(shards=("*.tar",)).open(folder).once())
    assert all(isinstance(sample, Sample) for sample in samples)
    assert {sample.text for sample in samples if isinstance(sample, Sample)} == CAPTIONS
    sizes = {}
    for pair in read_pairs([str(folder / "*.tar")]):
        assert isinstance(pair, Sample)
        assert isinstance(pair.image, bytes)
        sizes[pair.text] = Image.open(io.BytesIO(pair.image)).size
    assert sizes == {"a scene": (171, 128), "小的图片": (160, 100), 'red, "quoted"': (40, 30)}


@pytest.mark.skipif(PROGRAM is None, reason="img2dataset is not installed; SEESAY_IMG2DATASET names it")
def test_a_list_is_fetched_for_real(urls: Path, tmp_path: Path) -> None:
    assert PROGRAM is not None
    out, seen = tmp_path / "shards", []
    options = Options("URL", "TEXT", px=128, pairs_a_shard=11, timeout_s=1, threads=4)
    done = download(urls, out, PROGRAM, options, watch=lambda rows, fetched: seen.append((rows, fetched)))
    assert (done.shards, done.rows, done.fetched) == (1, 11, 3)
    assert sum(done.reasons.values()) == 8
    for reason in ("Image decoding error", "image area too large", "timed out"):
        assert reason in done.reasons
    assert any("404" in reason for reason in done.reasons)
    assert any("X-Robots-Tag" in reason for reason in done.reasons)
    assert seen
    check_shards(out)
    before = (out / "00000.tar").stat().st_mtime_ns
    assert download(urls, out, PROGRAM, options) == done  # what is complete is not fetched again
    assert (out / "00000.tar").stat().st_mtime_ns == before


def test_the_shards_of_a_real_run_are_read_by_the_trainer() -> None:
    done = read_stats(RECORD)
    assert (done.shards, done.rows, done.fetched) == (1, 11, 3)
    assert done.reasons["Image decoding error"] == 2
    check_shards(RECORD)


@pytest.fixture
def player(tmp_path: Path) -> Path:
    """A program that does what img2dataset did in the recorded run, and keeps what it was called with."""
    program = tmp_path / "player"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, shutil, sys\n"
        "given = dict(word[2:].split('=', 1) for word in sys.argv[1:])\n"
        "out = pathlib.Path(json.loads(given['output_folder']))\n"
        "(out / 'given.json').write_text(json.dumps([given, {name: os.environ.get(name) for name in ('PYTHONPATH', "
        "'NO_ALBUMENTATIONS_UPDATE')}]))\n"
        f"for file in pathlib.Path({str(RECORD)!r}).glob('0*'): shutil.copy(file, out)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_the_program_is_told_what_to_do(tmp_path: Path, player: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    (tmp_path / "urls.csv").write_text("1,caption\nhttp://a.example/a.jpg,a dog\n")
    done = download(tmp_path / "urls.csv", tmp_path / "out", str(player), Options("1", "caption", px=300, retries=2))
    assert done.fetched == 3
    given, environment = json.loads((tmp_path / "out" / "given.json").read_text())
    assert given["url_col"] == '"1"'  # a text, not a number
    assert given["url_list"] == json.dumps(str(tmp_path / "urls.csv"))
    assert (given["input_format"], given["output_format"]) == ('"csv"', '"webdataset"')
    assert (given["image_size"], given["retries"], given["resize_only_if_bigger"]) == ("300", "2", "True")
    assert environment == {"PYTHONPATH": None, "NO_ALBUMENTATIONS_UPDATE": "1"}


def test_a_folder_with_another_lists_shards_is_refused(tmp_path: Path, player: Path) -> None:
    (tmp_path / "urls.csv").write_text("url,caption\nhttp://a.example/a.jpg,a dog\n")
    options, out = Options("url", "caption"), tmp_path / "out"
    download(tmp_path / "urls.csv", out, str(player), options)
    download(tmp_path / "urls.csv", out, str(player), options)
    with pytest.raises(InputError, match="has shards of another list, or of other options; name another folder"):
        download(tmp_path / "urls.csv", out, str(player), Options("url", "caption", px=128))
    (tmp_path / "urls.csv").write_text("url,caption\nhttp://a.example/b.jpg,another dog\n")
    with pytest.raises(InputError, match="has shards of another list"):
        download(tmp_path / "urls.csv", out, str(player), options)
    (out / "list.txt").unlink()
    with pytest.raises(InputError, match="has shards of another list"):
        download(tmp_path / "urls.csv", out, str(player), options)


def test_offline_nothing_is_fetched(tmp_path: Path, player: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    (tmp_path / "urls.csv").write_text("url,caption\nhttp://a.example/a.jpg,a dog\n")
    with pytest.raises(InputError, match="SEESAY_OFFLINE is set"):
        download(tmp_path / "urls.csv", tmp_path / "out", str(player), Options("url", "caption"))
    assert not (tmp_path / "out").exists()


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "fails"
    program.write_text("#!/bin/sh\necho 'No module named cv2' >&2\nexit 3\n")
    program.chmod(0o755)
    (tmp_path / "urls.csv").write_text("url,caption\nhttp://a.example/a.jpg,a dog\n")
    with pytest.raises(InputError, match="exit code 3: No module named cv2. All that it said is in"):
        download(tmp_path / "urls.csv", tmp_path / "out", str(program), Options("url", "caption"))
    assert (tmp_path / "out" / LOG).exists()


def test_a_stopped_command_leaves_no_process(tmp_path: Path) -> None:
    program = tmp_path / "sleeps"
    program.write_text('#!/bin/sh\necho $$ > "$(dirname "$0")/pid"\nsleep 60\n')
    program.chmod(0o755)
    (tmp_path / "urls.csv").write_text("url,caption\nhttp://a.example/a.jpg,a dog\n")

    def stop(rows: int, fetched: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(tmp_path / "urls.csv", tmp_path / "out", str(program), Options("url", "caption"), watch=stop)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGCONT)


def test_columns_are_found_or_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"URL": ["a"] * 3, "TEXT": ["b"] * 3, "where": ["c"] * 3}), tmp_path / "urls.parquet")
    assert columns(tmp_path / "urls.parquet") == ("URL", "TEXT")
    assert columns(tmp_path / "urls.parquet", "where", "TEXT") == ("where", "TEXT")
    assert count_rows(tmp_path / "urls.parquet") == 3
    (tmp_path / "urls.tsv").write_text("link\tcaption\na\tb\n")
    for name, column, message in (
        ("urls.tsv", None, r"expected a column with the URLs \(url, image_url, image\), got link, caption. Name it with"),
        ("urls.parquet", "link", "expected a column 'link', got URL, TEXT, where"),
        ("absent.tsv", None, "no file is called"),
        ("urls.txt", None, "expected a list of URLs that ends in .parquet"),
    ):
        with pytest.raises(InputError, match=message):
            columns(tmp_path / name, column)
    assert columns(tmp_path / "urls.tsv", "link") == ("link", "caption")
    assert count_rows(tmp_path / "urls.tsv") is None
    (tmp_path / "bare.tsv").write_text("url\na\n")
    with pytest.raises(InputError, match="expected a column text, caption, texts, got url"):
        columns(tmp_path / "bare.tsv")


def test_without_the_program_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="img2dataset is not installed. It needs an environment of its own: `uv tool install"):
        find_program(None)
    with pytest.raises(InputError, match="absent is not a program"):
        find_program(tmp_path / "absent")
