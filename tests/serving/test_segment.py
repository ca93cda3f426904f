"""Masks and heat maps over HTTP: the same as in Python, within the limits."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from seesay.engines.fake import FakeEngine
from seesay.errors import MissingCapability
from seesay.model import Model
from seesay.tasks.explanation import Way, explain
from seesay.tasks.segmentation import CellSegmenter
from tests.serving.conftest import Serve, data_uri


def halves() -> tuple[Image.Image, str]:
    """Red at the left, blue at the right, and the same as a data: URI."""
    image = Image.new("RGB", (60, 40), "red")
    image.paste((0, 0, 255), (30, 0, 60, 40))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return image, "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def mask_of(answer: dict[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(answer["mask"].removeprefix("data:image/png;base64,")))) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_a_mask_is_that_of_python(client: TestClient, fake: Model) -> None:
    image, sent = halves()
    answer = client.post("/v1/segment", json={"image": {"image": sent}, "labels": ["red", " green ", "blue", "red"]}).json()
    found = CellSegmenter(fake).segment(image, ["red", "green", "blue"])
    assert (answer["width"], answer["height"]) == (60, 40)
    assert (mask_of(answer) == found.mask).all()
    assert [(each["label"], each["value"]) for each in answer["segments"]] == [("red", 0), ("green", 1), ("blue", 2)]
    assert [each["share"] for each in answer["segments"]] == pytest.approx(found.shares.tolist(), abs=1e-6)
    assert [each["score"] for each in answer["segments"]] == pytest.approx(found.scores.tolist(), abs=1e-5)


def test_a_mask_without_background_or_with_a_threshold(client: TestClient) -> None:
    request = {"image": {"image": halves()[1]}, "labels": ["red", "blue"]}
    closed = client.post("/v1/segment", json=request | {"background": []}).json()
    assert (mask_of(closed) == np.repeat([0, 1], 30)).all()
    assert closed["none"] == 0
    assert client.post("/v1/segment", json=request | {"threshold": 1}).json()["none"] == 1
    one = client.post("/v1/segment", json=request | {"labels": ["red"], "background": ["blue"]}).json()
    assert (mask_of(one) == np.repeat(np.array([0, 255]), 30)).all()


@pytest.mark.parametrize("way", ["cells", "occlusion"])
def test_a_heat_map_is_that_of_python(client: TestClient, fake: Model, way: Way) -> None:
    image, sent = halves()
    answer = client.post("/v1/explain", json={"image": {"image": sent}, "text": "red", "way": way}).json()
    found = explain(fake, image, "red", way)
    assert (answer["width"], answer["height"]) == (60, 40)
    assert answer["score"] == pytest.approx(found.score, abs=1e-5)
    np.testing.assert_allclose(answer["heat"], found.heat, atol=2e-5)


@pytest.mark.parametrize("way", ["legrad", "rollout"])
def test_attention_is_asked_of_the_engine_that_sees_it(serve: Serve, fake: Model, way: Way) -> None:
    request = {"image": {"image": halves()[1]}, "text": "red", "way": way}
    refused = serve().post("/v1/explain", json=request)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported")
    assert "does not see the attention" in refused.json()["error"]["message"]

    class Seeing(FakeEngine):
        def patch_relevance(self, pixels: np.ndarray, texts: np.ndarray | None = None) -> np.ndarray:
            return np.full((1, 2, 2), 0.25 if texts is None else texts.sum(), dtype=np.float32)

    seeing = fake.with_engine(Seeing(fake.dim))
    answer = serve(model=seeing).post("/v1/explain", json=request).json()
    np.testing.assert_allclose(answer["heat"], explain(seeing, halves()[0], "red", way).heat, rtol=1e-4)


def test_a_picture_of_the_library_by_its_id(client: TestClient) -> None:
    name = client.post("/v1/search", json={"query": "red", "n": 1}).json()["results"][0]["id"]
    masked = client.post("/v1/segment", json={"image": {"id": name}, "labels": ["red", "blue"]}).json()
    assert masked["segments"][0]["share"] > 0.9
    assert client.post("/v1/explain", json={"image": {"id": name}, "text": "red"}).json()["score"] > 0.5
    missing = client.post("/v1/segment", json={"image": {"id": "000000000000"}, "labels": ["red", "blue"]})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no_picture")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": []}, "labels"),
        ({"labels": ["red", " "]}, "the text is empty"),
        ({"labels": ["red"], "background": []}, "one label without a background"),
        ({"labels": [f"red{n}" for n in range(256)]}, "at most 255 labels, got 256"),
        ({"labels": [f"red{n}" for n in range(100)]}, "at most 512 texts"),
        ({"labels": ["red", "green " * 20]}, "text 2 of 2 is longer than the 8 tokens"),
        ({"background": ["green " * 20]}, "text 3 of 3 is longer"),
        ({"image": {"text": "red"}}, "expected a picture, got a text"),
        ({"image": {"image": "AAAA"}}, "image: is not a picture"),
        ({"image": {"image": "../etc/passwd"}}, "the server reads no files"),
        ({"image": {}}, "exactly one of text, image and id"),
        ({"threshold": 2}, "threshold"),
        ({"boxes": 1}, "the name 'boxes'"),
    ],
)
def test_masks_that_cannot_be_made(client: TestClient, fields: dict[str, Any], message: str) -> None:
    answer = client.post("/v1/segment", json={"image": {"image": data_uri()}, "labels": ["red", "blue"]} | fields)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": ""}, "text"),
        ({"text": "  "}, "the text is empty"),
        ({"text": "red " * 20}, "longer than the 8 tokens"),
        ({"text": "red\ud800"}, "text"),
        ({"image": {"text": "red"}}, "expected a picture, got a text"),
        ({"way": "guess"}, "way"),
    ],
)
def test_heat_maps_that_cannot_be_made(client: TestClient, fields: dict[str, Any], message: str) -> None:
    body = json.dumps({"image": {"image": data_uri()}, "text": "red"} | fields)  # in which half a surrogate pair is escaped
    answer = client.post("/v1/explain", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize(("path", "fields"), [("segment", {"labels": ["red", "blue"]}), ("explain", {"text": "red"})])
def test_deadline_key_and_one_pixel(serve: Serve, path: str, fields: dict[str, Any]) -> None:
    request = {"image": {"image": data_uri("red", (1, 1))}} | fields
    assert serve().post(f"/v1/{path}", json=request).status_code == 200
    late = serve(deadline_s=0.0005)
    answer = late.post(f"/v1/{path}", json=request)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "too_late")
    assert "seesay_items_under_way 0.0" in late.get("/metrics").text
    assert serve(api_key="a-long-and-random-key").post(f"/v1/{path}", json=request).status_code == 401


def test_a_model_without_cells_says_so(serve: Serve, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, pixels: np.ndarray) -> np.ndarray:
        raise MissingCapability("it gives no features per patch")

    monkeypatch.setattr(type(fake.engine), "encode_dense", fail)
    answer = serve().post("/v1/segment", json={"image": {"image": data_uri()}, "labels": ["red", "blue"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported")
