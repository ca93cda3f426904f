"""Balancing pairs over queries, against a slow reference that follows the papers line by line."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seesay.errors import InputError, MissingExtra, SeeSayError
from seesay.training.curation import balance
from seesay.training.curation.balance import Pass, Settings, chance, curate, keep_probability, misses
from seesay.training.curation.matcher import Matcher, read_queries
from seesay.training.curation.spacing import pattern, spaced
from seesay.training.curation.tables import Part, find_tables, parts, read_part, table_writer

ENGLISH = ("dog", "cat", "black dog", "red", "the", "New York", "U.S.", "hot dog", "dogs", "a dog", "tree", "unseen thing")
CHINESE = ("狗", "小狗", "草地", "红色", "一只", "T恤", "跑")
CAPTIONS = (
    "a dog runs", "a black dog, and a cat.", "hotdog", "hot dog", "DOG", "the dog!the cat", "dogs\tin New York",
    "the black flag", "tree", "nothing here?", "", "the red tree; the red red tree", "New York, New York", "dog`cat:red",
)  # fmt: skip


def reference_matches(queries: tuple[str, ...], caption: str) -> set[int]:
    """Queries of a caption as MetaCLIP finds them: padded substrings of the padded caption, one after the other."""
    text = f" {caption} "
    for mark in (",", ".", ";", ":", "?", "!", "`"):
        text = text.replace(mark, f" {mark} ")
    for space in "\t\n\r":
        text = text.replace(space, " ")
    return {number for number, query in enumerate(queries) if f" {query} " in text}


def write_parquet(file: Path, captions: Sequence[str | None], *, rows_a_group: int = 1000, **more: list[Any]) -> Path:
    columns = {"url": [f"http://a.example/{n}.jpg" for n in range(len(captions))], "text": list(captions), **more}
    pq.write_table(pa.table(columns), file, row_group_size=rows_a_group)
    return file


@pytest.fixture
def zipf() -> list[str]:
    """3,000 captions of words of very different frequency, English and Chinese."""
    draw = random.Random(5)
    words = [f"w{n}" for n in range(80)] + [chr(0x4E00 + n) * 2 for n in range(40)]
    weights = [1 / (n + 1) for n in range(len(words))]
    return [" ".join(draw.choices(words, weights, k=draw.randint(1, 6))) for _ in range(3000)]


@pytest.mark.parametrize("caption", CAPTIONS)
def test_english_queries_are_found_as_metaclip_finds_them(caption: str) -> None:
    plain = tuple(query for query in ENGLISH if "." not in query)  # there such queries are never found
    assert Matcher(plain).find(caption) == reference_matches(plain, caption)


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("一只小狗在草地上跑", {"狗", "小狗", "草地", "一只", "跑"}),
        ("红色T恤", {"红色", "T恤"}),
        ("白色 T恤", {"T恤"}),
        ("一只dog在跑", {"一只", "跑", "dog"}),
        ("red，红色", {"red", "红色"}),
        ("狗dog狗", {"狗", "dog"}),
        ("恤T恤", {"T恤"}),
        ("XT恤", set()),
        ("the U.S. flag", {"the", "U.S."}),
        ("in the U.S.A.", {"the"} | {"U.S."}),
    ],
)
def test_chinese_and_mixed_captions(caption: str, found: set[str]) -> None:
    queries = (*ENGLISH, *CHINESE)
    assert {queries[number] for number in Matcher(queries).find(caption)} == found


def test_case_differs_unless_it_is_ignored() -> None:
    assert Matcher(("dog", "Dog")).find("a Dog") == {1}
    assert Matcher(("dog", "Dog", "Straße"), ignore_case=True).find("a DOG in the STRASSE") == {0, 1, 2}


def test_captions_and_queries_are_written_alike() -> None:
    assert spaced("a dog, here\n") == " a dog ,  here  "
    assert pattern("dog") == " dog "
    assert pattern("小狗") == "小狗"
    assert pattern("T恤") == " T 恤"


def test_a_pair_is_kept_with_the_probability_of_the_paper() -> None:
    counts = np.array([10, 100, 1000, 0])
    for found in ([0], [1], [2], [1, 2], [0, 2]):
        expected = 1 - np.prod([1 - min(1, 50 / counts[number]) for number in found])
        assert keep_probability(found, misses(counts, 50)) == pytest.approx(expected)


def test_chances_are_uniform_and_of_the_row_and_seed_alone() -> None:
    drawn = np.array([chance((f"caption {number}", number), 3) for number in range(20_000)])
    assert 0 <= drawn.min() < drawn.max() < 1
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)
    assert chance(("a", 1), 3) == chance(("a", 1), 3) != chance(("a", 1), 4)
    assert chance(("a", 1), 3) != chance(("a", 2), 3)


def test_the_pairs_that_are_kept_are_those_of_the_slow_reference(tmp_path: Path, zipf: list[str]) -> None:
    """The paper's algorithm 1 (and balancing.py of its authors) with the same numbers."""
    captions: tuple[str | None, ...] = (*zipf, None, "no query at all")
    table = write_parquet(tmp_path / "in.parquet", captions, rows_a_group=700)
    queries = tuple(dict.fromkeys(word for caption in zipf for word in caption.split()))[:90]
    matches = [
        {n for n, query in enumerate(queries) if f" {query} " in f" {caption} " or (not query.isascii() and query in caption)}
        if caption
        else set()
        for caption in captions
    ]
    count = Counter(number for found in matches for number in found)
    probability = {number: min(1.0, 40 / count[number]) for number in count}
    rows = pq.read_table(table).to_pylist()
    kept = []
    for row, found in zip(rows, matches, strict=True):
        drop = np.prod([1 - probability[number] for number in found]) if found else 1.0
        if chance(tuple(row[name] for name in sorted(row)), 11) < 1 - drop:
            kept.append(row)
    result = curate([table], tmp_path / "out.parquet", queries, cap=40, seed=11)
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == kept
    assert (result.read, result.matched, result.kept) == (3002, sum(map(bool, matches)), len(kept))
    assert result.before.tolist() == [count[number] for number in range(len(queries))]
    left = Counter(number for row in kept for number in matches[rows.index(row)])
    assert result.after.tolist() == [left[number] for number in range(len(queries))]
    assert 0.1 < result.kept / result.read < 0.9
    assert not (tmp_path / "out.parquet.work").exists()


