"""The page in a real browser: Chromium, where there is one (`SEESAY_CHROMIUM`, or on the path)."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from seesay.library import Library
from seesay.model import Model
from seesay.serving.app import create_app
from seesay.serving.settings import Settings
from tests.conftest import PHOTOS, located
from tests.picture_server import png


def chromium() -> str | None:
    """What `scripts/browser` finds or installs."""
    named = [os.environ.get("SEESAY_CHROMIUM"), *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))]
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (*named, own) if path and Path(path).exists()), None)


CHROMIUM = chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: scripts/browser installs one")
KEY = "a-long-and-random-key"
PHOTO = PHOTOS / "animals" / "dalmatian-1.jpg"


class Running:
    """A server in a thread, which can go and come back at the same port."""

    def __init__(self, model: Model, library: Path, port: int = 0, **settings: Any) -> None:
        self._make = lambda port: uvicorn.Server(
            uvicorn.Config(create_app(model, Settings(**settings), library=library), port=port, log_level="critical")
        )
        self.port = port
        self.start()

    def start(self) -> None:
        self.server = self._make(self.port)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def examples(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the example photos, one of them tagged."""
    folder = tmp_path_factory.mktemp("examples")
    with Library(folder / "library", bundled) as library:
        library.index(PHOTOS)
        library.tags.add("friend", PHOTO)
    return folder / "library"


@pytest.fixture(scope="module")
def running(bundled: Model, examples: Path) -> Iterator[Running]:
    server = Running(bundled, examples)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, running: Running) -> Iterator[Visit]:
    """visit(hash, width=..., ...) -> a page; whatever it says on the console must be expected."""
    said: list[str] = []
    contexts = []

    def open_page(
        where: str = "", *, address: str | None = None, width: int = 1280, height: int = 800, quiet: bool = True, **how: Any
    ) -> Page:
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": width, "height": height}, **how})
        contexts.append(context)
        page = context.new_page()
        if quiet:
            page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((address or running.address, "blob:", "data:")) else said.append(request.url)
            ),
        )
        page.goto(f"{address or running.address}/{where}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def cells(page: Page) -> Any:
    return page.locator(".cell")


def names(page: Page) -> list[str]:
    """Of the pictures shown, in order."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.cell')]
            .map(cell => [cell.getBoundingClientRect(), cell.querySelector('img').alt])
            .sort(([a], [b]) => a.top - b.top || a.left - b.left).map(([, name]) => name)"""
    )
    return found


def search(page: Page, words: str) -> None:
    page.wait_for_selector("body[data-view]", state="attached")  # when the page begins it asks once more for what is typed
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")):
        page.fill("#words", words)
    page.wait_for_timeout(100)


def test_all_pictures_and_searching_as_one_types(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#status")).to_have_text("127 pictures")
    expect(page.locator(".cell img.there").first).to_be_visible()
    search(page, "a german shepherd")
    assert names(page)[0] == "german-shepherd-on-grass.jpg"
    assert "q=a+german+shepherd" in page.url
    search(page, "草地上的狗")
    assert "german-shepherd-on-grass.jpg" in names(page)[:3]
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("127 pictures")
    search(page, "a german shepherd")
    page.go_back()
    expect(page.locator("#words")).to_have_value("")
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.go_forward()
    expect(page.locator("#words")).to_have_value("a german shepherd")
    page.reload()
    expect(page.locator("#words")).to_have_value("a german shepherd")
    expect(page.locator("#status")).to_contain_text("likely")


def test_pictures_with_words_and_signs(visit: Visit) -> None:
    page = visit()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")):
        page.set_input_files("#picture-file", PHOTO)
    expect(page.locator("#chips .chip")).to_have_count(1)
    expect(cells(page).first).to_be_visible()
    assert names(page)[0] == "dalmatian-1.jpg"
    search(page, "- grass")
    with page.expect_request(lambda request: request.url.endswith("/v1/search")) as asked:
        page.get_by_role("button", name="With or without it: with").click()
    body = asked.value.post_data_json
    assert re.fullmatch(r"- grass - photo:p\d+", body["query"])
    assert body["pictures"][body["query"].split(":")[1]].startswith("data:image/jpeg;base64,")
    with page.expect_request(lambda request: request.url.endswith("/v1/search")) as asked:
        page.get_by_label("How much it counts").select_option("0.5")
    assert "- 0.5*photo:" in asked.value.post_data_json["query"]
    page.get_by_role("button", name="Remove").first.click()
    expect(page.locator("#chips .chip")).to_have_count(0)


def give(page: Page, kind: str, event: str) -> None:
    """Drops or pastes the photo, as a browser tells a page of it."""
    import base64

    page.evaluate(
        """([data, kind, event]) => {
            const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0)), transfer = new DataTransfer();
            transfer.items.add(new File([bytes], 'mine.jpg', {type: kind}));
            const how = {clipboardData: transfer, dataTransfer: transfer, bubbles: true, cancelable: true};
            const told = event === 'paste' ? new ClipboardEvent(event, how) : new DragEvent(event, how);
            document.querySelector('#words').dispatchEvent(told);
        }""",
        [base64.b64encode(PHOTO.read_bytes()).decode(), kind, event],
    )


def test_dropping_and_pasting(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()
    give(page, "image/jpeg", "dragenter")
    expect(page.locator("#drop")).to_be_visible()
    give(page, "image/jpeg", "drop")
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.locator("#chips .chip")).to_have_count(1)
    give(page, "image/jpeg", "paste")
    expect(page.locator("#chips .chip")).to_have_count(2)
    page.reload()
    expect(page.locator("#banner")).to_contain_text("not kept when the page is loaded anew")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(['no'], 'broken.jpg', {type: 'image/jpeg'}));
            document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.locator("#banner")).to_have_text("broken.jpg cannot be read as a picture.")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            for (const name of ['a.txt', 'b.pdf']) transfer.items.add(new File(['no'], name));
            document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.locator("#banner")).to_have_text("a.txt, b.pdf cannot be read as a picture.")


