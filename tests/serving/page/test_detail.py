"""The view of one image, with its facts and tags."""

import re

from playwright.sync_api import expect

from tests.serving.page.conftest import Visit, names, search


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