def test_rare_queries_keep_all_and_frequent_ones_about_the_cap(tmp_path: Path) -> None:
    """Queries that never meet: each keeps min(count, cap) on average (Xu and others 2023, section 3.3)."""
    captions = ["common thing"] * 4000 + ["middling thing"] * 200 + ["rare thing"] * 20
    table = write_parquet(tmp_path / "in.parquet", captions)
    kept = curate([table], tmp_path / "out.parquet", ("common", "middling", "rare"), cap=200).after
    assert kept[1:].tolist() == [200, 20]
    assert kept[0] == pytest.approx(200, abs=4 * 200**0.5)


def test_a_larger_cap_keeps_what_a_smaller_one_kept(tmp_path: Path, zipf: list[str]) -> None:
    table = write_parquet(tmp_path / "in.parquet", list(zipf))
    queries = tuple(dict.fromkeys(word for caption in zipf for word in caption.split()))
    kept = []
    for cap in (10, 30, 100):
        curate([table], tmp_path / f"{cap}.parquet", queries, cap=cap)
        kept.append(set(pq.read_table(tmp_path / f"{cap}.parquet")["url"].to_pylist()))
    assert kept[0] < kept[1] < kept[2]


def test_order_files_and_processes_change_nothing(tmp_path: Path, zipf: list[str]) -> None:
    queries = tuple(dict.fromkeys(word for caption in zipf for word in caption.split()))
    rows = pa.table({"url": [f"{n}.jpg" for n in range(len(zipf))], "text": zipf})
    pq.write_table(rows, tmp_path / "one.parquet", row_group_size=500)
    pq.write_table(rows.slice(1000).take(list(range(1999, -1, -1))), tmp_path / "a.parquet")
    pq.write_table(rows.slice(0, 1000), tmp_path / "b.parquet")
    curate([tmp_path / "one.parquet"], tmp_path / "out1.parquet", queries, cap=20)
    curate(find_tables([str(tmp_path / "[ab].parquet")]), tmp_path / "out2.parquet", queries, cap=20, processes=2)
    one, two = (set(pq.read_table(tmp_path / name)["url"].to_pylist()) for name in ("out1.parquet", "out2.parquet"))
    assert one == two
    assert len(one) > 10


