import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seesay.errors import InputError, MissingExtra
from seesay.system.schema import from_json
from seesay.training.data.samples import Sample, SampleFault
from seesay.training.data.shards import Shards, ShardSource
from seesay.training.data.skipped import short_reason
from tests.test_package import modules_loaded_by
from tests.training.tables import good, take

pytest.importorskip("webdataset")
SHARED_FOLDER = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def tar(path: Path, files: dict[str, bytes | str], mode: Any = "w") -> Path:
    with tarfile.open(path, mode) as out:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return path


def pairs(first: int, n: int) -> dict[str, bytes | str]:
    return {f"{i:04d}.{kind}": f"{kind} {i}" for i in range(first, first + n) for kind in ("jpg", "txt")}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for number in range(3):
        tar(tmp_path / f"s-{number}.tar", pairs(10 * number, 10))
    return tmp_path


def opened(root: Path, *shards: str, **options: Any) -> ShardSource:
    return Shards(shards=shards or ("s-{0..2}.tar",), **options).open(root)


@pytest.mark.parametrize("patterns", [("s-{0..2}.tar",), ("s-*.tar",), ("s-0.tar", "s-[12].tar"), ("s-0.tar", "s-*.tar")])
@pytest.mark.parametrize("shuffle", [0, 1, 7, 1000])
def test_a_pass_holds_each_sample_once(three: Path, patterns: tuple[str, ...], shuffle: int) -> None:
    source = opened(three, *patterns, shuffle=shuffle)
    assert len(source) == 30
    everything = good(take(source, 90))
    for number in range(3):
        one = everything[30 * number : 30 * number + 30]
        assert {(s.image, s.text) for s in one} == {(f"jpg {i}".encode(), f"txt {i}") for i in range(30)}
    assert everything[:30] != everything[30:60]


@SHARED_FOLDER
@given(start=st.integers(0, 100), seed=st.integers(0, 2**63), shuffle=st.sampled_from([0, 8, 1000]))
def test_a_stream_begun_later_is_the_rest_of_the_stream(three: Path, start: int, seed: int, shuffle: int) -> None:
    source = opened(three, shuffle=shuffle)
    assert take(source, 40, seed=seed, start=start) == take(source, start + 40, seed=seed)[start:]


def test_once_is_in_order(three: Path) -> None:
    assert [s.text for s in good(list(opened(three).once()))] == [f"txt {i}" for i in range(30)]


@pytest.mark.parametrize("samples", [12, 45])
def test_samples_said_are_the_length_of_a_pass(three: Path, samples: int) -> None:
    source = opened(three, samples=samples, shuffle=5)
    assert len(source) == samples
    everything = good(take(source, 2 * samples))
    assert everything[samples:] == good(take(source, samples, start=samples))
    most = Counter(s.text for s in everything[:samples]).most_common(1)[0][1]
    assert most == (1 if samples <= 30 else 2)


def test_fields_of_a_sample(tmp_path: Path) -> None:
    about = {"caption": " a dog ", "label": 7, "identity": "dog", "lang": "en"}
    several = {"texts": ["one", {"text": "二", "lang": "zh"}], "lang": "en"}
    files: dict[str, bytes | str] = {
        "a/x.JPG": b"A",
        "a/x.json": json.dumps(about),
        "a/y.png": b"B",
        "a/y.json": json.dumps(several),
        "a/z.webp": b"C",
        "a/z.cls": "3",
        "a/z.txt": "text first",
        "a/z.json": json.dumps({"caption": "not this"}),
        "__meta__/info.txt": "passed over",
    }
    tar(tmp_path / "t.tar", files)
    x, y1, y2, z = good(list(opened(tmp_path, "t.tar").once()))
    assert x == Sample(b"A", "a dog", "dog", "7", f"{tmp_path / 't.tar'}, a/x")
    assert (y1.text, y2.text, y1.image_id == y2.image_id) == ("one", "二", True)
    assert (z.text, z.label) == ("text first", None)
    chinese = list(opened(tmp_path, "t.tar", languages={"zh": 1}).once())
    assert [s.text if isinstance(s, Sample) else s.reason for s in chinese] == [
        "has no text in the recipe's languages",
        "二",
        "has no text in the recipe's languages",
    ]
    drawn = Counter(item.text for item in good(take(opened(tmp_path, "t.tar"), 600)))
    assert drawn["one"] / 200 == pytest.approx(0.5, abs=0.12)


