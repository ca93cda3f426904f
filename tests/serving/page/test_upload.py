"""Images given to the page: chosen, dropped, pasted."""

from playwright.sync_api import expect

from tests.serving.page.conftest import PHOTO, Visit, cells, give


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
