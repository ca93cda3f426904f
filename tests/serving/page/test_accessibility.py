"""Names and contrast of everything on the page, in both languages and colour schemes."""

import pytest
from playwright.sync_api import expect

from tests.serving.page.conftest import PHOTO, Visit, nothing_is_likely, search


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
    page.locator(".where input").fill("a dog")
    page.keyboard.press("Enter")
    expect(page.locator(".places li").first).to_be_visible(timeout=60_000)
    check("where something is")
    page.locator(".prompt .toggle").last.click()
    expect(page.locator(".written")).to_be_visible(timeout=120_000)
    check("a prompt")
    page.locator(".names input").fill("Rex")
    page.keyboard.press("Enter")
    expect(page.locator(".names .forget")).to_be_visible(timeout=60_000)
    page.locator(".names .switches button").first.click()
    expect(page.locator(".candidates")).to_be_visible(timeout=60_000)
    check("names")
    page.locator(".names .forget").click()
    check("a name that is about to be forgotten")
    page.locator(".names .forget").click()
    expect(page.locator(".names .forget")).to_have_count(0)
    taught = page.locator(".tags .chip", has_text="Rex")
    taught.locator("button").click()
    expect(taught).to_have_count(0)
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
