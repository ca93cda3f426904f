"""Selected images: ranges, downloads, copied names, lists."""

import re
from pathlib import Path

from playwright.sync_api import Route, expect

from tests.picture_server import png
from tests.serving.page.conftest import Visit, cells, search


def test_selecting_and_taking_away(visit: Visit) -> None:
    page = visit()
    search(page, "fruit")
    page.locator(".cell").first.hover()
    page.get_by_role("checkbox").first.check()
    page.locator(".open").nth(2).click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("3 selected")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as ZIP").click()
    assert download.value.suggested_filename == "pictures.zip"
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a list").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("id,folder,name")
    page.get_by_role("button", name="Tag …").click()
    page.get_by_placeholder("Add a tag").fill("fruit")
    page.keyboard.press("Enter")
    expect(page.locator("#selection")).to_contain_text("3 tagged")
    page.get_by_role("button", name="Select all").click()
    page.evaluate("location.hash = '#/try'")
    expect(page.locator("#try")).to_be_visible()
    expect(page.locator("#selection")).to_be_hidden()
    page.go_back()
    expect(page.locator("#selection")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#selection")).to_be_hidden()
    expect(page.locator(":focus")).to_have_class("open")


def test_a_range_goes_on_when_the_same_search_is_answered_again(visit: Visit) -> None:
    page = visit("#/?q=fruit")
    page.locator(".cell").first.hover()
    page.get_by_role("checkbox").first.check()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")):
        page.keyboard.press("/")
        page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    page.locator(".open").nth(2).click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("3 selected")


def test_a_range_does_not_begin_in_another_search(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()
    page.locator(".open").nth(20).click(modifiers=["Control"])
    page.keyboard.press("Escape")
    search(page, "fruit")
    page.locator(".open").nth(1).click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("1 selected")
    page.locator(".open").nth(3).click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()


def test_a_download_that_fails_leaves_the_page(visit: Visit) -> None:
    page = visit(quiet=False)
    search(page, "fruit")
    page.locator(".open").nth(1).click(modifiers=["Control"])
    fault = {"error": {"message": "the picture's file is not there now", "type": "not_found"}}
    page.route("**/v1/export", lambda route: route.fulfill(json=fault, status=410))
    page.get_by_role("button", name="Download as ZIP").click()
    expect(page.locator("#selection .note")).to_have_text("the picture's file is not there now")
    page.unroute("**/v1/export")
    page.route("**/v1/export", lambda route: route.abort())
    page.get_by_role("button", name="Download as ZIP").click()
    expect(page.locator("#selection .note")).to_contain_text("The server does not answer")
    expect(page.locator("#selection")).to_contain_text("1 selected")
    expect(page.locator("#words")).to_have_value("fruit")


def test_copying_names(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    search(page, "a german shepherd")
    page.locator(".open").first.click(modifiers=["Control"])
    copy, note, name = (
        page.get_by_role("button", name="Copy names"),
        page.locator("#selection .note"),
        "german-shepherd-on-grass.jpg",
    )
    for refused in ("0", "delete Navigator.prototype.clipboard", "document.execCommand = () => false"):
        page.evaluate(f"() => {{ {refused} }}")
        copy.click()
        if "exec" not in refused:
            expect(note).to_have_text("Copied")
            page.fill("#words", "")
            page.focus("#words")
            page.keyboard.press("Control+v")
            expect(page.locator("#words")).to_have_value(re.compile(f".*/{name}"))
    expect(note).to_contain_text("does not let the page copy")


def test_a_list_of_many_is_asked_for_a_page_at_a_time_and_can_be_stopped(visit: Visit) -> None:
    page = visit()
    many = {name: [f"{number:012x}" if name == "ids" else value for number in range(5000)] for name, value in
            {"ids": "", "widths": 3, "heights": 2, "dates": ""}.items()}  # fmt: skip
    facts = [{"id": id, "name": f"{id}.jpg", "folder": "f", "width": 3, "height": 2} for id in many["ids"]]
    offsets, held = list[int](), list[Route]()

    def pages(route: Route) -> None:
        assert "query" not in route.request.post_data_json
        begin = int(route.request.post_data_json.get("cursor", "0"))
        offsets.append(begin)
        if begin == 2000 and not held:
            held.append(route)
            return
        rest = {"next": str(begin + 1000)} if begin < 4000 else {}
        route.fulfill(json={"results": facts[begin : min(begin + 1000, 4980)], "took_ms": 1, **rest})

    page.route("**/v1/browse", lambda route: route.fulfill(json=many))
    page.route("**/v1/search", pages)
    page.route(
        re.compile("/v1/items/[0-9a-f]+$"),
        lambda route: route.fulfill(json=facts[int(route.request.url[-12:], 16)]),
    )
    page.route("**/thumbnail?*", lambda route: route.fulfill(body=png(), content_type="image/png"))
    page.reload()
    expect(page.locator("#status")).to_have_text("5,000 pictures")
    page.locator(".open").first.click(modifiers=["Control"])
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="Save a list").click()
    expect(page.locator("#selection .note")).to_have_text("2,000 of 5,000")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    offsets.clear()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a list").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert offsets == [0, 1000, 2000, 3000, 4000]  # and the last twenty, which no search finds, one by one
    assert lines[-1].startswith("000000001387,f,000000001387.jpg,3,2")
    assert len(lines) == 5001
    assert all(line.endswith(",") for line in lines[1:])  # no score of a search that nobody made
