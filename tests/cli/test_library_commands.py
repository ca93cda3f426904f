"""index, search, forget, doctor."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from seesay.checkpoints.hub.locate import BUNDLED
from seesay.library import Library
from seesay.model import Model
from tests.cli.conftest import Run
from tests.conftest import Paint


def test_index_reports_in_words_and_json(run: Run, album: Path, tmp_path: Path) -> None:
    first = run("index", album)
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("4 encoded in ")
    second = json.loads(run("index", "--json").out)
    assert second["library"] == str(tmp_path / "library")
    assert (second["encoded"], second["unchanged"], second["failed"], second["missing"]) == (0, 4, [], [])
    assert second.keys() == {
        "library", "encoded", "reused", "reread", "unchanged", "removed", "texts", "regions", "failed", "noted", "missing",
        "skipped", "seconds", "stages",
    }  # fmt: skip
    assert run("index", album).out.startswith("4 unchanged in ")


def test_index_tells_a_bad_picture_once_and_then_counts_it(run: Run, album: Path) -> None:
    (album / "bad.jpg").write_text("my diary")
    result = run("index", album)
    assert result.code == 1
    assert "4 encoded, 1 failed" in result.out
    assert result.err.count("\n") == 1
    assert "bad.jpg: is not a picture that SeeSay reads" in result.err
    assert "diary" not in result.err
    again = run("index", album)
    assert (again.code, again.err) == (0, "")
    assert "4 unchanged, 1 failed before (seesay doctor lists them)" in again.out
    assert run("index", "--strict").code == 1
    (failed,) = json.loads(run("index", "--json").out)["failed"]
    assert (failed["path"], failed["known"]) == (str(album / "bad.jpg"), True)
    (album / "worse.jpg").write_bytes(b"")
    mixed = run("index", album)
    assert (mixed.code, mixed.err) == (1, f"seesay: {album / 'worse.jpg'}: is empty (0 bytes)\n")


def test_index_tells_of_pictures_that_are_cut_short(run: Run, album: Path) -> None:
    for number in range(22):
        stream = io.BytesIO()
        Image.new("RGB", (64, 48), (250, 10 * number, 10)).save(stream, "JPEG")
        (album / f"cut-{number:02}.jpg").write_bytes(stream.getvalue()[:-2])
    result = run("index", album)
    assert result.code == 0
    assert result.err.count("cut short, shown as far as it goes") == 20
    assert result.err.endswith("seesay: note: ... and 2 more; --json lists all\n")
    assert run("index", album).err == ""


def test_search_prints_paths_scores_and_json(run: Run, album: Path) -> None:
    run("index", album)
    heading, *lines = run("search", "something", "red", "-n", "3").out.splitlines()
    assert heading.endswith('"something red", the nearest first:') or "is likely to show" in heading
    hits = [line for line in lines if not line.startswith("---")]
    assert len(hits) == 3
    assert all(len(re.findall(r"\d+%|-?\d\.\d{3}", line)) == 1 for line in hits)  # one number a line
    both = run("search", "red", "-n", "1", "--scores").out.splitlines()[1]
    assert re.search(r"\d+%  +-?\d\.\d{3}  ", both)
    result = json.loads(run("search", "red", "-n", "2", "--json").out)
    assert result["query"] == {"text": "red"}
    assert len(result["results"]) == 2
    more = json.loads(run("search", "red", "-n", "9", "--behind", result["next"], "--json").out)
    assert "next" not in more
    assert len({hit["id"] for hit in (*result["results"], *more["results"])}) == 2 + len(more["results"])
    hit = result["results"][0]
    assert hit.keys() == {"score", "path", "kind", "id", "width", "height", "relevance", "likely", "named"}
    assert Path(hit["path"]).is_file()
    paths = run("search", "red", "--paths").out.splitlines()
    assert [*map(Path, paths)] == [Path(h["path"]) for h in json.loads(run("search", "red", "--json").out)["results"]]
    assert run("search", "red", "--paths", "-0").out.split("\0") == [*paths, ""]


def test_search_by_picture_under_a_folder_and_with_a_page(run: Run, album: Path, tmp_path: Path) -> None:
    run("index", album)
    query = album / "blue/blue.png"
    result = json.loads(run("search", "--image", query, "--json", "-n", "1").out)
    assert result["query"] == {"image": str(query)}
    assert result["results"][0]["path"] == str(query)
    assert run("search", "red", "--under", album / "green", "--paths").out.splitlines() == [str(album / "green/green.png")]
    page = tmp_path / "new" / "page.html"
    result = run("search", "<b>red</b>", "--html", page)
    assert result.code == 0
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;red&lt;/b&gt;" in text
    assert "<b>red</b>" not in text
    assert text.count("data:image/jpeg;base64,") == 4


def test_search_words_for_a_picture(run: Run, album: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.tsv"
    table.write_text("text\na strawberry\na keyboard\n", encoding="utf-8")
    assert run("index", album, table).code == 0
    result = json.loads(run("search", "--image", album / "red/red.png", "--in", "texts", "--json").out)
    assert {hit["text"] for hit in result["results"]} == {"a strawberry", "a keyboard"}
    assert result["results"][0]["line"] in (2, 3)
    assert "captions.tsv:" in run("search", "fruit", "--in", "texts").out


def test_wrong_use_is_one_message_and_exit_code_2(run: Run, album: Path, tmp_path: Path) -> None:
    cases = {
        ("search",): "Say what to look for",
        ("search", " "): "Say what to look for",
        ("search", "red", "+"): "red +\n         ^",
        ("search", "red"): "there is no library at",
        ("index",): "there is no library at",
        ("index", str(tmp_path / "nowhere")): "nowhere: no such file or folder",
        ("search", "red", "-n", "zero"): "'zero' is not a valid integer",
        ("index", "--library", __file__, str(album)): "is a file; a library is a folder",
        ("search", "red", "--place", "1,2,3"): "expected SOUTH,WEST,NORTH,EAST in degrees",
        ("search", "red", "--after", "soon"): "--after: expected a date such as 2024",
        ("search", "red", "--json", "--paths"): "Give --json or --paths, not both",
        ("search", "red", "-0"): "-0 belongs to --paths",
        ("index", __file__): "is neither a picture that SeeSay reads nor",
        ("embed", "none.png", "-o", "x.npz"): "no picture or text to embed was found; x.npz was not written",
        ("nonsense",): "No such command 'nonsense'",
        ("search", "red", "--model", "nothing"): "no model 'nothing'",
        ("classify", "x.png", "--labels", " , "): "--labels is empty",
        ("classify", "x.png", "--labels", "a", "--template", "b"): "a template needs {}",
        ("similarity",): "Give pictures, --text, or both",
        ("similarity", "--text", " "): "A --text is empty",
        ("embed", "-o", "x.npz"): "Give files, folders or --text",
        ("embed", "x.png", "-o", "x.csv"): "must end in .npz, .jsonl, .parquet",
    }
    for arguments, message in cases.items():
        result = run(*arguments)
        assert result.code == 2, arguments
        assert message in result.err, arguments
        assert "Traceback" not in result.err
        assert result.out == ""


def test_what_could_mislead_is_said(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "phone.jxl").write_bytes(b"x")
    assert "passed over:\n  1 × JPEG XL picture: convert it" in run("index", album).err
    nothing = run("search", "red", "--under", tmp_path / "typo", "--json")
    assert json.loads(nothing.out)["results"] == []
    assert "nothing found below" in nothing.err
    strict = run("search", "red", "--camera", "canon", "--place", "0,0,1,1", "--orientation", "landscape")
    assert (strict.code, "nothing found that passes these filters" in strict.err) == (1, True)
    irrelevant = run("search", "a giraffe", "--min-px", "1", "--likely")
    assert (irrelevant.code, irrelevant.out) == (1, "")
    assert "nothing found that is likely to show it; without --likely the nearest are shown" in irrelevant.err
    shown = run("search", "a giraffe")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[0] == 'Nothing here is likely to show "a giraffe"; the nearest all the same:'
    assert len(shown.out.splitlines()) == 5
    square = run("search", "red", "--orientation", "square", "--min-px", "2", "--min-score", "-1", "--paths")
    assert len(square.out.splitlines()) == 4
    english = tmp_path / "english"
    shutil.copytree(BUNDLED, english)
    config = json.loads((english / "config.json").read_text(encoding="utf-8"))
    (english / "config.json").write_text(json.dumps(config | {"languages": ["en"]}), encoding="utf-8")
    assert "not made for Chinese" in run("search", "海边日落", "--model", english).err
    assert "not made for Chinese" not in run("search", "海边日落").err
    (tmp_path / "folder.html").mkdir()
    page = run("search", "red", "--html", tmp_path / "folder.html")
    assert (page.code, "cannot write the page to" in page.err) == (2, True)
    assert len(page.out.splitlines()) >= 5  # the hits are shown all the same
    again = run("forget", album / "red")
    assert "indexing that brings it back" in again.err
    missed = run("forget", tmp_path / "typo")
    assert (missed.code, "nothing indexed there" in missed.err) == (1, True)


def test_a_missing_query_picture_exits_1(run: Run, album: Path) -> None:
    run("index", album)
    result = run("search", "--image", album / "none.png")
    assert (result.code, result.out) == (1, "")
    assert "none.png: no such file" in result.err


def test_a_locked_library_says_who_holds_it(run: Run, album: Path, bundled: Model) -> None:
    run("index", album)
    with Library(None, bundled).writing():
        result = run("index", album)
        assert result.code == 2
        assert f"is being written to by process {os.getpid()}" in result.err
        assert run("search", "red").code == 0


def test_a_library_of_another_space_is_explained(run: Run, album: Path, tmp_path: Path, fake: Model) -> None:
    Library(tmp_path / "library", fake).index(album)
    result = run("search", "red")
    assert result.code == 2
    assert "holds vectors of 'fake'" in result.err
    assert "seesay index" in result.err


def test_paths_that_are_not_utf8_pass_through_pipes(run: Run, album: Path) -> None:
    odd = os.fsdecode(os.fsencode(album) + b"/\xff.png")
    (album / "red/red.png").rename(odd)
    run("index", album)
    assert odd in run("search", "red", "--paths").out.splitlines()
    assert odd in [hit["path"] for hit in json.loads(run("search", "red", "--json").out)["results"]]
    assert "\\xff.png" in run("search", "red").out


def test_forget_and_doctor(run: Run, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none_yet = run("doctor")
    assert none_yet.code == 0
    assert "none yet. Make one with: seesay index FOLDER" in none_yet.out
    (album / "bad.jpg").write_bytes(b"")
    run("index", album)
    facts = json.loads(run("doctor", "--json").out)
    assert facts["library"]["files"] == {"image": 4, "failed": 1}
    assert facts["library"]["failed"][0]["reason"] == "is empty (0 bytes)"
    assert facts["problems"] == []
    assert facts["model"]["build_id"] == "onnx/int8+int8/exact"
    devices = {(device["engine"], device["device"]): device for device in facts["devices"]}
    assert devices["onnx", "cpu"]["available"]
    assert devices["openvino", "openvino"]["available"]
    assert all(device["available"] == (device["why"] is None) for device in devices.values())
    assert "onnxruntime-gpu[cuda,cudnn]" in devices["onnx", "cuda"]["needs"]
    assert "Engine openvino: computes on openvino\n" in run("doctor").out
    output = run("doctor").out
    assert "  4 pictures, 0 lists of texts, 1 unreadable files\n" in output
    assert f"  {album}\n" in output, "absolute, for whoever reads it elsewhere"
    assert f"  cannot read {album / 'bad.jpg'}: is empty (0 bytes)\n" in output
    shutil.copy(album / "red/red.png", album / "again.png")
    monkeypatch.chdir(album)
    run("index", ".")
    output = run("doctor").out
    assert "  4 pictures in 5 files (copies are one picture), 0 lists of texts, 1 unreadable files\n" in output
    assert f"  {album}\n" in output
    assert re.search(r"vectors by model bundled \(space \w+\): 4 pictures\n", output)
    (album / "again.png").unlink()
    run("index")
    assert json.loads(run("forget", album / "red", album / "bad.jpg", "--json").out)["forgotten"] == 2
    assert len(run("search", "red", "--paths").out.splitlines()) == 3


def test_doctor_finds_builds_of_onnxruntime_that_overwrite_each_other(tmp_path: Path) -> None:
    """As `pip install onnxruntime-gpu` leaves them beside SeeSay's own requirement."""
    other = tmp_path / "onnxruntime_gpu-9.9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 9.9.9\n")
    (other / "top_level.txt").write_text("onnxruntime\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "seesay", "doctor", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    facts = json.loads(run.stdout)
    assert run.returncode == 1
    assert facts["packages"]["onnxruntime-gpu"] == "9.9.9"
    (problem,) = facts["problems"]
    assert problem.startswith("onnxruntime and onnxruntime-gpu are installed into the same folder and overwrite each other.")
    assert problem.endswith("pip uninstall onnxruntime onnxruntime-gpu; pip install onnxruntime-gpu")


def test_every_command_with_a_model_takes_an_engine_and_a_device(run: Run, album: Path) -> None:
    run("index", album, "--engine", "openvino")
    assert [hit["path"] for hit in json.loads(run("search", "red", "--engine", "openvino", "--json").out)["results"]] == [
        hit["path"] for hit in json.loads(run("search", "red", "--json").out)["results"]
    ], "vectors of both engines are of one space"
    for command in ("index", "search", "similarity", "embed", "classify", "duplicates", "map", "tag", "serve"):
        assert "--device [auto|cpu|cuda|directml|coreml|mps|openvino]" in run(command, "--help").out, command
    for device, engine in (("cuda", "auto"), ("mps", "torch"), ("directml", "onnx")):
        failed = run("search", "red", "--device", device, "--engine", engine)
        assert failed.code == 2 if failed.code else pytest.skip(f"this machine has {device}")
        assert failed.err.startswith(f"seesay: there is no device {device!r} here. ")
    failed = run("search", "red", "--device", "mps", "--engine", "onnx")
    assert failed.err.startswith("seesay: the onnx engine does not run on 'mps', but on ")
    assert "is not one of 'auto'" in run("search", "red", "--device", "gpu").err


def test_the_console_script_ends_quietly_when_its_reader_does(album: Path, tmp_path: Path, paint: Paint) -> None:
    script = [sys.executable, "-m", "seesay"]
    subprocess.run([*script, "index", album], check=True, capture_output=True)
    run = subprocess.run(
        f"{sys.executable} -m seesay search red -n 4 | head -n 1", shell=True, capture_output=True, text=True, check=True
    )
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""
    failed = subprocess.run(
        [*script, "search", "red", "--library", tmp_path / "none"], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 2
    assert failed.stderr.startswith("seesay: there is no library at")


def test_a_terminal_without_utf8_still_searches(album: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    script = [sys.executable, "-m", "seesay"]
    subprocess.run([*script, "index", album], check=True, capture_output=True, env=env)
    assert subprocess.run([*script, "search", "红色"], check=True, capture_output=True, env=env).stdout


def test_tag_by_hand_by_rule_and_in_a_search(run: Run, album: Path) -> None:
    run("index", album)
    assert run("tag").err == "seesay: no tags yet; try: seesay tag --label receipt --dry-run\n"
    assert run("tag", "--label", "warm", album / "red", album / "green").out == "warm: added to 2 pictures\n"
    document = run("search", "anything", "--tag", "warm", "--paths").out.splitlines()
    assert {Path(path).stem for path in document} == {"red", "green"}
    assert "(tagged warm)" in run("search", "anything", "--tag", "warm").out
    tried = json.loads(run("tag", "--label", "red", "--label", "blue", "--min", "0.01", "--dry-run", "--json").out)
    assert tried["dry_run"]
    assert tried["tagged"].keys() == {"red", "blue"}
    ruled = run("tag", "--label", "a plain red surface", "--min", "0.01")
    assert ruled.out.startswith("a plain red surface: ")
    assert run("tag", "--label", "warm", "--remove", album / "red").out == "warm: removed from 1 picture\n"
    assert json.loads(run("tag", "--json").out)["tags"]["warm"] == 1
    assert "no such picture has worm; the tags that there are: seesay tag" in run("tag", "--label", "worm", "--remove").err
    newest = run("search", "red", "--sort", "newest", "--min-score", "-1", "--paths").out.splitlines()
    assert len(newest) == 4


def test_duplicates_as_text_paths_json_and_page(run: Run, photos: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in photos[:30:10]:
        shutil.copy(path, folder)
    shutil.copy(photos[0], folder / "the same again.jpg")
    with Image.open(photos[10]) as image:
        image.resize((image.width * 2, image.height * 2)).transpose(Image.Transpose.ROTATE_90).save(folder / "large.png")
    run("index", folder)
    result = run("duplicates", "--html", tmp_path / "page.html")
    assert result.code == 0
    assert result.out.count("keep  ") == 2
    assert "the same again.jpg  (same bytes)" in result.out
    assert "2 files" in result.err
    assert "nothing was deleted" in result.err
    page = (tmp_path / "page.html").read_text()
    assert page.count("<figure") == 4
    assert page.count("same bytes") == 1
    groups = json.loads(run("duplicates", "--json").out)["groups"]
    assert {Path(group["keeper"]["path"]).name for group in groups} == {photos[0].name, "large.png"}
    assert run("duplicates", "--exact", "--paths").out == f"{folder / 'the same again.jpg'}\n"
    (folder / photos[0].name).unlink()
    assert run("duplicates", "--exact", "--paths").out == "", "the only one that is left is not one too many"
    nowhere = run("duplicates", "--under", tmp_path / "elsewhere")
    assert nowhere.code == 2
    assert "elsewhere: the library holds no picture there" in nowhere.err
    refused = run("duplicates", "--json", "--paths")
    assert refused.code == 2
    assert "Give --json or --paths" in refused.err


def test_a_map_as_page_picture_and_json(run: Run, photos: list[Path], tmp_path: Path) -> None:
    run("index", photos[0].parent.parent)
    result = run("map", "-o", tmp_path / "map.html", "-o", tmp_path / "map.png", "--word", "a spreadsheet of taxes", "-n", "60")
    assert result.code == 0
    assert "nothing here has to do with 'a spreadsheet of taxes'" in result.err
    assert f"drew 60 of {len(photos)} pictures" in result.err
    assert sum(int(line.split()[0]) for line in result.out.splitlines()) == 60
    assert (tmp_path / "map.html").stat().st_size > 50_000
    assert (tmp_path / "map.png").stat().st_size > 50_000
    output = json.loads(run("map", "--json", "--word", "水上的船").out)
    assert len(output["pictures"]) == len(photos)
    assert output["words"][0]["word"] == "水上的船"
    assert run("map", "-o", tmp_path / "map.pdf").code == 2
    assert "elsewhere; is it indexed?" in run("map", "--under", tmp_path / "elsewhere").err


def test_a_map_shows_how_far_its_layout_and_its_page_are(
    run: Run, album: Path, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint("yellow.png", "yellow")
    run("index", album)
    output: dict[str, list[tuple[int, int]]] = {}

    @contextmanager
    def bar(what: str, **_: object) -> Iterator[Callable[[int, int], None]]:
        output[what] = []
        yield lambda done, total: output[what].append((done, total))

    monkeypatch.setattr("seesay.cli.map.progress_bar", bar)
    assert run("map", "-o", tmp_path / "map.html").code == 0
    assert list(output) == ["Laying out the map", "Drawing"]
    for steps in output.values():
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


def test_a_query_may_begin_with_a_minus(run: Run, album: Path) -> None:
    run("index", album)
    for query in ("-people", "- people", "-noise", "-hat"):
        document = json.loads(run("search", query, "-n2", "--json").out)
        assert (document["query"]["text"], len(document["results"])) == (query, 2)
    following = json.loads(run("search", "red", "--behind", "-500/9999", "--min-score", "-1", "--json").out)
    assert following["results"] == []
    assert "No such option" in run("search", "red", "-x").err
    assert "No such option" in run("search", "red", "--people").err


def test_nothing_found_is_explained_as_it_is(run: Run, album: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.txt"
    table.write_text("a strawberry\n", encoding="utf-8")
    run("index", album, table)
    last = json.loads(run("search", "red", "--json", "-n", "4").out)["next"]
    beyond = run("search", "red", "--behind", last, "--html", tmp_path / "page.html")
    assert beyond.err.splitlines()[0] == "seesay: nothing found behind that hit: it was the last one"
    filtered = run("search", "red", "--behind", last, "--min-px", "100000").err
    assert "nothing found behind that hit that passes these filters" in filtered
    assert "Nothing found behind that hit" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "nearest all the same" in run("search", "a giraffe", "--sort", "newest").out
    by_date = run("search", "--sort", "newest").out.splitlines()
    assert (by_date[0], len(by_date)) == ("4 pictures, newest first:", 5)
    run("tag", "--label", "kept", album / "red")
    assert run("search", "--tag", "kept").out.splitlines()[0] == "1 picture tagged kept, newest first:"
    texts = run("search", "fruit", "--in", "texts", "--camera", "canon").err
    assert "texts have no date, camera, place, size or tag" in texts
    dated = run("search", "red", "--sort", "newest", "--min-score", "-1").out
    assert dated.count("no date") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "red", "-n", "0"), "0 is not in the range x>=1"),
        (("search", "--tag", "dgo"), "--tag: no picture is tagged 'dgo'"),
        (("search", "--min-score", "0.1"), "--min-score: nothing is searched for, so nothing has a score"),
        (("search", "red", "--after", "2024-02-31"), "expected a date"),
        (("search", "red", "--after", "２０２４"), "expected a date"),
        (("tag", "somewhere"), "Say which tag: --label NAME"),
        (("tag", "--label", "x", "somewhere", "--dry-run"), "are for tagging by rule"),
        (("tag", "--label", "x", "somewhere", "--min", "0.5"), "are for tagging by rule"),
        (("tag", "--label", "x", "--remove", "--under", "y"), "--remove takes tags from"),
        (("tag", "--label", "x", "--under", "nowhere"), "nowhere: the library holds no picture there"),
        (("tag", "--label", "x", "--min", "0"), "more than 0 and at most 1"),
        (("tag", "--label", "x", "nowhere"), "nowhere: the library holds no picture there"),
        (("search", "red", "--sort", "best"), "'best' is not one of"),
    ],
)
def test_tags_and_orders_that_cannot_be(run: Run, album: Path, arguments: tuple[str, ...], message: str) -> None:
    run("index", album)
    result = run(*arguments)
    assert result.code != 0
    assert message in result.err
    assert "Traceback" not in result.err


def test_folders_are_kept_out_for_good(run: Run, album: Path) -> None:
    run("index", album)
    kept = run("forget", "--keep-out", album / "red")
    assert (kept.code, kept.out) == (0, "1 files forgotten\n")
    assert "is left out from now on; to take that back: seesay index" in kept.err
    assert run("index").out.startswith("3 unchanged in ")
    assert run("index", "--exclude", album / "blue").out.startswith("2 unchanged, 1 removed in ")
    output = run("doctor").out
    assert f"left out: {album / 'blue'}\n" in output
    assert f"left out: {album / 'red'}\n" in output
    assert run("index", album / "red").out.startswith("1 encoded in ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_output_that_cannot_be_written_is_told(album: Path) -> None:
    script = [sys.executable, "-m", "seesay"]
    subprocess.run([*script, "index", album], check=True, capture_output=True)
    with open("/dev/full", "wb") as full:
        for command in (["search", "red"], ["doctor"], ["search", "red", "--paths"], ["index", "--json"]):
            run = subprocess.run([*script, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert (run.returncode, run.stderr) == (2, "seesay: No space left on device\n"), command


def test_index_sees_parts_where_it_is_asked_for(run: Run, album: Path, bundled: Model) -> None:
    assert json.loads(run("index", album, "--json").out)["regions"] == 0
    report = json.loads(run("index", "--regions", "--json").out)
    assert (report["regions"], report["unchanged"]) == (4, 4)
    assert "4 seen in parts" in run("index", album, "--regions", "--library", album.parent / "other").out
    hits = json.loads(run("search", "a red square", "--json", "-n", 4).out)["results"]
    assert all(len(hit.get("box", [0] * 4)) == 4 for hit in hits)