def test_a_run_that_ended_midway_goes_on(tmp_path: Path, zipf: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_parquet(tmp_path / "in.parquet", list(zipf), rows_a_group=500)
    queries = tuple(dict.fromkeys(word for caption in zipf for word in caption.split()))
    whole = curate([table], tmp_path / "whole.parquet", queries, cap=20)
    out, read = tmp_path / "out.parquet", []

    def failing(part: Part) -> Any:
        read.append(part.group)
        if len(read) == 9:  # three parts into the second pass
            raise KeyboardInterrupt
        return read_part(part)

    monkeypatch.setattr(balance, "read_part", failing)
    with pytest.raises(KeyboardInterrupt):
        curate([table], out, queries, cap=20)
    assert not out.exists()
    read.clear()
    read.extend([None] * 10)  # so that it does not fail again
    result = curate([table], out, queries, cap=20)
    assert read[10:] == [2, 3, 4, 5, *range(6)]  # what was counted and chosen is read again only to be written
    assert result.kept == whole.kept
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "whole.parquet"))


def test_what_another_run_left_is_not_taken_for_this_one(tmp_path: Path, zipf: list[str]) -> None:
    table = write_parquet(tmp_path / "in.parquet", list(zipf), rows_a_group=500)
    settings = Settings(("w1",), "text", False, 0)
    work = balance.Work(tmp_path / "out.parquet", settings, [table])
    stale = work.files("counts", 6)
    for part, file in zip(parts([table]), stale, strict=True):
        Pass(settings)(None, part, file)
    assert all(file.exists() for file in stale)
    found = curate([table], tmp_path / "out.parquet", ("w2", "w3"), cap=20)
    assert found.before.tolist() == [sum(f" {word} " in f" {caption} " for caption in zipf) for word in ("w2", "w3")]


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".parquet"])
def test_every_kind_of_table_goes_in_and_out(tmp_path: Path, suffix: str) -> None:
    table = write_parquet(tmp_path / "in.parquet", ['a dog, "black"', "a cat", "一只小狗"], label=["x", "y", "z"])
    curate([table], tmp_path / f"half{suffix}", ("dog", "狗"))
    curate([tmp_path / f"half{suffix}"], tmp_path / "out.parquet", ("dog", "狗"))
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["text"], row["label"]) for row in rows] == [('a dog, "black"', "x"), ("一只小狗", "z")]


def test_a_table_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("as it was")

    def fail() -> None:
        with table_writer(out) as writer:
            writer.write(pa.RecordBatch.from_pylist([{"text": "a"}]))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert out.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [out]


def test_the_column_of_the_captions(tmp_path: Path) -> None:
    pq.write_table(pa.table({"URL": ["a"], "TEXT": ["a dog"]}), tmp_path / "in.parquet")
    assert curate([tmp_path / "in.parquet"], tmp_path / "out.parquet", ("dog",)).kept == 1
    assert curate([tmp_path / "in.parquet"], tmp_path / "out.parquet", ("a",), column="URL").kept == 1


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"url": ["a"], "words": ["a dog"]}, "expected a column text, caption, texts, got url, words"),
        ({"text": [3]}, "expected texts, got int"),
        ({"text": [["a", "b"]]}, "expected texts, got list"),
    ],
)
def test_a_table_without_captions_is_refused(tmp_path: Path, columns: dict[str, list[Any]], message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=message):
        curate([tmp_path / "in.parquet"], tmp_path / "out.parquet", ("dog",))
    assert not (tmp_path / "out.parquet").exists()


def test_damaged_and_absent_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="is not a Parquet file"):
        curate([tmp_path / "bad.parquet"], tmp_path / "out.parquet", ("dog",))
    with pytest.raises(InputError, match="no file is called"):
        find_tables([str(tmp_path / "absent-*.parquet")])
    (tmp_path / "a.txt").write_text("a dog\n")
    with pytest.raises(InputError, match="expected a table that ends in .parquet, .tsv"):
        find_tables([str(tmp_path / "a.txt")])
    (tmp_path / "a.tsv").write_text("image\ttext\na.jpg\ta dog\tmore\n")
    with pytest.raises(InputError, match="line 2: expected 2 columns"):
        curate([tmp_path / "a.tsv"], tmp_path / "out.tsv", ("dog",))
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "a dog"}\n\xff\xfe\n')
    with pytest.raises(InputError, match="line 2 is not JSON"):
        curate([tmp_path / "b.jsonl"], tmp_path / "out.tsv", ("dog",))


