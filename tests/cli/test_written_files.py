"""Files that commands write: never over the picture that they read."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conftest import Paint


@pytest.mark.parametrize(
    "arguments", [("segment", "--labels", "a,b"), ("detect", "--labels", "a,b"), ("explain", "a dog")], ids=lambda each: each[0]
)
def test_a_drawing_does_not_replace_its_picture(run: Run, paint: Paint, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    picture = paint("red.png", "red")
    before = picture.read_bytes()
    (tmp_path / "link.png").symlink_to(picture)
    command, *rest = arguments
    for output in (picture, tmp_path / "link.png"):
        refused = run(command, picture, *rest, "-o", output)
        assert refused.code == 2
        assert "is the picture itself, and SeeSay writes over no picture" in refused.err
    assert picture.read_bytes() == before


def test_a_mask_and_a_list_of_boxes_do_not_either(run: Run, paint: Paint) -> None:
    picture = paint("red.png", "red")
    before = picture.read_bytes()
    assert run("segment", picture, "--labels", "a,b", "--mask", picture).code == 2
    assert run("detect", picture, "--labels", "a,b", "--coco", picture).code == 2
    assert picture.read_bytes() == before


def test_a_page_is_written_to_a_file_of_pages_only(run: Run, album: Path) -> None:
    picture = album / "red" / "red.png"
    before = picture.read_bytes()
    for command in (("search", "red"), ("duplicates",)):
        refused = run(*command, "--html", picture)
        assert refused.code == 2
        assert "expected a file that ends in .html" in refused.err
    assert picture.read_bytes() == before
