"""Narrow and wide screens."""

import pytest

from tests.serving.page.conftest import Visit


@pytest.mark.parametrize("width", [360, 768, 1920])
@pytest.mark.parametrize("where", ["", "#/try", "#/map"])
def test_nothing_sticks_out_at_the_side(visit: Visit, width: int, where: str) -> None:
    page = visit(where, width=width, has_touch=width < 700)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
