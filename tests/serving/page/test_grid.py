"""The grid: scrolling, months, many images, and going back to where one was."""

import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Route, expect

from seesay.library import Library
from seesay.model import Model
from tests.picture_server import png
from tests.serving.page.conftest import Visit, cells, search, serve_library, wait_until


def test_views_are_found_as_they_were_left(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.evaluate("scrollTo(0, 1500)")
    page.wait_for_timeout(300)
    page.evaluate("location.hash = '#/try'")
    expect(page.locator(".matrix")).to_be_visible()
    wait_until(page, "scrollY === 0")
    page.evaluate("scrollTo(0, 200)")
    page.wait_for_timeout(200)
    page.locator("#menu-button").click()
    page.evaluate("location.hash = '#/'")
    wait_until(page, "scrollY === 1500")
    expect(page.locator("#menu")).not_to_be_visible()


def test_another_list_begins_at_the_top(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()

    def scrolled(y: int) -> None:
        until = time.monotonic() + 5
        while page.evaluate("scrollY") != y and time.monotonic() < until:
            page.wait_for_timeout(20)
        assert page.evaluate("scrollY") == y

    def down() -> None:
        wait_until(page, "() => { scrollTo(0, 900); return scrollY === 900; }")  # once the list is long enough

    down()
    search(page, "fruit")
    scrolled(0)
    down()
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("dialog").get_by_label("Folder").select_option("photos/animals")
    scrolled(0)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    with page.expect_response("**/v1/search"):  # the longer list comes, and only then can one scroll down in it
        page.get_by_role("button", name="Remove: photos/animals").click()
    expect(page.locator("#active .chip")).to_have_count(0)
    page.get_by_role("button", name="Settings and more").click()
    down()
    page.get_by_label("Language").evaluate("each => { each.value = 'zh'; each.dispatchEvent(new Event('change')); }")
    expect(page.locator("#status")).to_contain_text("可能")
    assert page.evaluate("scrollY") == 900  # the same list in other words
    with page.expect_response(lambda answer: "cursor" in (answer.request.post_data or "")):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > 900  # the same list goes on
    page.fill("#words", "")
    scrolled(0)
    expect(page.locator("#status")).to_have_text("127 张图片")


def test_a_hundred_thousand_pictures(visit: Visit) -> None:
    page = visit("#/try")
    count = 100_000
    many = {
        "ids": [f"{number:012x}" for number in range(count)],
        "widths": [3000 + number * 37 % 1500 for number in range(count)],
        "heights": [2500] * count,
        "dates": [f"{2024 - number // 10_000}-{12 - number % 10_000 // 900:02d}-01" for number in range(count)],
    }
    urls: list[str] = []

    def thumbnail(route: Route) -> None:
        urls.append(route.request.url)
        route.fulfill(body=png(), content_type="image/png")

    page.route("**/v1/browse", lambda route: route.fulfill(json=many))
    page.route("**/thumbnail?*", thumbnail)
    page.evaluate("location.hash = '#/'")
    expect(page.locator("#status")).to_have_text("100,000 pictures")
    expect(page.locator(".sheet h2").first).to_have_text("December 2024")
    urls.clear()
    slowest = page.evaluate(
        """async () => {
            let slowest = 0;
            for (let step = 1; step <= 60; step++) {
                const begin = performance.now();
                scrollTo(0, document.body.scrollHeight * step / 61);
                await new Promise(requestAnimationFrame);
                slowest = Math.max(slowest, performance.now() - begin);
            }
            return slowest;
        }"""
    )
    page.wait_for_timeout(400)
    assert slowest < 20_000  # a page that lays out all of them anew takes minutes; a busy machine takes seconds
    assert cells(page).count() < 200
    assert len(urls) < 400  # what was passed in a hurry is not fetched: 60 stops of some 50 pictures
    page.locator(".open").first.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    expect(page.locator(".cell :focus")).to_have_count(1)


def test_short_months_stand_side_by_side(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    months = ["2021:03", "2021:03", "2021:04", "2022:07", *["2023:01"] * 12]
    for number, month in enumerate(months):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{month}:10 12:00:{number:02}"
        Image.new("RGB", (120 + number, 90), (10 * number, 90, 200)).save(tmp_path / "album" / f"{number:02}.jpg", exif=exif)
    with Library(tmp_path / "library", bundled) as library:
        library.index(tmp_path / "album")
    server = serve_library(bundled, tmp_path / "library")
    headings = """() => [...document.querySelectorAll('.sheet h2')]
        .map(each => [each.textContent, each.getBoundingClientRect().left, each.getBoundingClientRect().bottom])"""
    try:
        page = visit(address=server.address)
        expect(page.get_by_placeholder("What does the picture show?")).to_be_visible()
        expect(page.locator(".sheet h2")).to_have_text(["January 2023", "July 2022", "April 2021", "March 2021"])
        placed = {name: (left, bottom) for name, left, bottom in page.evaluate(headings)}
        assert placed["July 2022"][1] == placed["April 2021"][1] == placed["March 2021"][1] > placed["January 2023"][1]
        assert placed["July 2022"][0] < placed["April 2021"][0] < placed["March 2021"][0]
        for name in ("July 2022", "March 2021"):  # each stands over its first picture
            title = page.get_by_role("heading", name=name).get_attribute("id")
            box = page.locator(f".cell:has([aria-describedby='{title}'])").bounding_box()
            assert box is not None
            assert abs(box["x"] - placed[name][0]) < 2
            assert 0 <= box["y"] - placed[name][1] < 12
        found = visit('#/?q=blue&f={"sort":"oldest"}', address=server.address)
        expect(found.locator(".sheet h2").first).to_be_visible()
        shown = [name for name, *_ in found.evaluate(headings)]
        likely = [name for name in shown if "ikely" not in name]
        assert likely == [name for name in ("March 2021", "April 2021", "July 2022", "January 2023") if name in likely]
        assert shown == [*likely, *[name for name in shown if "ikely" in name]]
        narrow = visit(address=server.address, width=360, height=700)
        expect(narrow.get_by_placeholder("Search photos")).to_be_visible()
        for each in (page, found, narrow):
            each.close()
    finally:
        server.stop()
