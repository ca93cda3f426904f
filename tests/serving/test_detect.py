"""Boxes over HTTP: pictures that are sent or in the library, each failing alone, within the limits."""

import base64
import io
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from seesay.model import Model
from seesay.serving import limits
from seesay.tasks.detection import WindowDetector, select
from tests.serving.conftest import Serve, data_uri


def scene() -> tuple[Image.Image, str]:
    """A red square on black, and the same as a data: URI."""
    image = Image.new("RGB", (96, 64), "black")
    image.paste((255, 0, 0), (8, 8, 40, 40))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return image, "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def ask(client: TestClient, **fields: Any) -> Any:
    answer = client.post("/v1/detect", json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def test_boxes_are_those_of_python(client: TestClient, fake: Model) -> None:
    image, sent = scene()
    (result,) = ask(client, images=[{"image": sent}], labels=["red", " green", "red"])
    detector = WindowDetector(fake, proposals=limits.DETECT_PROPOSALS)
    wanted = select(detector.detect(image, ["red", "green"]), detector.selection)
    assert (result["index"], result["width"], result["height"]) == (0, 96, 64)
    assert [box["label"] for box in result["boxes"]] == ["red"] * len(wanted)
    assert [box["score"] for box in result["boxes"]] == pytest.approx(wanted.scores.tolist(), abs=1e-5)
    for box, own in zip(result["boxes"], wanted.boxes.tolist(), strict=True):
        assert box["box"] == pytest.approx(own, abs=0.06)
    loose = ask(client, images=[{"image": sent}], labels=["red"], threshold=0)[0]["boxes"]
    assert len(ask(client, images=[{"image": sent}], labels=["red"], threshold=0, most=1)[0]["boxes"]) == 1 < len(loose)
    assert ask(client, images=[{"image": sent}], labels=["green"], threshold=1)[0]["boxes"] == []


def test_a_picture_of_the_library_by_its_id(client: TestClient) -> None:
    name = client.post("/v1/search", json={"query": "red", "n": 1}).json()["results"][0]["id"]
    (result,) = ask(client, images=[{"id": name}], labels=["red", "blue"])
    assert (result["width"], result["height"]) == (48, 40)
    assert {box["label"] for box in result["boxes"]} == {"red"}


def test_a_bad_picture_fails_alone(client: TestClient) -> None:
    images = [{"image": "AAAA"}, {"image": data_uri("red", (1, 1))}, {"id": "000000000000"}, {"image": "/etc/passwd"}]
    results = ask(client, images=images, labels=["red"])
    assert [("error" in result, "boxes" in result) for result in results] == [
        (True, False),
        (False, True),
        (True, False),
        (True, False),
    ]
    assert results[0]["error"]["message"].startswith("picture 1: is not a picture")
    assert results[2]["error"]["code"] == "no_picture"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"images": [{"image": "x"}], "labels": []}, "labels"),
        ({"images": [], "labels": ["red"]}, "images"),
        ({"images": [{"image": "x"}], "labels": ["red", " "]}, "label 2 of 2 is empty"),
        ({"images": [{"image": "x"}] * (limits.DETECT_IMAGES + 1), "labels": ["red"]}, "at most 4 pictures, got 5"),
        ({"images": [{"image": "x"}], "labels": [f"red {i}" for i in range(200)]}, "at most 512 texts"),
        ({"images": [{"image": "x"}], "labels": ["red", "green " * 20]}, "label 2 is longer than the 8 tokens"),
        ({"images": [{"text": "red"}], "labels": ["red"]}, "picture 1: expected a picture, got a text"),
        ({"images": [{"image": "x"}], "labels": ["red"], "threshold": 2}, "threshold"),
        ({"images": [{"image": "x"}], "labels": ["red"], "most": 0}, "most"),
        ({"images": [{"image": "x"}], "labels": ["red"], "iou": 1}, "the name 'iou'"),
    ],
)
def test_requests_that_cannot_be_answered(client: TestClient, fields: dict[str, Any], message: str) -> None:
    answer = client.post("/v1/detect", json=fields)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_a_request_ends_at_its_deadline(serve: Serve) -> None:
    client = serve(deadline_s=0.0005)
    answer = client.post("/v1/detect", json={"images": [{"image": scene()[1]}], "labels": ["red"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "too_late")
    assert "seesay_items_under_way 0.0" in client.get("/metrics").text


def test_it_needs_the_key(serve: Serve) -> None:
    client = serve(api_key="a-long-and-random-key")
    assert client.post("/v1/detect", json={"images": [{"image": scene()[1]}], "labels": ["red"]}).status_code == 401
