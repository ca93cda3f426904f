"""Pages are filled in one pass: values stay text, even if they look like markup or templates."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from seesay.errors import InputError
from seesay.evaluation.report import Answer, Example, Examples, LinePlot, Report, Table
from seesay.library import Filters, Hit
from seesay.library.duplicates import Copy, Group
from seesay.library.map import Label, Map, Spot
from seesay.library.storage.rows import PictureFile
from seesay.render.gallery import ClassificationSection, DuplicatesSection, SearchSection, write_page
from seesay.render.map_page import write_map
from seesay.render.report import write_html
from tests.conftest import Paint

PLACES = (
    "{body}",
    "{title}",
    "{data}",
    "{sheet}",
    "{{ title }}",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# gone #}",
    "<b>&amp;</b>",
    "\"'",
)
ODD = " ".join(PLACES)


def shown(page: Path) -> str:
    """Its text, as a browser would read it."""
    html = page.read_text(encoding="utf-8")
    assert "<b>&amp;</b>" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return unescape(html)


def test_a_gallery(paint: Paint, tmp_path: Path) -> None:
    path = str(paint("{title} {{ 7*7 }}.png"))
    hit = Hit(0.5, path, tags=(ODD,), camera="{body}")
    other = Hit(0.4, path, camera=ODD, kind="text", line=1, text=ODD)
    copy = Copy(path, 4, 3, 400, None, True, 0.9, 1)
    sections = [
        SearchSection(ODD, [hit, other], path, Filters(camera=ODD)),
        SearchSection("x", [], why=ODD),
        ClassificationSection(path, {ODD: 0.5}),
        DuplicatesSection(Group(copy, (copy,))),
    ]
    page = shown(write_page(tmp_path / "page.html", sections, title=ODD))
    # title twice; query, camera, facet, tag, text; why; label
    assert page.count(ODD) >= 2 + 5 + 1 + 1
    assert "<title>" + ODD + "</title>" in page
    assert ODD + " + like {title} {{ 7*7 }}.png</h2>" in page
    assert page.count("<section") == 4


def test_a_report(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    table = Table(ODD, (ODD, "b"), ((ODD, "1"),))
    report = Report(
        "name " + ODD.replace("/", ""),
        (ODD,),
        (table, replace(table, rows=((ODD, "1"),) * 30), replace(table, rows=())),
        (LinePlot(ODD, {ODD: ([1, 2], [3, 4])}, x=ODD, y=ODD, note=ODD),),
        (Examples(ODD, (Example(ODD, ODD, (Answer(ODD.replace("/", ""), True),)),)),),
    )
    write_html(tmp_path / "report.html", report)
    page = shown(tmp_path / "report.html")
    assert page.count('role="img"') == 1
    assert page.count(f">{ODD}</text>") == 2  # the labels of the axes; one line needs no legend
    assert page.count("<table>") == 2
    assert "<summary>30 rows</summary>" in page
    assert '<span class="right"><i>' in page
    assert page.count(ODD) >= 1 + 2 * 2 + 31 + 2 + 3


def test_a_map(paint: Paint, tmp_path: Path) -> None:
    path = str(paint("{data} {{ known }}.png"))
    drawn = Map((Spot(PictureFile(path, 1, 4, 3, None, "0" * 12, 0), 0.5, 0.5, 0),), (Label(ODD, 0.5, 0.5, 1),), (), (), 0)
    html = write_map(tmp_path / "map.html", drawn, title=ODD).read_text(encoding="utf-8")
    held = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert held is not None
    known = json.loads(held.group(1))
    assert known["groups"][0]["name"] == ODD
    assert known["spots"][0]["name"] == "{data} {{ known }}.png"
    assert "<title>" + ODD + "</title>" in unescape(html)
    assert html.count("data:image/jpeg;base64,") == 1


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the page to .*file/page.html: "):
        write_page(tmp_path / "file" / "page.html", [])
