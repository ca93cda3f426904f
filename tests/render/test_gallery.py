from pathlib import Path

from seesay.library import Filters, Hit
from seesay.library.duplicates import Copy, Group
from seesay.render.gallery import ClassificationSection, DuplicatesSection, SearchSection, write_page
from tests.conftest import Paint


def test_page_is_self_contained_and_escapes_what_it_shows(paint: Paint, tmp_path: Path) -> None:
    path = paint("<script>.png", "red")
    hits = [
        Hit(0.5, str(path), width=48, height=40, taken_at="2024-05-17T18:30:05"),
        Hit(0.4, str(tmp_path / "gone.png"), available=False),
        Hit(0.3, str(tmp_path / "t.tsv"), kind="text", line=3, text="a <b>bold</b> caption"),
    ]
    sections = [
        SearchSection("<i>红</i>", hits),
        SearchSection("nothing", []),
        SearchSection("at night", hits[:1], str(path)),
        ClassificationSection(str(path), {"a": 0.75}),
    ]
    page = write_page(tmp_path / "sub" / "page.html", sections, title="A & B").read_text(encoding="utf-8")
    assert "<script" not in page
    for part in (
        "A &amp; B",
        "&lt;i&gt;红&lt;/i&gt;",
        "48 x 40 · 2024-05-17",
        "not there now",
        "a &lt;b&gt;bold&lt;/b&gt;",
        "Nothing found",
        "at night + like &lt;script&gt;.png",
        "75.0%",
    ):
        assert part in page
    assert page.count("data:image/jpeg;base64,") == 4
    assert "http://" not in page
    assert "https://" not in page


def test_hits_can_be_picked_by_what_they_differ_in(paint: Paint, tmp_path: Path) -> None:
    hits = [
        Hit(0.5, str(paint("sea/a.png")), taken_at="2023-01-01T00:00:00", camera="<X100>", relevance=0.931, tags=("warm",)),
        Hit(0.4, str(paint("sea/b.png")), taken_at="2024-01-01T00:00:00", camera="<X100>"),
        Hit(0.3, str(paint("land/c.png")), camera="<X100>"),
    ]
    asked = Filters(under="/a/<b>", after="2020", orientation="landscape", place=(1, 2, 3, 4.5), tag=("warm",), min_score=0.2)
    page = write_page(
        tmp_path / "page.html", [SearchSection("first", hits[:1]), SearchSection("x", hits, filters=asked)]
    ).read_text("utf-8")
    assert "below /a/&lt;b&gt;, after 2020, landscape, in the box 1, 2, 3, 4.5, tagged warm, score at least 0.2" in page
    assert "<small>2023-01-01 · warm</small>" in page
    assert "<legend>Folder</legend>" in page
    assert "<legend>Year</legend>" in page
    assert "<legend>Camera</legend>" not in page, "all have the same"
    assert page.count('type="radio"') == 3 + 4
    assert 'id="s1f0v1">sea <small>2</small>' in page
    assert "section:has(#s1f1v2:checked) figure:not(.f1v2){display:none}" in page
    assert page.count('<figure class="f0v1 f1v') == 2
    assert page.count('<figure class="f0v0 f1v2">') == 1


def test_folders_of_one_name_are_told_apart_and_rare_ones_are_one(paint: Paint, tmp_path: Path) -> None:
    beaches = [Hit(0.5, str(paint(f"{year}/beach/a.png"))) for year in (2023, 2024)]
    page = write_page(tmp_path / "page.html", [SearchSection("x", beaches)]).read_text("utf-8")
    assert "2023/beach <small>1</small>" in page
    assert "2024/beach <small>1</small>" in page
    many = [Hit(0.5, str(tmp_path / f"{number:02}" / "gone.png")) for number in (*range(15), 14)]
    page = write_page(tmp_path / "page.html", [SearchSection("x", many)]).read_text("utf-8")
    assert page.count('type="radio"') == 1 + 12
    assert "14 <small>2</small>" in page
    assert "others <small>4</small>" in page


def test_a_picture_that_is_gone_or_damaged_has_a_place_that_says_so(paint: Paint, tmp_path: Path) -> None:
    damaged = paint("damaged.png")
    damaged.write_text("no picture")
    hits = [Hit(0.5, str(damaged)), Hit(0.4, str(tmp_path / "gone.png"), available=False)]
    page = write_page(
        tmp_path / "page.html", [SearchSection("x", hits), SearchSection("y", [], why="nothing found below z")]
    ).read_text("utf-8")
    assert "<div>cannot be read now</div>" in page
    assert "<div>not there now</div>" in page
    assert 'src=""' not in page
    assert "Nothing found below z." in page


def test_copies_are_told_apart_by_folder_size_and_likeness(paint: Paint, tmp_path: Path) -> None:
    paths = [str(paint(f"{folder}/a.png")) for folder in ("one", "two", "three")]
    copies = [
        Copy(path, 4, 3, size, None, size == 400, 0.934, 5) for path, size in zip(paths, (2_500_000, 400, 5_000), strict=True)
    ]
    page = write_page(tmp_path / "page.html", [DuplicatesSection(Group(copies[0], tuple(copies[1:])))]).read_text("utf-8")
    for part in (
        "<small>one</small>",
        "<small>two</small>",
        "2.50 MB",
        "1 kB · same bytes",
        "5 kB · 59 of 64 bits, cosine 0.93",
    ):
        assert part in page
