from pathlib import Path

from seesay.gallery import Classified, Found, write_page
from seesay.library import Hit
from tests.conftest import Paint


def test_page_is_self_contained_and_escapes_what_it_shows(paint: Paint, tmp_path: Path) -> None:
    path = paint("<script>.png", "red")
    hits = [
        Hit(0.5, str(path), width=48, height=40, taken_at="2024-05-17T18:30:05"),
        Hit(0.4, str(tmp_path / "gone.png"), available=False),
        Hit(0.3, str(tmp_path / "t.tsv"), kind="text", line=3, text="a <b>bold</b> caption"),
    ]
    sections = [
        Found("<i>红</i>", hits),
        Found("nothing", []),
        Found("at night", hits[:1], str(path)),
        Classified(str(path), {"a": 0.75}),
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