def test_tables_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("image\ttext\na.jpg\ta dog\n")
    (tmp_path / "b.tsv").write_text("text\na dog\n")
    with pytest.raises(InputError, match="expected tables with the same columns, image, text, got text"):
        curate(find_tables([str(tmp_path / "*.tsv")]), tmp_path / "out.parquet", ("dog",))


def test_lists_of_queries(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("dog\n\n cat \ndog\n小狗\n", encoding="utf-8")
    (tmp_path / "q.json").write_text(json.dumps(["dog", "a, b"]))
    assert read_queries(tmp_path / "q.txt") == ("dog", "cat", "小狗")
    assert read_queries(tmp_path / "q.json") == ("dog", "a, b")
    for name, content, message in (
        ("empty.txt", "\n", "has no queries; make a list with"),
        ("map.json", '{"a": 1}', "expected a list of strings"),
        ("bad.json", "[", "cannot be read"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=message):
            read_queries(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_queries(tmp_path / "absent.txt")


def test_nothing_is_written_over_what_is_read(tmp_path: Path) -> None:
    table = write_parquet(tmp_path / "in.parquet", ["a dog"])
    with pytest.raises(InputError, match="one of the tables that are read"):
        curate([table], table, ("dog",))
    with pytest.raises(InputError, match="a cap of at least 1, got 0"):
        curate([table], tmp_path / "out.parquet", ("dog",), cap=0)


def test_a_process_that_is_killed_is_said(tmp_path: Path, zipf: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: ProcessPoolExecutor, *_: object) -> Iterator[Any]:
        self.submit(os._exit, 1).result()
        raise AssertionError

    table = write_parquet(tmp_path / "in.parquet", zipf, rows_a_group=500)
    monkeypatch.setattr(ProcessPoolExecutor, "map", broken)
    with pytest.raises(SeeSayError, match="a process was ended from outside"):
        curate([table], tmp_path / "out.parquet", ("w1",), processes=2)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_command_leaves_no_process_behind(tmp_path: Path, zipf: list[str]) -> None:
    """Workers wait for work for ever, if nobody ends them; and the next run is as if nothing had happened."""
    table = write_parquet(tmp_path / "in.parquet", zipf * 40, rows_a_group=10_000)
    (tmp_path / "q.txt").write_text("\n".join(dict.fromkeys(word for caption in zipf for word in caption.split())))
    command = [sys.executable, "-m", "seesay", "data", "curate", str(table), str(tmp_path / "out.parquet")]
    command += ["--queries", str(tmp_path / "q.txt"), "--cap", "50", "--processes", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out.parquet.work/counts-*")):  # until the workers work
        assert time.monotonic() < deadline
    workers = children(process.pid)
    process.kill()
    process.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker waits for its dead parent"
        time.sleep(0.05)
    assert len(workers) >= 2
    assert not (tmp_path / "out.parquet").exists()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    curate([table], tmp_path / "whole.parquet", read_queries(tmp_path / "q.txt"), cap=50)
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path: Path) -> None:
    table = write_parquet(tmp_path / "in.parquet", ["a dog"])
    for out, message in ((tmp_path / "out.doc", "expected a name that ends in"), (tmp_path / "a.parquet", "is a folder")):
        (tmp_path / "a.parquet").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=message):
            curate([table], out, ("dog",))
        assert not out.with_name(f"{out.name}.work").exists()


@pytest.mark.parametrize("library", ["pyarrow", "ahocorasick"])
def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    table = write_parquet(tmp_path / "in.parquet", ["a dog"])
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"seesay\[data\]"):
        curate([table], tmp_path / "out.parquet", ("dog",))


def test_without_any_match_the_table_is_empty(tmp_path: Path) -> None:
    table = write_parquet(tmp_path / "in.parquet", ["a dog"])
    assert curate([table], tmp_path / "out.parquet", ("elephant",)).kept == 0
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
