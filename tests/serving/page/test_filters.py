"""The filters: folder, tag, shape, place, and those in an address."""

import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Route, expect

from seesay.library import Library
from seesay.model import Model
from tests.conftest import located
from tests.serving.page.conftest import Visit, cells, serve_library


def test_filters(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Filters").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Folder").select_option("photos/animals")
    expect(page.locator("#status")).to_have_text("33 pictures")
    dialog.get_by_label("Tag").select_option("friend")
    expect(page.locator("#status")).to_have_text("1 picture")
    dialog.get_by_label("Shape").select_option("portrait")
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator("#active .chip")).to_have_count(3)
    expect(page.locator("#empty")).to_contain_text("Nothing passes these filters")
    expect(page.get_by_role("button", name="Clear the filters")).to_be_visible()
    page.get_by_role("button", name="Remove: Tall").click()
    expect(page.locator("#status")).to_have_text("1 picture")
    page.reload()
    expect(page.locator("#active .chip")).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#status")).to_have_text("127 pictures")


def test_a_place_is_checked(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("More", exact=True).click()
    place = page.get_by_label("A box of your own", exact=True)
    valid = "document.querySelector('[name=box]').validationMessage"
    for wrong in ("99, 8, 99, 9", "47, 8, 46, 9", "47,, 48, 9", "Zurich"):
        place.fill(wrong)
        place.blur()
        assert "south and north from -90 to 90" in page.evaluate(valid).lower()
        expect(page.locator("#active .chip")).to_have_count(0)
    place.fill("-90, -180, 90, 180")
    place.blur()
    expect(page.locator("#active .chip")).to_have_text("Place -90, -180, 90, 180")


def test_places_of_the_library_are_chosen_from(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    for number, spot in enumerate([(47.37, 8.54), (47.38, 8.55), (47.36, 8.5), (-33.87, 151.21)]):
        Image.new("RGB", (90, 60), (50 * number, 90, 90)).save(tmp_path / f"{number}.jpg", exif=located(*spot))
    shutil.copy(tmp_path / "0.jpg", tmp_path / "again.jpg")
    with Library(tmp_path / "library", bundled) as library:
        library.index(tmp_path)
    server = serve_library(bundled, tmp_path / "library")
    try:
        page = visit(address=server.address)
        expect(page.locator("#status")).to_have_text("4 pictures")
        page.get_by_role("button", name="Filters").click()
        place = page.locator("select[name=place]")
        expect(place.locator("option")).to_have_text(
            [
                "Any place",
                re.compile(r"^(Zürich, Switzerland|47.37° N, 8.54° E) \(3\)$"),
                re.compile(r"^(Sydney|33.87° S).* \(1\)$"),
            ]
        )
        place.select_option(index=1)
        expect(page.locator("#status")).to_have_text("3 pictures")
        chip = page.locator("#active .chip")
        expect(chip).to_have_text("Zürich, Switzerland", timeout=60_000)  # the page asks again, and the server has looked it up
        expect(page.get_by_label("A box of your own", exact=True)).not_to_be_visible()
        page.locator("select[name=place]").select_option(index=0)
        expect(page.locator("#status")).to_have_text("4 pictures")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Open 3.jpg").click()
        page.get_by_role("dialog", name="Picture").get_by_role("button", name=re.compile("Sydney|33.87° S")).click()
        expect(page.get_by_role("dialog", name="Picture")).not_to_be_visible()
        expect(page.locator("#status")).to_have_text("1 picture")
        copies = visit("#/duplicates", address=server.address)  # from another view, too
        copies.locator(".look").first.click()
        copies.get_by_role("dialog", name="Picture").get_by_role("button", name="Zürich, Switzerland").click()
        expect(copies.locator("#status")).to_have_text("3 pictures")
        for each in (page, copies):
            each.close()
    finally:
        server.stop()


def test_filters_of_an_address_are_checked(visit: Visit) -> None:
    for odd in ('{"place":1}', "null", "[1]", "3", '{"constructor":1}', '{"tags":"x","after":"never","sort":"nicest"}', "{"):
        page = visit(f"#/?f={odd}")
        expect(page.locator("#status")).to_have_text("127 pictures")
        page.get_by_role("button", name="Filters").click()
        expect(page.get_by_role("dialog", name="Filters")).to_be_visible()
        expect(page.locator("#active .chip")).to_have_count(0)


def test_a_tag_that_nothing_has(visit: Visit) -> None:
    for where, words in (('#/?f={"tags":["frend"]}', ""), ('#/?q=a+dog&f={"tags":["frend"]}', "a dog")):
        page = visit(where, quiet=False)
        expect(page.locator("#empty")).to_contain_text("No picture is tagged “frend”. Did you mean “friend”?")
        expect(page.locator("#words")).to_have_value(words)
        page.get_by_role("button", name="Clear the filters").click()
        expect(cells(page).first).to_be_visible()
    page = visit('#/?f={"tags":["水"]}', quiet=False, locale="zh-CN")
    expect(page.locator("#empty")).to_contain_text("没有图片带有标签“水”。")


def test_the_first_click_and_the_first_letters_count_on_a_slow_line(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []
    page.route("**/v1/library", lambda route: held.append(route))
    page.route("**/ui/app.js", lambda route: held.append(route))
    page.reload(wait_until="commit")
    page.fill("#words", "a german shepherd")
    with page.expect_request("**/v1/library"):
        held.pop().continue_()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("Folder")).to_have_text("All folders")
    held.pop().continue_()
    page.get_by_label("Folder").select_option("photos/animals")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#words")).to_have_value("a german shepherd")
    expect(page.locator("#active .chip")).to_have_count(1)
    expect(page.locator("#status")).to_contain_text("likely")