def test_a_search_takes_sixteen_pictures(visit: Visit) -> None:
    page = visit()
    page.set_input_files("#picture-file", [PHOTO] * 17)
    expect(page.locator("#banner")).to_have_text("A search takes at most 16 pictures.")
    expect(page.locator("#chips .chip")).to_have_count(16)
    expect(page.locator("#status")).to_have_text("120+ pictures")


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


def test_texts_are_searched_too(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    captions = [f"a number such as {number}" for number in range(150)]
    captions += ["two dogs run through snow", "a plate of noodles", "a duck with white-grey feathers", "雪地里的狗"]
    (tmp_path / "captions.txt").write_text("\n".join(captions), encoding="utf-8")
    with Library(tmp_path / "library", bundled) as library:
        library.index(PHOTOS / "animals", tmp_path / "captions.txt")
    server = Running(bundled, tmp_path / "library")
    try:
        page = visit(address=server.address)
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("dialog").get_by_label("Search among").select_option("text")
        expect(page.locator("#empty")).to_contain_text("Type words or add a picture")
        page.get_by_role("dialog").get_by_role("button", name="Done").click()
        words = page.get_by_role("searchbox")
        words.fill("dogs in the snow")
        texts = page.locator("#texts li")
        expect(page.locator("#status")).to_have_text("120+ texts found")
        expect(page.locator("#grid .cell")).to_have_count(0)
        top = [text.removesuffix("\n") for text in texts.locator("button").all_inner_texts()[:2]]
        assert set(top) == {"two dogs run through snow", "雪地里的狗"}
        expect(texts.first.locator("small")).to_contain_text("captions.txt:15")
        page.get_by_role("button", name="Show more").click()
        expect(page.locator("#status")).to_have_text("154 texts found")
        expect(page.locator("#texts :focus")).to_contain_text("a number")
        page.reload()
        expect(page.locator("#status")).to_have_text("120+ texts found")
        words.fill("a duck")
        expect(texts.first).to_contain_text("duck")
        texts.first.get_by_role("button").click()
        expect(page.locator("#active .chip")).to_have_count(0)
        expect(words).to_have_value('"a duck with white-grey feathers"')
        expect(page.get_by_role("button", name=re.compile("^Open white-duck")).first).to_be_visible()
        expect(texts).to_have_count(0)
        page.close()
    finally:
        server.stop()


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
    server = Running(bundled, tmp_path / "library")
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


def test_a_step_back_closes_what_lies_over_the_view(visit: Visit) -> None:
    page = visit()
    page.get_by_role("link", name="Try it").click()
    expect(page.locator(".matrix")).to_be_visible()
    page.get_by_role("link", name="Photos").click()
    page.locator(".open").first.click()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog", name="Picture")).not_to_be_visible()
    expect(page.locator(".matrix")).to_be_visible()


def test_views_are_found_as_they_were_left(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.evaluate("scrollTo(0, 1500)")
    page.wait_for_timeout(300)
    page.evaluate("location.hash = '#/try'")
    expect(page.locator(".matrix")).to_be_visible()
    page.wait_for_function("scrollY === 0")
    page.evaluate("scrollTo(0, 200)")
    page.wait_for_timeout(200)
    page.locator("#menu-button").click()
    page.evaluate("location.hash = '#/'")
    page.wait_for_function("scrollY === 1500")
    expect(page.locator("#menu")).not_to_be_visible()


def test_filters_of_an_address_are_checked(visit: Visit) -> None:
    for odd in ('{"place":1}', "null", "[1]", "3", '{"constructor":1}', '{"tags":"x","after":"never","sort":"nicest"}', "{"):
        page = visit(f"#/?f={odd}")
        expect(page.locator("#status")).to_have_text("127 pictures")
        page.get_by_role("button", name="Filters").click()
        expect(page.get_by_role("dialog", name="Filters")).to_be_visible()
        expect(page.locator("#active .chip")).to_have_count(0)


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


def labels(page: Page) -> list[str]:
    """Of headings and pictures, in the document's order, without those that are elsewhere on the sheet."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.sheet > *')]
            .map(each => each.tagName === 'H2' ? each.textContent : each.querySelector('img').alt)"""
    )
    return found


def asked_and_found(page: Page, words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the page asks for when these words are typed, and the hits."""
    page.wait_for_selector("body[data-view]", state="attached")
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")) as got:
        page.fill("#words", words)
    page.wait_for_timeout(100)
    asked: dict[str, Any] = got.value.request.post_data_json
    return asked, got.value.json()["results"]


def test_less_likely_pictures_stand_below_a_heading(visit: Visit) -> None:
    page = visit()
    asked, hits = asked_and_found(page, "fruit")
    assert asked.keys() == {"query", "pictures", "n", "filters"}
    count = sum(hit["likely"] for hit in hits)
    assert 5 < count < 50
    expect(page.locator("#status")).to_have_text(f"{count} likely pictures")
    expected = [hit["name"] for hit in hits]
    expected.insert(count, "Less likely from here")
    page.evaluate("document.querySelector('.sheet h2').scrollIntoView({block: 'center'})")
    page.wait_for_timeout(200)
    shown = labels(page)
    assert shown == expected[: len(shown)]
    heading = page.locator(".sheet h2")
    expect(heading).to_have_count(1)
    box, above, below = (
        place.bounding_box()
        for place in (heading, page.get_by_role("button", name=f"Open {expected[count - 1]}", exact=True),
                      page.get_by_role("button", name=f"Open {expected[count + 1]}", exact=True))
    )  # fmt: skip
    assert box
    assert above
    assert below
    assert above["y"] + above["height"] <= box["y"]
    assert box["y"] + box["height"] <= below["y"]
    assert below["x"] == box["x"]


def test_the_keys_and_ranges_go_across_a_heading(visit: Visit) -> None:
    page = visit()
    _, hits = asked_and_found(page, "fruit")
    count = sum(hit["likely"] for hit in hits)
    page.keyboard.press("ArrowDown")
    for _ in range(count - 1):
        page.keyboard.press("ArrowRight")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("aria-label", f"Open {hits[count - 1]['name']}")
    expect(focused).to_have_accessible_description("")
    page.keyboard.press("Shift+ArrowRight")
    expect(focused).to_have_attribute("aria-label", f"Open {hits[count]['name']}")
    expect(focused).to_have_accessible_description("Less likely from here")
    expect(page.locator("#selection")).to_contain_text("2 selected")
    page.keyboard.press("ArrowUp")
    above = page.evaluate("document.activeElement.getBoundingClientRect().bottom")
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.getBoundingClientRect().top")
    heading = page.locator(".sheet h2").bounding_box()
    assert heading is not None
    assert above <= heading["y"] < below
    page.keyboard.press("Enter")  # where some are selected it joins or leaves them
    expect(page.locator("#selection")).to_contain_text(re.compile("[123] selected"))


def test_all_pictures_follow_a_page_at_a_time(visit: Visit) -> None:
    page = visit()
    search(page, "fruit")
    status = page.locator("#status").inner_text()
    with page.expect_response(lambda answer: "cursor" in (answer.request.post_data or "")) as got:
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    assert len(got.value.json()["results"]) == 7
    expect(page.locator("#status")).to_have_text(status)
    expect(page.locator(".sheet h2")).to_have_count(1 if "Less likely from here" in labels(page) else 0)
    page.evaluate("document.querySelector('.open').focus()")
    page.keyboard.press("End")
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"Open {got.value.json()['results'][-1]['name']}")
    page.keyboard.press("Home")
    page.wait_for_timeout(200)
    assert labels(page).count("Less likely from here") == 1


def nothing_is_likely(page: Page) -> None:
    """Whatever words are searched for: which pictures are likely is for the library to say, and tested there."""

    def unlikely(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        hits = told["results"]
        if route.request.post_data_json.get("likely"):
            told = {"results": [], "nothing": {"reason": "likely", "message": "none"}, "took_ms": 1}
        route.fulfill(json=told | {"results": [hit | {"likely": False} for hit in hits] if told["results"] else []})

    page.route("**/v1/search", unlikely)


def test_where_nothing_is_likely_the_nearest_are_shown(visit: Visit) -> None:
    page = visit()
    nothing_is_likely(page)
    search(page, "giraffe")
    expect(page.locator("#status")).to_have_text("No likely picture")
    heading = page.get_by_role("heading", name="Nothing here is likely to show “giraffe”. The nearest:")
    expect(heading).to_be_visible()
    assert labels(page)[0] == heading.inner_text()
    assert len(labels(page)) > 20
    expect(page.locator("#empty")).to_be_hidden()
    search(page, '"an underground railway station of long ago"')
    expect(page.locator(".sheet h2")).to_have_text(
        "Nothing here is likely to show “an underground railway station of long a…”. The nearest:"
    )


def test_only_likely_pictures(visit: Visit) -> None:
    page = visit()
    _, hits = asked_and_found(page, "fruit")
    likely = [hit["name"] for hit in hits if hit["likely"]]
    page.get_by_role("button", name="Filters").click()
    with page.expect_request(lambda request: request.url.endswith("/v1/search")) as asked:
        page.get_by_role("dialog").get_by_label("Only likely ones").check()
    assert asked.value.post_data_json["likely"] is True
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.locator("#status")).to_have_text(f"{len(likely)} likely pictures")
    expect(cells(page)).to_have_count(len(likely))
    assert labels(page) == likely
    page.reload()
    expect(page.locator("#status")).to_have_text(f"{len(likely)} likely pictures")
    nothing_is_likely(page)
    search(page, "giraffe")
    expect(page.locator("#empty")).to_contain_text("Nothing here is likely to show “giraffe”.")
    page.get_by_role("button", name="Show the nearest").click()
    expect(page.locator("#active .chip")).to_have_count(0)
    expect(page.locator(".sheet h2")).to_contain_text("Nothing here is likely to show")
    expect(page.locator(".cell :focus")).to_have_count(1)
    page.fill("#words", "")
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("Only likely ones")).to_have_count(0)  # it is words that pictures are likely to show


def test_what_is_called_so_is_marked(visit: Visit) -> None:
    page = visit()
    _, hits = asked_and_found(page, "animals")
    named = [hit["name"] for hit in hits if hit.get("named")]
    assert len(named) == 33
    first = page.locator(".cell").first
    expect(first.locator(".mark")).to_have_text("by its name")
    expect(first.get_by_role("button")).to_have_accessible_name(f"Open {named[0]}, by its name")
    search(page, "fruit")
    expect(page.locator(".mark")).to_have_count(0)


def test_names_of_files_and_folders(visit: Visit) -> None:
    page = visit()
    search(page, "name:german")
    expect(page.locator("#status")).to_have_text("1 picture")
    assert labels(page) == ["german-shepherd-on-grass.jpg"]
    search(page, "name:nobody")
    expect(page.locator("#empty")).to_contain_text("No file and no folder has such a name.")
    expect(page.get_by_role("button", name="Clear the filters")).to_have_count(0)
    page.fill("#words", "")
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.get_by_role("button", name="Filters").click()
    name = page.get_by_role("dialog").get_by_label("Name", exact=True)
    name.fill("dalmatian")
    name.blur()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    expect(page.locator("#active .chip")).to_have_text("Name dalmatian")
    expect(page.locator("#status")).to_have_text("2 pictures")
    page.reload()
    expect(page.locator("#status")).to_have_text("2 pictures")
    search(page, "animals")
    assert sorted(names(page)) == ["dalmatian-1.jpg", "dalmatian-2.jpg"]


def test_words_by_date(visit: Visit) -> None:
    page = visit()
    search(page, "fruit")
    page.get_by_role("button", name="Filters").click()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")) as got:
        page.get_by_role("dialog").get_by_label("Order").select_option("newest")
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    assert got.value.request.post_data_json["sort"] == "newest"
    assert got.value.request.post_data_json["filters"] == {}
    hits = got.value.json()["results"]
    count = sum(hit["likely"] for hit in hits)
    expect(page.locator("#status")).to_have_text(f"{count} likely pictures")
    assert labels(page)[:5] == [hit["name"] for hit in hits[:5]]
    page.set_input_files("#picture-file", PHOTO)
    expect(page.locator("#status")).to_have_text("120+ pictures")
    expect(page.locator("#active .chip")).to_have_text("Newest first")


def test_a_tag_that_nothing_has(visit: Visit) -> None:
    for where, words in (('#/?f={"tags":["frend"]}', ""), ('#/?q=a+dog&f={"tags":["frend"]}', "a dog")):
        page = visit(where, quiet=False)
        expect(page.locator("#empty")).to_contain_text("No picture is tagged “frend”. Did you mean “friend”?")
        expect(page.locator("#words")).to_have_value(words)
        page.get_by_role("button", name="Clear the filters").click()
        expect(cells(page).first).to_be_visible()
    page = visit('#/?f={"tags":["水"]}', quiet=False, locale="zh-CN")
    expect(page.locator("#empty")).to_contain_text("没有图片带有标签“水”。")


def test_another_list_begins_at_the_top(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()

    def scrolled(y: int) -> None:
        until = time.monotonic() + 5
        while page.evaluate("scrollY") != y and time.monotonic() < until:
            page.wait_for_timeout(20)
        assert page.evaluate("scrollY") == y

    def down() -> None:
        page.wait_for_function("() => { scrollTo(0, 900); return scrollY === 900; }")  # once the list is long enough

    down()
    search(page, "fruit")
    scrolled(0)
    down()
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("dialog").get_by_label("Folder").select_option("photos/animals")
    scrolled(0)
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
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


def test_a_faulty_query_shows_the_place(visit: Visit) -> None:
    page = visit(quiet=False)  # browsers report every answer of 400 on the console
    expect(cells(page).first).to_be_visible()
    for query, arrow, why in (
        ('dog + "cat', "      ^", "This quotation mark has no end."),
        ("a dog -", "       ^", "words were expected"),
        ("9999*dog", "^", "A weight is one number"),
    ):
        page.fill("#words", query)
        page.keyboard.press("Enter")
        expect(page.locator("#empty pre")).to_have_text(f"{query}\n{arrow}")
        expect(page.locator("#empty")).to_contain_text(why)
        assert "photo:" not in page.locator("#empty").inner_text()


def test_what_is_half_typed_waits(visit: Visit) -> None:
    page = visit()
    search(page, "a german shepherd")
    shown, asked = names(page), list[str]()
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/v1/search") else None)
    for half in (
        "a dog -",
        'a dog + "cat',
        "- ",
        '狗 － "草',
        "a dog + 0.5*",
        '"a - b" -',
        "like:0a1b",
        "name:",
        'dog - name:"a b',
    ):
        page.fill("#words", half)
        page.wait_for_timeout(300)
        assert names(page) == shown, half
    assert asked == []
    for whole in (
        "a dog - cat",
        '"a - b"',
        '5" plate',
        "a dog-",
        "- cat",
        "“a dog",
        "‘90s car",
        "name:dog",
        'dog - name:"a b"',
    ):
        search(page, whole)


def test_an_input_method_searches_when_it_is_done(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or "") if request.url.endswith("/v1/search") else None)
    page.focus("#words")
    typing = page.context.new_cdp_session(page)
    for begun in ("g", "gou"):
        typing.send("Input.imeSetComposition", {"text": begun, "selectionStart": len(begun), "selectionEnd": len(begun)})
        page.wait_for_timeout(300)
    assert asked == []
    typing.send("Input.insertText", {"text": "狗"})
    expect(page.locator("#status")).to_contain_text("likely")
    assert len(asked) == 1
    assert "狗" in asked[0]


def test_the_way_past_the_head_keeps_the_search(visit: Visit) -> None:
    page = visit()
    search(page, "a german shepherd")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#words")).to_have_value("a german shepherd")
    assert "q=a+german+shepherd" in page.url


def test_the_detail_view(visit: Visit) -> None:
    page = visit()
    search(page, "a german shepherd")
    page.locator(".open").first.click()
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("german-shepherd-on-grass.jpg")
    expect(dialog.locator(".facts dl")).to_contain_text("480 × 360, 61 kB")
    expect(dialog.locator(".bars li")).to_have_count(5)
    expect(dialog.locator(".bars li").first).to_contain_text(re.compile("a dog|grass"))  # both are there
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading", level=2)).not_to_have_text("german-shepherd-on-grass.jpg")
    page.keyboard.press("ArrowLeft")
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "german-shepherd-on-grass.jpg"
    dialog.get_by_placeholder("Add a tag").fill("shepherd")
    page.keyboard.press("Enter")
    expect(dialog.locator(".tags li")).to_have_text("shepherd")
    expect(page.locator(":focus")).to_have_attribute("placeholder", "Add a tag")
    dialog.get_by_role("button", name="Remove the tag shepherd").click()
    expect(dialog.locator(".tags li")).to_have_count(0)
    dialog.get_by_role("button", name="More like this").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#chips .chip")).to_have_count(1)
    expect(page.locator("#status")).to_have_text("120+ pictures")
    assert names(page)[0] == "german-shepherd-on-grass.jpg"
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Open german-shepherd-on-grass.jpg")


def test_what_is_passed_over_is_told(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(PHOTO.read_bytes())
    for name in ("cat.mov", "film.mp4", "trip.mp4"):
        (folder / name).write_bytes(b"x")
    with Library(tmp_path / "library", bundled) as library:
        library.index(folder)
    server = Running(bundled, tmp_path / "library")
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


def test_a_match_belongs_to_the_search_that_is_shown(visit: Visit) -> None:
    page = visit()
    search(page, "a german shepherd")
    page.locator(".open").first.click()
    expect(page.locator("#detail dl")).to_contain_text("Match")
    page.keyboard.press("Escape")
    page.fill("#words", "")
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.get_by_role("button", name="Open german-shepherd-on-grass.jpg").click()
    expect(page.locator("#detail .bars li")).to_have_count(5)
    expect(page.locator("#detail dl")).not_to_contain_text("Match")


def test_keys(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("a german shepherd")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("likely")
    expect(page.locator("#words")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Open german-shepherd-on-grass.jpg")
    shown = names(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"Open {shown[1]}")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#selection")).to_contain_text("2 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Open german-shepherd-on-grass.jpg")
    page.keyboard.press("m")
    expect(page.locator("#chips .chip")).to_have_count(1)
    page.wait_for_timeout(500)
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"Open {names(page)[0]}")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("127 pictures")
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"Open {names(page)[0]}")
    page.locator("body").press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


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
    asked, held = list[int](), list[Route]()

    def pages(route: Route) -> None:
        assert "query" not in route.request.post_data_json
        begin = int(route.request.post_data_json.get("cursor", "0"))
        asked.append(begin)
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
    asked.clear()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a list").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert asked == [0, 1000, 2000, 3000, 4000]  # and the last twenty, which no search finds, one by one
    assert lines[-1].startswith("000000001387,f,000000001387.jpg,3,2")
    assert len(lines) == 5001
    assert all(line.endswith(",") for line in lines[1:])  # no score of a search that nobody made


def test_the_playground(visit: Visit) -> None:
    page = visit("#/try")
    page.set_input_files("#try input[type=file]", PHOTO)
    page.get_by_label("What it could be").fill("a fish\na dog\na car")
    expect(page.locator("#try .bars li")).to_have_count(3)
    expect(page.locator("#try .bars li").first).to_contain_text("a dog")
    page.get_by_label("What it could be").fill("a fish")
    expect(page.locator("#try .note")).to_have_text("Write at least two lines.")
    page.get_by_label("Texts, one a line").fill("a dog\n一只狗\na car")
    expect(page.locator(".matrix tbody tr")).to_have_count(3)
    first = [float(cell) for cell in page.locator(".matrix tbody td:nth-child(2)").all_text_contents()]
    assert min(first[:2]) > first[2]


def test_the_map(visit: Visit) -> None:
    page = visit("#/map")
    expect(page.get_by_text("Drawing the map")).to_be_visible()
    canvas = page.locator("#map canvas")
    expect(canvas).to_be_visible(timeout=60_000)
    box = canvas.bounding_box()
    assert box is not None
    picture = """() => { const c = document.querySelector('#map canvas'); return c.toDataURL().length; }"""
    page.wait_for_timeout(200)
    before = page.evaluate(picture)
    page.get_by_role("button", name="Nearer").click()
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert page.evaluate(picture) != before
    page.get_by_role("button", name="Everything").click()
    for x in range(40, int(box["width"]), 40):  # until a picture lies under the pointer
        page.mouse.move(box["x"] + x, box["y"] + box["height"] * 0.5)
        if page.locator("#map .card").is_visible():
            page.mouse.down()
            page.mouse.up()
            break
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()


def test_how_far_the_map_is(visit: Visit) -> None:
    page = visit()
    page.route("**/v1/map?*", lambda route: route.fulfill(json={"state": "working"}, status=202))
    page.route("**/v1/map/progress?*", lambda route: route.fulfill(json={"drawing": True, "share": 0.43}))
    page.evaluate("location.hash = '#/map'")
    bar = page.get_by_role("progressbar", name="Drawing the map")
    expect(bar).to_be_visible()
    expect(bar).to_have_js_property("value", 0.43)
    box = bar.bounding_box()
    assert box is not None
    assert box["width"] > 5 * box["height"]
    page.unroute_all()
    expect(page.locator("#map canvas")).to_be_visible(timeout=60_000)


def test_the_map_by_keys(visit: Visit) -> None:
    page = visit("#/map")
    expect(page.locator("#map canvas")).to_be_visible(timeout=60_000)
    page.keyboard.press("Tab")
    for _ in range(12):
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
        page.keyboard.press("Tab")
    name = page.locator("#map figcaption")
    expect(name).to_be_visible()
    first = name.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(name).not_to_have_text(first)
    second = name.inner_text().split(" · ")[0]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(second)
    page.keyboard.press("Escape")
    expect(page.locator("canvas:focus")).to_be_visible()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="More like this").click()
    expect(page.locator("#status")).to_have_text("120+ pictures")
    page.wait_for_timeout(500)
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"Open {names(page)[0]}")


def test_a_hundred_thousand_pictures(visit: Visit) -> None:
    page = visit("#/try")
    count = 100_000
    many = {
        "ids": [f"{number:012x}" for number in range(count)],
        "widths": [3000 + number * 37 % 1500 for number in range(count)],
        "heights": [2500] * count,
        "dates": [f"{2024 - number // 10_000}-{12 - number % 10_000 // 900:02d}-01" for number in range(count)],
    }
    asked: list[str] = []

    def thumbnail(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body=png(), content_type="image/png")

    page.route("**/v1/browse", lambda route: route.fulfill(json=many))
    page.route("**/thumbnail?*", thumbnail)
    page.evaluate("location.hash = '#/'")
    expect(page.locator("#status")).to_have_text("100,000 pictures")
    expect(page.locator(".sheet h2").first).to_have_text("December 2024")
    asked.clear()
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
    assert slowest < 2000  # a page that lays out all of them anew takes longer by far
    assert cells(page).count() < 200
    assert len(asked) < 400  # what was passed in a hurry is not fetched: 60 stops of some 50 pictures
    page.locator(".open").first.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    expect(page.locator(".cell :focus")).to_have_count(1)


def test_another_language_and_other_colours(visit: Visit) -> None:
    page = visit(locale="zh-CN", color_scheme="dark")
    expect(page.locator("#status")).to_have_text("127 张图片")
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="设置与更多").click()
    page.get_by_label("颜色").select_option("light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.get_by_label("语言").select_option("en")
    expect(page.locator("#status")).to_have_text("127 pictures")
    page.reload()
    expect(page.locator("nav")).to_contain_text("Try it")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


@pytest.mark.parametrize("width", [360, 768, 1920])
@pytest.mark.parametrize("where", ["", "#/try", "#/map"])
def test_nothing_sticks_out_at_the_side(visit: Visit, width: int, where: str) -> None:
    page = visit(where, width=width, has_touch=width < 700)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("scheme", "width", "locale"),
    [("light", 1280, "en-US"), ("dark", 1280, "zh-CN"), ("light", 390, "zh-CN"), ("dark", 390, "en-US")],
)
def test_names_and_contrast(visit: Visit, scheme: str, width: int, locale: str) -> None:
    """axe-core's rules of WCAG 2.2 AA."""
    from axe_playwright_python.sync_playwright import Axe

    page = visit(color_scheme=scheme, width=width, locale=locale, quiet=False, bypass_csp=True)

    def check(what: str) -> None:
        page.wait_for_timeout(400)
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        assert found.violations_count == 0, f"{what}: {found.generate_report()}"

    assert page.get_by_role("link", name="SeeSay").count() == 1
    expect(page.locator("nav a[aria-current=page]")).to_have_count(1)
    search(page, "a german shepherd")
    page.set_input_files("#picture-file", PHOTO)
    check("search")
    page.locator("#open-filters").click()
    page.locator("#filters summary").click()
    check("filters")
    page.keyboard.press("Escape")
    page.locator(".open").first.click()
    expect(page.locator("#detail .bars li").first).to_be_visible(timeout=30_000)
    check("detail")
    page.keyboard.press("Escape")
    page.locator("#menu-button").click()
    page.get_by_role("checkbox").first.check(force=True)
    check("menu and selection")
    nothing_is_likely(page)
    page.evaluate("location.hash = '#/?q=giraffe'")
    expect(page.locator(".sheet h2")).to_be_visible()
    check("nothing is likely")
    page.unroute("**/v1/search")
    page.evaluate("location.hash = '#/?q=animals'")
    expect(page.locator(".mark").first).to_be_visible()
    check("by its name")
    page.fill("#words", "a dog -")
    page.keyboard.press("Enter")
    expect(page.locator("#empty pre")).to_be_visible()
    check("fault")
    page.evaluate("location.hash = '#/try'")
    expect(page.locator(".matrix")).to_be_visible()
    check("playground")
    page.evaluate("location.hash = '#/map'")
    expect(page.locator("#map canvas")).to_be_visible(timeout=60_000)
    page.locator("#map canvas").focus()
    check("map")
    page.evaluate("location.hash = '#/'")
    page.locator("body").press("?")
    check("keys")


def test_the_server_goes_and_comes_back(visit: Visit, bundled: Model, examples: Path) -> None:
    own = Running(bundled, examples)
    page = visit(address=own.address, quiet=False)
    expect(page.locator("#status")).to_have_text("127 pictures")
    own.stop()
    page.fill("#words", "dog")
    banner = page.locator("#banner")
    expect(banner).to_contain_text("The server does not answer")
    page.evaluate("scrollTo(0, 500)")
    page.wait_for_timeout(100)
    told, field = banner.bounding_box(), page.locator(".field").bounding_box()
    assert told is not None
    assert field is not None
    assert field["y"] >= told["y"] + told["height"]
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
    own = Running(bundled, examples, api_key=KEY)
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
    own = Running(bundled, tmp_path / "library")
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
    own = Running(bundled, tmp_path / "none")
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
    own = Running(bundled, tmp_path / "library")
    try:
        page = visit(address=own.address, locale="zh-CN")
        page.get_by_role("button", name="设置与更多").click()
        page.get_by_role("button", name=f"无法读取的文件（{len(faults)}）").click()
        expect(page.locator("#sheet li")).to_have_count(len(faults))
        told = page.locator("#sheet li").all_inner_texts()
        for name, (_, reason) in faults.items():
            (said,) = (line for line in told if name in line)
            assert f"{name} {reason}" in said
        assert not re.search("[a-z]{4,}", re.sub("files / |text|caption", "", " ".join(told)))
        page.close()
    finally:
        own.stop()


def test_the_routes_are_described_offline(visit: Visit) -> None:
    """Requests to anywhere else, and what the page's policy refuses, would be told by `visit`."""
    page = visit("docs")
    expect(page.locator(".opblock")).not_to_have_count(0)
    assert page.locator(".opblock").count() > 20
    page.locator("#operations-model-similarity_v1_similarity_post .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    with page.expect_response(lambda answer: answer.url.endswith("/v1/similarity")) as answered:
        page.get_by_role("button", name="Execute").click()
    assert answered.value.status == 200
    assert answered.value.json()["errors"] == []


@pytest.fixture
def doubled(bundled: Model, tmp_path: Path) -> Iterator[Running]:
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
    server = Running(bundled, tmp_path / "library")
    yield server
    server.stop()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_names_and_contrast_of_duplicates(doubled: Running, visit: Visit, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit("#/duplicates", address=doubled.address, color_scheme=scheme, width=width, quiet=False, bypass_csp=True)
    expect(page.locator(".group")).to_have_count(2)
    page.wait_for_timeout(400)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_duplicates_are_chosen_among_and_their_paths_copied(doubled: Running, visit: Visit, tmp_path: Path) -> None:
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
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    (tmp_path / "album" / "small.jpg").unlink()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Look for new pictures").click()
    expect(page.locator(".group").first.locator(".copy")).to_have_count(2, timeout=20_000)


def test_a_list_of_duplicates_is_saved(doubled: Running, visit: Visit, tmp_path: Path) -> None:
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
    server = Running(bundled, tmp_path / "library")
    try:
        page = visit("#/duplicates", address=server.address)
        expect(page.get_by_role("heading", name="No picture is there twice")).to_be_visible()
        page.close()
    finally:
        server.stop()


def test_short_months_stand_side_by_side(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    months = ["2021:03", "2021:03", "2021:04", "2022:07", *["2023:01"] * 12]
    for number, month in enumerate(months):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"{month}:10 12:00:{number:02}"
        Image.new("RGB", (120 + number, 90), (10 * number, 90, 200)).save(tmp_path / "album" / f"{number:02}.jpg", exif=exif)
    with Library(tmp_path / "library", bundled) as library:
        library.index(tmp_path / "album")
    server = Running(bundled, tmp_path / "library")
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
        told = [name for name, *_ in found.evaluate(headings)]
        likely = [name for name in told if "ikely" not in name]
        assert likely == [name for name in ("March 2021", "April 2021", "July 2022", "January 2023") if name in likely]
        assert told == [*likely, *[name for name in told if "ikely" in name]]
        narrow = visit(address=server.address, width=360, height=700)
        expect(narrow.get_by_placeholder("Search photos")).to_be_visible()
        for each in (page, found, narrow):
            each.close()
    finally:
        server.stop()
