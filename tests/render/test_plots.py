import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from seesay.errors import MissingExtra
from seesay.evaluation.report import BarPlot, ConfusionPlot, LinePlot, Plot
from seesay.render.plots import draw_plot

pytest.importorskip("matplotlib")

NAMES = ["猫", "<dog> & $x$", "a very long name of a class indeed"]


def plots() -> dict[str, Plot]:
    return {
        "lines": LinePlot(
            "",
            {NAMES[0]: ([1, 10], [0.1, 0.9]), NAMES[1]: ([1, 10], [0.2, 0.8]), NAMES[2]: ([1, 2], [0.3, 0.3])},
            bands={NAMES[0]: ([0.0, 0.8], [0.2, 1.0])},
            x="k",
            y="recall",
            log_x=True,
            percent=True,
            ticks=[1, 10],
        ),
        "bars": BarPlot("", {name: {"one": 0.5, "two": np.nan} for name in NAMES}, x="recall"),
        "confusion": ConfusionPlot("", np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]), NAMES),
    }


@pytest.mark.parametrize("kind", ["lines", "bars", "confusion"])
def test_words_stay_words_and_colours_those_of_the_page(kind: str) -> None:
    svg = draw_plot(plots()[kind])
    root = ElementTree.fromstring(svg)
    words = {element.text for element in root.iter() if element.text and element.text.strip()}
    assert set(NAMES) <= words
    assert "currentColor" in svg
    assert not re.search(r"#010203|font-family|<metadata|\bN\d{3}", svg)
    assert svg == draw_plot(plots()[kind]), "the same plot is the same text"
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', svg) if not link.startswith("data:"))


def test_many_classes_are_drawn_without_names() -> None:
    svg = draw_plot(ConfusionPlot("", np.eye(200, dtype=int), [f"name{i}" for i in range(200)]))
    assert "name7" not in svg
    assert len(svg) < 20_000


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"seesay\[eval\]"):
        draw_plot(LinePlot("", {"a": ([1], [1])}, x="x", y="y"))
