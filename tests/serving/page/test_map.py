"""The map."""

from playwright.sync_api import expect

from tests.serving.page.conftest import Visit, names


def test_the_map(visit: Visit) -> None:
    page = visit("#/map")
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


def test_a_server_without_maps_says_how_to_get_them(visit: Visit) -> None:
    page = visit(quiet=False)
    error = {"error": {"code": "missing_extra", "type": "unavailable", "message": "a map needs an optional package"}}
    page.route("**/v1/map?*", lambda route: route.fulfill(json=error, status=501))
    page.evaluate("location.hash = '#/map'")
    expect(page.get_by_text("pip install 'seesay[map]'")).to_be_visible()
