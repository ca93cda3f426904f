"""The page and its server: keys, indexing, a server that goes away."""

import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from seesay.library import Library
from seesay.model import Model
from tests.conftest import PHOTOS
from tests.serving.conftest import KEY
from tests.serving.page.conftest import PHOTO, Visit, names, serve_library


def test_the_server_goes_and_comes_back(visit: Visit, bundled: Model, examples: Path) -> None:
    own = serve_library(bundled, examples)
    page = visit(address=own.address, quiet=False)
    expect(page.locator("#status")).to_have_text("127 pictures")
    own.stop()
    page.fill("#words", "dog")
    banner = page.locator("#banner")
    expect(banner).to_contain_text("The server does not answer")
    page.evaluate("scrollTo(0, 500)")
    page.wait_for_timeout(100)
    banner_box, field = banner.bounding_box(), page.locator(".field").bounding_box()
    assert banner_box is not None
    assert field is not None
    assert field["y"] >= banner_box["y"] + banner_box["height"]
    page.locator(".open:visible").nth(8).click()
    expect(page.locator("#detail .note")).to_contain_text("The server does not answer")
    expect(page.locator("#detail .view")).to_contain_text("This picture cannot be shown")
    page.keyboard.press("Escape")
    for view in ("map", "try"):
        page.evaluate(f"location.hash = '#/{view}?q=dog'")
        expect(page.locator(f"#{view}")).to_contain_text("The server does not answer")
    page.evaluate("location.hash = '#/?q=dog'")
    own.start()
    expect(page.locator("#banner")).to_contain_text("there again", timeout=10_000)
    expect(page.locator("#status")).to_contain_text("likely")
    own.stop()


def test_a_key_is_asked_for(visit: Visit, bundled: Model, examples: Path) -> None:
    own = serve_library(bundled, examples, api_key=KEY)
    page = visit(address=own.address, quiet=False)
    dialog = page.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("The server's key").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("This is not the key")
    dialog.get_by_label("The server's key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("127 pictures")
    expect(page.locator(".cell img.there").first).to_be_visible()  # with a cookie, since pictures' addresses carry no key
    page.get_by_role("button", name="Settings and more").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
    own.stop()


def test_an_empty_library_and_indexing_live(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    shutil.copytree(PHOTOS / "food", tmp_path / "food")
    with Library(tmp_path / "library", bundled) as library:
        library.index(tmp_path / "food")
    (tmp_path / "food" / "broken.jpg").write_bytes(b"no picture")
    shutil.copytree(PHOTOS / "animals", tmp_path / "food" / "animals")
    own = serve_library(bundled, tmp_path / "library")
    page = visit(address=own.address)
    expect(page.locator("#status")).to_have_text("26 pictures")
    page.get_by_role("button", name="Settings and more").click()
    page.get_by_role("button", name="Look for new pictures").click()
    expect(page.locator("#indexing")).to_contain_text(re.compile("Reading pictures|Looking for pictures"))
    expect(page.locator("#status")).to_have_text("59 pictures", timeout=20_000)
    expect(page.locator("#menu")).to_contain_text("Up to date: 33 new")
    page.get_by_role("button", name="Unreadable files (1)").click()
    expect(page.get_by_role("dialog", name="Unreadable files (1)")).to_contain_text("broken.jpg")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    new = Image.open(PHOTO)
    exif = new.getexif()
    exif.get_ifd(0x8769)[0x9003] = "2037:01:02 03:04:05"
    new.save(tmp_path / "food" / "newest.jpg", exif=exif)
    ids = "() => [...document.querySelectorAll('.cell')].map(cell => cell.dataset.id)"
    before = set(page.evaluate(ids))
    page.get_by_role("button", name="Settings and more").click()
    page.evaluate("scrollTo(0, 300)")
    page.get_by_role("button", name="Look for new pictures").dispatch_event("click")  # another click would scroll to it
    expect(page.locator("#status")).to_have_text("60 pictures", timeout=20_000)
    assert page.evaluate("scrollY") == 300
    assert names(page)[0] == "2037-01-02"
    assert len(set(page.evaluate(ids)) - before) == 1
    page.keyboard.press("Escape")
    page.locator(".open[aria-label='Open 2037-01-02']").click()
    expect(page.get_by_role("heading", name="newest.jpg")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="newest.jpg")).to_be_hidden()
    page.close()
    own.stop()
    own = serve_library(bundled, tmp_path / "none")
    page = visit(address=own.address, quiet=False)
    expect(page.locator("#empty")).to_contain_text("seesay serve … FOLDER")
    page.evaluate("location.hash = '#/map'")
    expect(page.locator("#map")).to_have_text("No pictures yet")
    page.evaluate("location.hash = '#/try'")
    expect(page.locator("#try h1")).to_be_visible()
    with Library(tmp_path / "none", bundled) as library:
        library.index(tmp_path / "food")
    expect(page.locator("#try .offered button")).to_have_count(8, timeout=25_000)
    own.stop()


def test_what_is_passed_over_is_told(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(PHOTO.read_bytes())
    for name in ("cat.mov", "film.mp4", "trip.mp4"):
        (folder / name).write_bytes(b"x")
    with Library(tmp_path / "library", bundled) as library:
        library.index(folder)
    server = serve_library(bundled, tmp_path / "library")
    try:
        for locale, menu, title, line in (
            ("en-US", "Settings and more", "Passed over (3)", "2 × video not read by this version"),
            ("zh-CN", "设置与更多", "跳过的文件（3）", "2 × 视频 此版本不读取视频"),
        ):
            page = visit(address=server.address, locale=locale)
            expect(page.locator(".cell")).to_have_count(1)
            page.get_by_role("button", name=menu).click()
            page.get_by_role("button", name=title).click()
            expect(page.get_by_role("dialog", name=title).locator("li").first).to_contain_text(line)
    finally:
        server.stop()


def test_why_files_are_unreadable_in_the_page_s_language(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    faults = {
        "a.jpg": (b"", "是空文件"),
        "b.jpg": (b"no picture", "不是可读取的图片"),
        "c.jpg": (PHOTO.read_bytes()[:3000], "已损坏或不完整"),
        "d.jpg": (b"\0\0\0\x18ftypmp42" + bytes(40), "是视频，无法读取"),
        "e.txt": (b"\xff\xfe\xfd", "不是 UTF-8 文本"),
        "f.txt": (b"\n \n", "里面没有文字"),
        "g.csv": (b"a,b,c\n1,2,3\n", "有 3 列"),
    }
    for name, (content, _) in faults.items():
        (folder / name).write_bytes(content)
    shutil.copy(PHOTO, folder)
    with Library(tmp_path / "library", bundled) as library:
        library.index(folder, *(folder / name for name in faults if not name.endswith(".jpg")))
    own = serve_library(bundled, tmp_path / "library")
    try:
        page = visit(address=own.address, locale="zh-CN")
        page.get_by_role("button", name="设置与更多").click()
        page.get_by_role("button", name=f"无法读取的文件（{len(faults)}）").click()
        expect(page.locator("#sheet li")).to_have_count(len(faults))
        lines = page.locator("#sheet li").all_inner_texts()
        for name, (_, reason) in faults.items():
            (line,) = (line for line in lines if name in line)
            assert f"{name} {reason}" in line
        assert not re.search("[a-z]{4,}", re.sub("files / |text|caption", "", " ".join(lines)))
        page.close()
    finally:
        own.stop()
