"""Duplicates: choosing which files stay."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from seesay.library import Library
from seesay.model import Model
from tests.conftest import PHOTOS
from tests.serving.conftest import ServerThread
from tests.serving.page.conftest import PHOTO, Visit, serve_library


@pytest.fixture
def doubled(bundled: Model, tmp_path: Path) -> Iterator[ServerThread]:
    """A server of two photos: one with a small copy and a copy of its bytes, one alone; and of one that is there twice."""
    folder = tmp_path / "album"
    (folder / "backup").mkdir(parents=True)
    shutil.copy(PHOTO, folder / "dog.jpg")
    shutil.copy(PHOTO, folder / "backup" / "dog.jpg")
    with Image.open(PHOTO) as photo:
        photo.resize((photo.width // 2, photo.height // 2)).save(folder / "small.jpg")
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(PHOTOS / "animals" / "cow.jpg", folder / name)
    shutil.copy(PHOTOS / "animals" / "sheep.jpg", folder / "sheep.jpg")
    with Library(tmp_path / "library", bundled) as library:
        library.index(folder)
    server = serve_library(bundled, tmp_path / "library")
    yield server
    server.stop()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_names_and_contrast_of_duplicates(doubled: ServerThread, visit: Visit, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit("#/duplicates", address=doubled.address, color_scheme=scheme, width=width, quiet=False, bypass_csp=True)
    expect(page.locator(".group")).to_have_count(2)
    page.wait_for_timeout(400)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_duplicates_are_chosen_among_and_their_paths_copied(doubled: ServerThread, visit: Visit, tmp_path: Path) -> None:
    page = visit(address=doubled.address, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("link", name="Duplicates").click()
    expect(page.locator(".group")).to_have_count(2)
    total = page.locator(".sum")
    expect(total).to_have_text(re.compile(r"^3 files \(.*\) beside those to keep$"))

    def copied() -> set[str]:
        page.get_by_role("button", name="Copy their paths").click()
        expect(page.get_by_text(re.compile(r"^\d paths? copied$"))).to_be_visible()
        lines: str = page.evaluate("() => navigator.clipboard.readText()")
        return {str(Path(line).relative_to(tmp_path / "album")) for line in lines.split("\n")}

    first, second = page.locator(".group").nth(0), page.locator(".group").nth(1)
    keeper = first.locator(".copy.stays strong").inner_text()
    assert keeper == "dog.jpg"
    assert {"small.jpg"} < copied()
    first.locator(".copy.stays input").press("Space")
    expect(page.get_by_text("One of each stays.")).to_be_visible()
    expect(first.locator(".copy.stays input")).to_be_checked()
    first.get_by_role("button", name="Only this: album / small.jpg").click()
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Keep: album / small.jpg")
    assert {"dog.jpg", "backup/dog.jpg"} < copied()
    first.get_by_role("checkbox", name="Keep: album / dog.jpg").check()
    assert len(copied()) == 2
    second.locator("input:not(:checked)").click()
    first.get_by_role("checkbox", name="Keep: album/backup / dog.jpg").check()
    expect(total).to_have_text("All are to be kept")
    expect(page.get_by_role("button", name="Copy their paths")).to_be_disabled()
    first.get_by_role("button", name="Open album / small.jpg").click()
    shown = page.get_by_role("dialog", name="Picture").locator("img").first
    expect(shown).not_to_have_js_property("naturalWidth", 0)  # its file goes below, and a late request would be a 410
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Escape")
    (tmp_path / "album" / "small.jpg").unlink()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Look for new pictures").click()
    expect(page.locator(".group").first.locator(".copy")).to_have_count(2, timeout=20_000)


def test_a_list_of_duplicates_is_saved(doubled: ServerThread, visit: Visit, tmp_path: Path) -> None:
    page = visit("#/duplicates", address=doubled.address, locale="zh-CN")
    expect(page.get_by_role("heading", name="重复图片")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="保存列表").click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert all(Path(line).is_file() for line in lines)


def test_a_library_without_duplicates(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    shutil.copy(PHOTO, tmp_path / "album")
    with Library(tmp_path / "library", bundled) as library:
        library.index(tmp_path / "album")
    server = serve_library(bundled, tmp_path / "library")
    try:
        page = visit("#/duplicates", address=server.address)
        expect(page.get_by_role("heading", name="No picture is there twice")).to_be_visible()
        page.close()
    finally:
        server.stop()
