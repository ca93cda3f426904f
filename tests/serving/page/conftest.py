"""The page in a real browser: Chromium, where there is one (`SEESAY_CHROMIUM`, or on the path)."""

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from seesay.library import Library
from seesay.model import Model
from seesay.serving.app import create_app
from seesay.serving.settings import Settings
from tests.conftest import PHOTOS
from tests.serving.conftest import ServerThread

PHOTO = PHOTOS / "animals" / "dalmatian-1.jpg"
FOLDER = Path(__file__).parent
Visit = Callable[..., Page]
expect.set_options(timeout=20_000)  # milliseconds; on a busy machine the model alone may take Playwright's five seconds


def chromium() -> str | None:
    """What `scripts/browser` finds or installs."""
    named = [os.environ.get("SEESAY_CHROMIUM"), *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))]
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return next((path for path in (*named, own) if path and Path(path).exists()), None)


CHROMIUM = chromium()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests of this folder where there is no browser."""
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="there is no Chromium here: scripts/browser installs one")
        for item in items:
            if FOLDER in item.path.parents:
                item.add_marker(skip)


def serve_library(model: Model, library: Path, **settings: Any) -> ServerThread:
    """A server of a library at a free port of this machine."""
    return ServerThread(
        lambda port: uvicorn.Config(create_app(model, Settings(**settings), library=library), port=port, log_level="critical")
    )


@pytest.fixture(scope="package")
def examples(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the example photos, one of them tagged."""
    folder = tmp_path_factory.mktemp("examples")
    with Library(folder / "library", bundled) as library:
        library.index(PHOTOS)
        library.tags.add("friend", PHOTO)
    return folder / "library"


@pytest.fixture(scope="package")
def running(bundled: Model, examples: Path) -> Iterator[ServerThread]:
    with serve_library(bundled, examples) as server:
        yield server


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, running: ServerThread) -> Iterator[Visit]:
    """visit(hash, width=..., ...) -> a page; whatever it says on the console must be expected."""
    messages: list[str] = []
    contexts = []

    def open_page(
        where: str = "", *, address: str | None = None, width: int = 1280, height: int = 800, quiet: bool = True, **how: Any
    ) -> Page:
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": width, "height": height}, **how})
        contexts.append(context)
        page = context.new_page()
        if quiet:
            page.on("console", lambda message: messages.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((address or running.address, "blob:", "data:")) else messages.append(request.url)
            ),
        )
        page.goto(f"{address or running.address}/{where}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert messages == []


FIRST_IS = """id => [...document.querySelectorAll('.cell')]
    .map(cell => [cell.getBoundingClientRect(), cell.dataset.id])
    .sort(([a], [b]) => a.top - b.top || a.left - b.left)[0]?.[1] === id"""


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


def wait_until(page: Page, script: str, argument: object = None, *, seconds: float = 20) -> None:
    """Waits until a script gives true. Playwright's own wait evaluates in the page after a while, which the page forbids."""
    for _ in range(int(seconds / 0.05)):
        if page.evaluate(script, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not so within {seconds} s: {script}")


def search(page: Page, words: str) -> None:
    """Types words, and waits until the hits are shown: at the latest for two seconds, as a view may show none of them."""
    page.wait_for_selector("body[data-view]", state="attached")  # when the page begins it asks once more for what is typed
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")) as got:
        page.fill("#words", words)
    hits = got.value.json().get("results")
    if hits:
        with suppress(AssertionError):
            wait_until(page, FIRST_IS, hits[0]["id"], seconds=2)
    page.wait_for_timeout(100)


def labels(page: Page) -> list[str]:
    """Of headings and pictures, in the document's order, without those that are elsewhere on the sheet."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.sheet > *')]
            .map(each => each.tagName === 'H2' ? each.textContent : each.querySelector('img').alt)"""
    )
    return found


def request_and_hits(page: Page, words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The request that the page sends when these words are typed, and the hits."""
    page.wait_for_selector("body[data-view]", state="attached")
    with page.expect_response(lambda answer: answer.url.endswith("/v1/search")) as got:
        page.fill("#words", words)
    page.wait_for_timeout(100)
    request: dict[str, Any] = got.value.request.post_data_json
    return request, got.value.json()["results"]


def nothing_is_likely(page: Page) -> None:
    """Whatever words are searched for: which pictures are likely is for the library to say, and tested there."""

    def unlikely(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        hits = body["results"]
        if route.request.post_data_json.get("likely"):
            body = {"results": [], "nothing": {"reason": "likely", "message": "none"}, "took_ms": 1}
        route.fulfill(json=body | {"results": [hit | {"likely": False} for hit in hits] if body["results"] else []})

    page.route("**/v1/search", unlikely)


def give(page: Page, kind: str, event: str) -> None:
    """Drops or pastes the photo, as a browser tells a page of it."""
    page.evaluate(
        """([data, kind, event]) => {
            const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0)), transfer = new DataTransfer();
            transfer.items.add(new File([bytes], 'mine.jpg', {type: kind}));
            const how = {clipboardData: transfer, dataTransfer: transfer, bubbles: true, cancelable: true};
            const dispatched = event === 'paste' ? new ClipboardEvent(event, how) : new DragEvent(event, how);
            document.querySelector('#words').dispatchEvent(dispatched);
        }""",
        [base64.b64encode(PHOTO.read_bytes()).decode(), kind, event],
    )
