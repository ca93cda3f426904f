"""What can be asked about an image: where something is, a prompt, and names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Locator, Page, Route, expect

from seesay.errors import MissingCapability
from seesay.library import Library
from seesay.model import Model
from tests.conftest import PHOTOS
from tests.serving.conftest import ServerThread
from tests.serving.page.conftest import PHOTO, Visit, search, serve_library, wait_until

TURNED = 6  # an EXIF orientation: the camera was held upright


@pytest.fixture(scope="module")
def own(bundled: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server of three images, one of them turned by its EXIF data; what is taught is its own."""
    folder = tmp_path_factory.mktemp("questions")
    for name in ("dalmatian-1.jpg", "dalmatian-2.jpg"):
        (folder / "photos" / name).parent.mkdir(exist_ok=True)
        (folder / "photos" / name).write_bytes((PHOTOS / "animals" / name).read_bytes())
    upright = Image.open(PHOTOS / "animals" / "german-shepherd-on-grass.jpg").convert("RGB").crop((240, 0, 480, 360))
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = TURNED
    lying.save(folder / "photos" / "turned.jpg", exif=exif)
    assert ImageOps.exif_transpose(Image.open(folder / "photos" / "turned.jpg")).size == (240, 360)
    with Library(folder / "library", bundled) as library:
        library.index(folder / "photos")
    with serve_library(bundled, folder / "library") as server:
        yield server


def opened(page: Page, name: str) -> Locator:
    """The view of one image, as soon as what it shows is known."""
    page.get_by_role("button", name=f"Open {name}").click()
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog.locator(".labels .bars li")).to_have_count(5)
    return dialog


def shown(image: Locator) -> tuple[float, float, float, float]:
    """Where a letterboxed image lies on the screen: left, top, width, height."""
    left, top, width, height, wide, high = image.evaluate(
        """each => {
            const box = each.getBoundingClientRect();
            return [box.left, box.top, box.width, box.height, each.naturalWidth, each.naturalHeight];
        }"""
    )
    scale = min(width / wide, height / high)
    return (
        left + (width - scale * wide) / 2,
        top + (height - scale * high) / 2,
        scale * wide,
        scale * high,
    )


def boxes_lie_on(dialog: Locator, result: dict[str, Any]) -> None:
    """Each box of an answer is drawn where its pixels are."""
    left, top, width, height = shown(dialog.locator("img.large"))
    across, down = width / result["width"], height / result["height"]
    wanted = [
        (left + x0 * across, top + y0 * down, (x1 - x0) * across, (y1 - y0) * down)
        for x0, y0, x1, y1 in (each["box"] for each in reversed(result["boxes"]))
    ]
    drawn = [box.bounding_box() for box in dialog.locator(".box").all()]
    assert len(drawn) == len(wanted)
    for box, (x, y, wide, high) in zip(drawn, wanted, strict=True):
        assert box is not None
        assert (box["x"], box["y"]) == pytest.approx((x, y), abs=2)
        assert (box["width"], box["height"]) == pytest.approx((wide, high), abs=2)


@pytest.mark.parametrize("width", [1280, 390])
def test_boxes_lie_where_their_pixels_are(visit: Visit, own: ServerThread, width: int) -> None:
    """Of an image that its EXIF data turns, between bars at its sides, and after the window has another size."""
    page = visit(address=own.address, width=width, has_touch=width < 700)
    dialog = opened(page, "turned.jpg")
    dialog.get_by_role("textbox", name="Where is").fill("a dog")
    with page.expect_response("**/v1/detect") as answered:
        page.keyboard.press("Enter")
    (result,) = answered.value.json()["results"]
    assert (result["width"], result["height"]) == (240, 360)
    assert result["boxes"], "the photo of a dog shows none"
    expect(dialog.locator(".places li")).to_have_count(len(result["boxes"]))
    expect(dialog.locator(".places li").first).to_contain_text(f"{round(100 * result['boxes'][0]['score'])} %")
    boxes_lie_on(dialog, result)
    assert dialog.locator("aside").evaluate("each => each.scrollWidth <= each.clientWidth")
    page.set_viewport_size({"width": 700, "height": 500})
    boxes_lie_on(dialog, result)


