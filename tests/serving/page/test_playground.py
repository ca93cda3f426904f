"""The place to try labels on an image, and the page that describes the routes."""

from playwright.sync_api import expect

from tests.serving.page.conftest import PHOTO, Visit


def test_the_playground(visit: Visit) -> None:
    page = visit("#/try")
    page.set_input_files("#try input[type=file]", PHOTO)
    page.get_by_label("What it could be").fill("a fish\na dog\na car")
    expect(page.locator("#try .bars li")).to_have_count(3)
    expect(page.locator("#try .bars li").first).to_contain_text("a dog")
    page.get_by_label("What it could be").fill("a fish")
    expect(page.locator("#try .note[role=status]")).to_have_text("Write at least two lines.")
    page.get_by_label("Texts, one a line").fill("a dog\n一只狗\na car")
    expect(page.locator(".matrix tbody tr")).to_have_count(3)
    first = [float(cell) for cell in page.locator(".matrix tbody td:nth-child(2)").all_text_contents()]
    assert min(first[:2]) > first[2]


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