def test_samples_that_lack_something_are_faults_in_their_place(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "1.txt": "no picture",
        "2.jpg": b"no text",
        "3.jpg": b"x",
        "3.txt": b"\xff",
        "4.jpg": b"x",
        "4.json": "{",
        "5.jpg": b"x",
        "5.json": "[1]",
        "6.jpg": b"x",
        "6.txt": "  ",
        "7.jpg": b"x",
        "7.json": "[" * 100_000,
        "8.jpg": b"x",
        "8.txt": "good",
    }
    tar(tmp_path / "t.tar", files)
    source = opened(tmp_path, "t.tar")
    assert len(source) == 8
    reasons = Counter(short_reason(item.reason) if isinstance(item, SampleFault) else "good" for item in take(source, 16))
    assert set(reasons.values()) == {2, 4}
    assert reasons == {
        "has no picture": 2,
        "has no text": 2,
        "has a text that is not UTF-8": 2,
        "has a json that is none": 4,
        "has a json that is not an object": 2,
        "has a text that cannot be used": 2,
        "good": 2,
    }


def test_a_broken_tar_is_a_fault_and_the_others_go_on(three: Path) -> None:
    """Cut in the middle of the eighth sample's picture."""
    whole = (three / "s-1.tar").read_bytes()
    (three / "s-1.tar").write_bytes(whole[: 14 * 1024 + 512 + 3])
    (three / "s-0.tar").write_bytes(b"no tar at all" * 100)
    source = opened(three)
    items = list(source.once())
    faults = [(Path(item.name).name, item.reason) for item in items if isinstance(item, SampleFault)]
    assert faults == [("s-0.tar", "is a broken tar (invalid header)"), ("s-1.tar", "is a broken tar (unexpected end of data)")]
    assert [s.text for s in items if isinstance(s, Sample)] == [f"txt {i}" for i in (*range(10, 17), *range(20, 30))]
    assert len(source) == len(items) + 1, "the sample that was cut is counted by its header"
    assert {s.text for s in take(source, 20) if isinstance(s, Sample)} == {s.text for s in items if isinstance(s, Sample)}
    assert take(source, 30, start=25) == take(source, 55)[25:]


def test_a_shard_that_vanishes_is_a_fault(three: Path) -> None:
    source = opened(three)
    (three / "s-1.tar").unlink()
    faults = [item for item in source.once() if isinstance(item, SampleFault)]
    assert [fault.reason for fault in faults] == ["cannot be opened (No such file or directory)"]


def test_a_name_twice_in_a_sample_keeps_the_first(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as out:
        for name, data in (("a.jpg", b"1"), ("a.jpg", b"2"), ("a.txt", b"a")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    items = list(opened(tmp_path, "t.tar").once())
    assert [item.reason if isinstance(item, SampleFault) else item.image for item in items] == [b"1", "has a file twice"]


def test_compressed_shards(tmp_path: Path) -> None:
    tar(tmp_path / "t.tar.gz", pairs(0, 5), "w:gz")
    assert len(opened(tmp_path, "*.tar.gz")) == len(set(take(opened(tmp_path, "*.tar.gz"), 5))) == 5


@pytest.mark.parametrize(
    "name", ["pipe:touch hacked", "PIPE:x", "a/pipe:cat x.tar", "https://example.org/x.tar", "s3://b/x-{0..3}.tar"]
)
def test_commands_and_downloads_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected local tar files, got .*; commands are never run"):
        opened(tmp_path, name)


def test_braces_cannot_smuggle_a_command_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected a shard, there is no such file"):
        opened(tmp_path, "{p,q}ipe{:,;}touch hacked")
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        (("absent.tar",), "absent.tar: expected a shard, there is no such file"),
        (("s-{0..9}.tar",), "s-3.tar: expected a shard"),
        (("x*.tar",), r"x\*.tar: expected a shard"),
        ((".",), "expected a shard"),
    ],
)
def test_a_shard_that_is_not_there_is_named(three: Path, shards: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        opened(three, *shards)


def test_shards_without_samples_end(tmp_path: Path) -> None:
    tar(tmp_path / "t.tar", {})
    with pytest.raises(InputError, match="expected samples, got none in 1 shards"):
        opened(tmp_path, "t.tar")
    with pytest.raises(InputError, match="expected samples, got none in 1 shards"):
        take(opened(tmp_path, "t.tar", samples=5), 1)


def test_read_from_a_recipe() -> None:
    read = from_json(Shards, {"kind": "webdataset", "shards": ["a.tar"]}, "r")
    assert read == Shards(shards=("a.tar",))
    for bad, message in (({"shards": "a.tar"}, "a list"), ({"shards": []}, "a list of shards"), ({"samples": 0}, "at least 1")):
        with pytest.raises(InputError, match=message):
            from_json(Shards, {"shards": ["a.tar"], **bad}, "r")


def test_sources_that_are_no_shards_load_neither_webdataset_nor_torch() -> None:
    assert not {"torch", "webdataset", "onnxruntime"} & modules_loaded_by(
        "import seesay.training.data.mixture, seesay.training.data.loader"
    )


def test_without_the_library_the_extra_is_named(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "webdataset", None)
    with pytest.raises(MissingExtra, match=r"seesay\[train\]"):
        opened(three)