def test_the_heat_map_covers_the_image_and_is_hottest_where_it_says(visit: Visit, own: ServerThread) -> None:
    page = visit(address=own.address)
    dialog = opened(page, "turned.jpg")
    dialog.get_by_role("textbox", name="Where is").fill("a dog")
    with page.expect_response("**/v1/explain") as answered:
        page.keyboard.press("Enter")
    heat = np.array(answered.value.json()["heat"])
    canvas = dialog.locator("canvas.heat")
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == pytest.approx(shown(dialog.locator("img.large")), abs=2)
    pixels = canvas.evaluate("each => [...each.getContext('2d').getImageData(0, 0, each.width, each.height).data]")
    drawn = np.reshape(pixels, (*heat.shape, 4))
    hottest, coldest = (np.unravel_index(at, heat.shape) for at in (heat.argmax(), heat.argmin()))
    assert drawn[hottest].tolist() == pytest.approx([240, 249, 33, 191], abs=3)
    assert drawn[coldest].tolist() == pytest.approx([13, 8, 135, 89], abs=3)
    row, column = (min(2, 3 * at // side) for at, side in zip(hottest, heat.shape, strict=True))
    words = ["upper left", "top", "upper right", "left", "middle", "right", "lower left", "bottom", "lower right"]
    expect(dialog.locator(".where .says")).to_contain_text(re.compile(f"fits best (at|on|in) the {words[3 * row + column]};"))
    dialog.get_by_role("button", name="Heat map").click()
    expect(canvas).to_be_hidden()


def test_a_model_that_tells_nothing_of_parts_still_has_boxes(
    visit: Visit, bundled: Model, examples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability("it gives no features per patch")

    monkeypatch.setattr(type(bundled.engine), "encode_dense", fail)
    with serve_library(bundled, examples) as server:
        page = visit(address=server.address, quiet=False)
        search(page, "a german shepherd")
        page.locator(".open").first.click()
        page.locator(".where input").fill("a dog")
        page.keyboard.press("Enter")
        expect(page.locator(".where .says")).to_contain_text("This model gives no heat map")
        expect(page.locator(".places li").first).to_be_visible()
        expect(page.get_by_role("button", name="Heat map")).to_be_hidden()


def test_where_something_is_by_the_keyboard_alone(visit: Visit, own: ServerThread) -> None:
    page = visit(address=own.address)
    dialog = opened(page, "dalmatian-1.jpg")
    dialog.get_by_role("textbox", name="Where is").focus()
    page.keyboard.type("a dog")
    page.keyboard.press("ArrowLeft")  # moves within the words, not to another image
    page.keyboard.press("Enter")
    places = dialog.locator(".places li")
    expect(places.first).to_be_visible()
    switch = dialog.get_by_role("button", name="Boxes")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(dialog.locator(".box").first).to_be_visible()
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(dialog.locator(".box").first).to_be_hidden()
    page.keyboard.press("Space")
    places.first.focus()
    expect(dialog.locator(".box.marked")).to_have_count(1)
    dialog.get_by_role("button", name="Clear").press("Enter")
    expect(dialog.locator(".box").first).to_be_hidden()
    expect(places).to_have_count(0)
    expect(page.locator(":focus")).to_have_attribute("placeholder", "a dog, the sky …")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("dalmatian-1.jpg")


def test_closing_the_view_ends_what_was_asked(visit: Visit, own: ServerThread) -> None:
    page = visit(address=own.address)
    dialog = opened(page, "dalmatian-1.jpg")
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.route("**/v1/explain", lambda route: None)  # not answered before the view is closed
    dialog.get_by_role("textbox", name="Where is").fill("a dog")
    with page.expect_request("**/v1/explain") as asked:
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    for _ in range(100):
        if asked.value.url in failed:
            break
        page.wait_for_timeout(50)
    assert asked.value.url in failed


def test_too_many_words_are_refused_in_words(visit: Visit, own: ServerThread) -> None:
    page = visit(address=own.address, quiet=False, locale="zh-CN")
    page.get_by_role("button", name="dalmatian-1.jpg").last.click()
    page.locator(".where input").fill("龘" * 300)
    page.keyboard.press("Enter")
    expect(page.locator(".where .note")).to_have_text("文字超出模型能读的长度，请少写一些。")


def test_a_prompt_in_two_languages_and_its_copy(visit: Visit, own: ServerThread) -> None:
    # On a busy machine the first request is answered 504, and asked again.
    page = visit(address=own.address, permissions=["clipboard-read", "clipboard-write"], quiet=False)
    dialog = opened(page, "dalmatian-1.jpg")
    english, chinese = (dialog.get_by_role("button", name=name) for name in ("English", "中文"))
    english.click()
    written = dialog.locator(".written")
    expect(written).to_contain_text(re.compile("dalmatian|dog", re.IGNORECASE), timeout=120_000)
    expect(english).to_have_attribute("aria-pressed", "true")
    assert ", ".join(dialog.locator(".phrases li span").evaluate_all("all => all.map(each => each.firstChild.data)")) == (
        written.inner_text()
    )
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.locator(".prompt")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == written.inner_text()
    chinese.click()
    expect(written).to_contain_text("狗", timeout=120_000)
    expect(written).to_have_attribute("lang", "zh")
    expect(english).to_have_attribute("aria-pressed", "false")


def test_a_name_is_taught_found_and_forgotten(visit: Visit, own: ServerThread) -> None:
    page = visit(address=own.address)
    dialog = opened(page, "dalmatian-1.jpg")
    says = dialog.locator(".names .says")
    dialog.get_by_role("button", name="Compare with the names").click()
    expect(says).to_contain_text("No name has been taught yet")
    dialog.get_by_role("textbox", name="Teach this a name").or_(dialog.get_by_role("combobox", name="Teach this a name")).fill(
        "Pongo: of London"
    )
    page.keyboard.press("Enter")
    expect(says).to_contain_text("Learned “Pongo: of London”, from this picture.")
    expect(dialog.locator(".tags li")).to_contain_text(["Pongo: of London"])
    page.keyboard.press("Escape")
    dialog = opened(page, "dalmatian-2.jpg")
    dialog.get_by_role("button", name="Compare with the names").click()
    expect(says).to_contain_text("This is probably “Pongo: of London”.", timeout=60_000)
    expect(says.locator(".bars li")).to_have_count(1)
    dialog.get_by_role("button", name="Tag it “Pongo: of London”").click()
    expect(dialog.locator(".tags li")).to_contain_text(["Pongo: of London"])
    says.get_by_role("button", name="Pongo: of London").last.click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("2 pictures")
    assert {image.get_attribute("alt") for image in page.locator(".cell img").all()} == {"dalmatian-1.jpg", "dalmatian-2.jpg"}
    page.locator("#words").fill("")
    dialog = opened(page, "turned.jpg")
    dialog.get_by_role("button", name="Compare with the names").click()
    expect(says).to_contain_text("None of the names fits")
    dialog.get_by_role("button", name="Forget", exact=True).click()
    says.get_by_role("button", name="Forget “Pongo: of London” (1 picture)?").click()
    expect(says).to_contain_text("“Pongo: of London” is forgotten")
    expect(page.locator(":focus")).to_have_text("Compare with the names")
    dialog.get_by_role("button", name="Compare with the names").click()
    expect(says).to_contain_text("No name has been taught yet")


def test_nothing_is_taught_where_the_server_may_not_write(visit: Visit, own: ServerThread) -> None:
    page = visit(quiet=False)
    page.route(
        "**/v1/library", lambda route: route.fulfill(json=route.fetch().json() | {"can_write": False})
    )  # whether it may is for the file system to say, where root may always
    page.reload()
    page.locator(".open").first.click()
    expect(page.locator(".names").get_by_role("button", name="Compare with the names")).to_be_visible()
    expect(page.locator(".names input")).to_have_count(0)


def test_the_playground_asks_about_an_image_that_is_sent(visit: Visit, own: ServerThread) -> None:
    page = visit("#/try", address=own.address)
    page.set_input_files("#try input[type=file]", PHOTO)
    page.get_by_role("textbox", name="Where is").fill("a dog")
    with page.expect_request("**/v1/detect") as asked:
        page.keyboard.press("Enter")
    sent = asked.value.post_data_json
    assert sent is not None
    assert sent["images"][0]["image"].startswith("data:image/jpeg;base64,")
    expect(page.locator(".places li").first).to_be_visible()
    expect(page.locator("#try .box").first).to_be_visible()


def test_every_message_is_there_in_both_languages(visit: Visit) -> None:
    page = visit()
    expect(page.locator("#status")).to_contain_text("pictures")
    page.evaluate(
        """() => {
            import('/ui/words.js').then(({ALL}) => { window.messages = Object.values(ALL).map(
                words => Object.entries(words).map(([name, message]) => [name, typeof message]).sort())});
        }"""
    )
    wait_until(page, "() => Boolean(window.messages)")
    english, chinese = page.evaluate("window.messages")
    assert english == chinese


def test_a_server_that_takes_too_long_is_told_in_words(visit: Visit, bundled: Model, examples: Path) -> None:
    with serve_library(bundled, examples, deadline_s=0.01) as slow:
        page = visit(quiet=False, locale="zh-CN")

        def slowly(route: Route) -> None:
            """Asks the slow server, which could not show the page in time."""
            headers = {name: value for name, value in route.request.headers.items() if name == "content-type"}
            route.fulfill(response=route.fetch(url=f"{slow.address}/v1/explain", headers=headers))

        page.route("**/v1/explain", slowly)
        page.locator(".open").first.click()
        page.locator(".where input").fill("一只狗")
        page.keyboard.press("Enter")
        expect(page.locator(".where .note")).to_have_text("服务器用时太久，已放弃。")
        expect(page.locator(".where .working")).to_have_count(0)


def test_an_empty_field_says_what_to_write(visit: Visit, own: ServerThread) -> None:
    dialog = opened(visit(address=own.address), "dalmatian-1.jpg")
    dialog.get_by_role("button", name="Look", exact=True).click()
    expect(dialog.get_by_text("Write what to look for")).to_be_visible()
    dialog.get_by_role("button", name="Teach", exact=True).click()
    expect(dialog.get_by_text("Write the name to teach first")).to_be_visible()


def test_what_it_shows_leads_to_where(visit: Visit, own: ServerThread) -> None:
    dialog = opened(visit(address=own.address), "dalmatian-1.jpg")
    first = dialog.locator(".labels .bars button").first
    label = first.inner_text()
    first.click()
    expect(dialog.get_by_role("textbox", name="Where is")).to_have_value(label)
    expect(dialog.locator("canvas.heat")).to_be_visible()


def test_on_a_narrow_screen_the_view_is_as_high_as_the_image(visit: Visit, own: ServerThread) -> None:
    dialog = opened(visit(address=own.address, width=390, has_touch=True), "dalmatian-1.jpg")
    image = dialog.locator("img.large")
    box = image.bounding_box()
    assert box is not None
    assert shown(image)[3] == pytest.approx(box["height"], abs=2)  # no bars above and below
