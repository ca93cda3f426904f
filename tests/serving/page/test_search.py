"""Searching on the page: words, images, names, likely and less likely hits."""

import re
from pathlib import Path

from playwright.sync_api import expect

from seesay.library import Library
from seesay.model import Model
from tests.conftest import PHOTOS
from tests.serving.page.conftest import (
    PHOTO,
    Visit,
    cells,
    labels,
    names,
    nothing_is_likely,
    request_and_hits,
    search,
    serve_library,
)


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
    page.wait_for_timeout(2100)  # what is typed within two seconds is one step of the history
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
    with page.expect_request(lambda request: request.url.endswith("/v1/search")) as request_info:
        page.get_by_role("button", name="With or without it: with").click()
    body = request_info.value.post_data_json
    assert re.fullmatch(r"- grass - photo:p\d+", body["query"])
    assert body["pictures"][body["query"].split(":")[1]].startswith("data:image/jpeg;base64,")
    with page.expect_request(lambda request: request.url.endswith("/v1/search")) as request_info:
        page.get_by_label("How much it counts").select_option("0.5")
    assert "- 0.5*photo:" in request_info.value.post_data_json["query"]
    page.get_by_role("button", name="Remove").first.click()
    expect(page.locator("#chips .chip")).to_have_count(0)


def test_less_likely_pictures_stand_below_a_heading(visit: Visit) -> None:
    page = visit()
    request, hits = request_and_hits(page, "a musical instrument")
    assert request.keys() == {"query", "pictures", "n", "filters"}
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


def test_all_pictures_follow_a_page_at_a_time(visit: Visit) -> None:
    page = visit()
    search(page, "a musical instrument")
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
    _, hits = request_and_hits(page, "a musical instrument")
    likely = [hit["name"] for hit in hits if hit["likely"]]
    page.get_by_role("button", name="Filters").click()
    with page.expect_request(lambda request: request.url.endswith("/v1/search")) as request_info:
        page.get_by_role("dialog").get_by_label("Only likely ones").check()
    assert request_info.value.post_data_json["likely"] is True
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
    _, hits = request_and_hits(page, "animals")
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
    shown, requests = names(page), list[str]()
    page.on("request", lambda request: requests.append(request.url) if request.url.endswith("/v1/search") else None)
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
    assert requests == []
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
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.post_data or "") if request.url.endswith("/v1/search") else None)
    page.focus("#words")
    typing = page.context.new_cdp_session(page)
    for begun in ("g", "gou"):
        typing.send("Input.imeSetComposition", {"text": begun, "selectionStart": len(begun), "selectionEnd": len(begun)})
        page.wait_for_timeout(300)
    assert requests == []
    typing.send("Input.insertText", {"text": "狗"})
    expect(page.locator("#status")).to_contain_text("likely")
    assert len(requests) == 1
    assert "狗" in requests[0]


def test_texts_are_searched_too(visit: Visit, bundled: Model, tmp_path: Path) -> None:
    captions = [f"a number such as {number}" for number in range(150)]
    captions += ["two dogs run through snow", "a plate of noodles", "a duck with white-grey feathers", "雪地里的狗"]
    (tmp_path / "captions.txt").write_text("\n".join(captions), encoding="utf-8")
    with Library(tmp_path / "library", bundled) as library:
        library.index(PHOTOS / "animals", tmp_path / "captions.txt")
    server = serve_library(bundled, tmp_path / "library")
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
