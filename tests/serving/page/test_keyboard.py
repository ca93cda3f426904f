"""The page by keys alone."""

import re

from playwright.sync_api import expect

from tests.serving.page.conftest import Visit, cells, names, request_and_hits, search


def test_the_keys_and_ranges_go_across_a_heading(visit: Visit) -> None:
    page = visit()
    _, hits = request_and_hits(page, "fruit")
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


def test_keys(visit: Visit) -> None:
    page = visit()
    expect(cells(page).first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("a german shepherd")
    with page.expect_response("**/v1/search"):  # the answer to what was typed before may still be on its way
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


def test_the_way_past_the_head_keeps_the_search(visit: Visit) -> None:
    page = visit()
    search(page, "a german shepherd")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#words")).to_have_value("a german shepherd")
    assert "q=a+german+shepherd" in page.url


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
