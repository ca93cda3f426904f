"""Embeddings, similarity, classification: for the official client, in batches, each item failing alone."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
import uvicorn
from starlette.testclient import TestClient

from seesay.model import Model
from seesay.serving.app import create_app
from tests.picture_server import png
from tests.serving.conftest import Serve, data_uri


@pytest.fixture
def address(tmp_path: Path, bundled: Model) -> Any:
    """A real server of the bundled model at a port of its own."""
    server = uvicorn.Server(uvicorn.Config(create_app(bundled, library=tmp_path), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_the_official_client(address: str, bundled: Model, photos: list[Path]) -> None:
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none")
    texts = ["a dog on grass", "两只狗在雪地里奔跑"]
    picture: Any = {"image": base64.b64encode(photos[0].read_bytes()).decode()}
    wanted = np.concatenate([bundled.encode_text(texts), bundled.encode_image(photos[0])])
    for form in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        answer = client.embeddings.create(model="bundled", input=[*texts, picture], **form)
        rows = [row.embedding for row in answer.data]
        if form.get("encoding_format") == "base64":
            rows = [np.frombuffer(base64.b64decode(row), "<f4").tolist() for row in rows]  # type: ignore[arg-type]
        np.testing.assert_allclose(rows, wanted, rtol=0, atol=1e-5)
        assert [row.index for row in answer.data] == [0, 1, 2]
        assert answer.model == "bundled"
        assert answer.usage.prompt_tokens == sum(len(bundled.tokenize(text)[0]) for text in texts)
    one = client.embeddings.create(model="bundled", input="a dog on grass")
    np.testing.assert_allclose(one.data[0].embedding, wanted[0], rtol=0, atol=1e-5)
    assert [model.id for model in client.models.list()] == ["bundled"]
    assert client.models.retrieve("bundled").to_dict()["dim"] == bundled.dim
    with pytest.raises(openai.NotFoundError, match="'bundled' only"):
        client.embeddings.create(model="text-embedding-3-large", input="red")
    with pytest.raises(openai.BadRequestError, match="512, got 256"):
        client.embeddings.create(model="bundled", input="red", dimensions=256)


def test_many_clients_at_once_get_their_own(address: str, bundled: Model, photos: list[Path]) -> None:
    wanted = bundled.encode_image(photos[:8])

    def ask(number: int) -> float:
        picture = base64.b64encode(photos[number % 8].read_bytes()).decode()
        asked = {"input": [{"image": picture}, f"picture number {number}"]}
        answer = httpx2.post(f"{address}/v1/embeddings", json=asked, timeout=60)
        assert answer.status_code == 200
        rows = [row["embedding"] for row in answer.json()["data"]]
        np.testing.assert_allclose(rows[0], wanted[number % 8], rtol=0, atol=bundled.card.batch_tolerance)
        return float(np.dot(rows[1], bundled.encode_text(f"picture number {number}")[0]))

    with ThreadPoolExecutor(16) as pool:
        assert min(pool.map(ask, range(48))) > 0.9999
    figures = httpx2.get(f"{address}/metrics").text
    assert 'seesay_requests_total{route="/v1/embeddings",status="200"} 48.0' in figures
    for stage in ("decode", "encode", "tokenize", "wait"):
        assert f'seesay_stage_seconds_count{{stage="{stage}"' in figures
    assert "seesay_items_under_way 0.0" in figures


def test_a_bad_picture_fails_alone(client: TestClient) -> None:
    items = ["red", {"image": "AAAA"}, {"image": data_uri("blue", (1, 1))}, {"image": "/etc/passwd"}, {"id": "000000000000"}]
    answer = client.post("/v1/embeddings", json={"input": items}).json()
    assert [row["embedding"] is None for row in answer["data"]] == [False, True, False, True, True]
    assert answer["data"][1]["error"]["message"].startswith("item 2: is not a picture")
    assert "item 4" in answer["data"][3]["error"]["message"]
    alone = client.post("/v1/embeddings", json={"input": {"image": "AAAA"}})
    assert alone.status_code == 400
    for _ in range(3):  # and harms nobody after it
        assert client.post("/v1/embeddings", json={"input": [{"image": data_uri()}]}).status_code == 200


def test_a_bad_text_fails_alone(serve: Serve) -> None:
    client = serve(letters=10)
    rows = client.post("/v1/embeddings", json={"input": ["red", " ", "red " * 10, {"text": ""}]}).json()["data"]
    assert [row["embedding"] is None for row in rows] == [False, True, True, True]
    assert [row.get("error", {}).get("message") for row in rows] == [
        None,
        "item 2: the text is empty",
        "item 3: at most 10 letters of text are taken, got 40",
        "item 4: the text is empty",
    ]
    answer = client.post("/v1/similarity", json={"a": ["red", ""], "b": ["blue"]}).json()
    assert [row[0] is None for row in answer["similarity"]] == [False, True]
    labels = client.post("/v1/classify", json={"images": [{"image": data_uri()}], "labels": ["red", " "], "templates": ["{}"]})
    assert (labels.status_code, labels.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_long_text_says_that_it_lost_its_end(serve: Serve) -> None:
    rows = serve().post("/v1/embeddings", json={"input": ["red", "red " * 500]}).json()["data"]
    assert [row.get("truncated") for row in rows] == [None, True]


def test_similarity(serve: Serve, fake: Model) -> None:
    answer = serve().post("/v1/similarity", json={"a": [{"image": data_uri("red")}, {"image": "AAAA"}], "b": ["red", "blue"]})
    rows = answer.json()["similarity"]
    np.testing.assert_allclose(rows[0], fake.similarity(png("red"), ["red", "blue"])[0], rtol=0, atol=2e-6)
    assert rows[1] == [None, None]
    assert answer.json()["errors"] == [{"side": "a", "index": 1, "message": answer.json()["errors"][0]["message"]}]
    assert "a: item 2" in answer.json()["errors"][0]["message"]


def test_classify(serve: Serve, fake: Model) -> None:
    asked = {"images": [{"image": data_uri("red")}, {"image": "AAAA"}], "labels": ["blue", "red", "green"]}
    results = serve().post("/v1/classify", json=asked).json()["results"]
    assert [score["label"] for score in results[0]["scores"]] == ["blue", "red", "green"]
    wanted = fake.classify(png("red"), ["blue", "red", "green"])[0]
    np.testing.assert_allclose([score["probability"] for score in results[0]["scores"]], wanted, rtol=0, atol=1e-6)
    assert results[1]["error"]["message"].startswith("picture 2")
    for bad in ({"labels": []}, {"labels": [" "]}, {"templates": ["no place"]}, {"images": []}):
        assert serve().post("/v1/classify", json=asked | bad).status_code == 400


def test_full_is_told_and_passes(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(waiting=4)
    service = client.app.state.service  # type: ignore[attr-defined]
    service.room.enter(4)
    answer = client.post("/v1/embeddings", json={"input": "red"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["type"] == "overloaded"
    assert client.get("/healthz").status_code == 200  # busy is not ill
    service.room.leave(4)
    assert client.post("/v1/embeddings", json={"input": "red"}).status_code == 200


def test_deadlines(serve: Serve) -> None:
    client = serve(deadline_s=0.05)
    engine = client.app.state.service.engine  # type: ignore[attr-defined]
    with engine._texts._turn:
        answer = client.post("/v1/embeddings", json={"input": "red"})
    assert answer.status_code == 504
    assert client.app.state.service.room.taken == 0  # type: ignore[attr-defined]


def test_health_is_the_real_thing(serve: Serve, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()
    monkeypatch.setattr("seesay.serving.health.FOR_S", 0.0)
    assert client.get("/healthz").json() == {"status": "ok"}
    real = fake.engine.encode_pixels

    def broken(pixels: np.ndarray) -> np.ndarray:
        raise RuntimeError("the tower fell")

    monkeypatch.setattr(fake.engine, "encode_pixels", broken)
    failing = client.get("/healthz")
    assert (failing.status_code, failing.json()) == (503, {"status": "failing", "why": "RuntimeError"})
    monkeypatch.setattr(fake.engine, "encode_pixels", lambda pixels: real(pixels) * np.nan)
    assert client.get("/healthz").json()["why"] == "a vector is no unit vector"
    monkeypatch.setattr(fake.engine, "encode_pixels", real)
    assert client.get("/healthz").status_code == 200


def test_the_description_has_examples_that_work(serve: Serve) -> None:
    client = serve()
    described = client.get("/openapi.json").json()
    tried = 0
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            reference = (
                route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {}).get("$ref")
            )
            schema = described["components"]["schemas"].get((reference or "").rpartition("/")[2], {})
            for example in schema.get("examples", []):
                answer = client.request(method, path, json=example)
                tried += 1
                # The library is empty here, so that searches and tags find none.
                assert answer.status_code == (404 if path in ("/v1/search", "/v1/tags") else 200), (path, answer.text)
    assert tried >= 6
