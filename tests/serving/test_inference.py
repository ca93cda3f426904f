"""Embeddings, similarity, classification: for the official client, in batches, each item failing alone."""

import base64
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from seesay.library.search.background import read_or_encode_phrases
from seesay.model import Model
from seesay.serving import limits
from seesay.serving.app import create_app
from seesay.serving.encoding import ItemEncoder
from seesay.serving.schemas.requests import Thing
from seesay.serving.settings import Settings
from seesay.tasks.clips import each_clip
from seesay.tasks.label_sets import PLAIN, label_set
from seesay.tasks.prompts import template_set
from seesay.tasks.zero_shot import Classifier, none_of_these
from tests.picture_server import png
from tests.serving.conftest import Serve, ServerThread, data_uri


@pytest.fixture
def address(tmp_path: Path, bundled: Model) -> Iterator[str]:
    """A real server of the bundled model at a port of its own."""
    with ServerThread(
        lambda port: uvicorn.Config(create_app(bundled, library=tmp_path), port=port, log_level="error")
    ) as server:
        yield server.address


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


def test_clients_of_other_servers(serve: Serve, fake: Model) -> None:
    client = serve()

    def rows(**fields: Any) -> list[Any]:
        answer = client.post("/v1/embeddings", json=fields)
        assert answer.status_code == 200, answer.text
        return [row["embedding"] for row in answer.json()["data"]]

    picture = fake.encode_image(png("red"))[0]
    for form in (data_uri("red"), {"image": data_uri("red")}):
        for image in (form, [form]):
            np.testing.assert_allclose(rows(input=image, modality="image")[0], picture, rtol=0, atol=1e-5)
    wanted = rows(input="red")
    harmless = {
        "user": "me",
        "normalize": True,
        "truncate": True,
        "input_type": None,
        "encoding_format": None,
        "dimensions": None,
    }
    for field in ({"modality": "text"}, {"modality": None}, harmless):
        assert rows(input="red", **field) == wanted
    refused = client.post("/v1/embeddings", json={"input": [data_uri("red"), "a dog"], "modality": "image"}).json()["data"]
    assert [row["embedding"] is None for row in refused] == [False, True]  # a text is no picture, and is not taken for one


def test_many_clients_at_once_get_their_own(address: str, bundled: Model, photos: list[Path]) -> None:
    wanted = bundled.encode_image(photos[:8])

    def ask(number: int) -> float:
        picture = base64.b64encode(photos[number % 8].read_bytes()).decode()
        request = {"input": [{"image": picture}, f"picture number {number}"]}
        answer = httpx2.post(f"{address}/v1/embeddings", json=request, timeout=60)
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
    (error,) = answer.json()["errors"]
    assert (error["side"], error["index"], error["code"]) == ("a", 1, "unreadable_picture")
    assert "a: item 2" in error["message"]


def test_classify(serve: Serve, fake: Model) -> None:
    request = {"images": [{"image": data_uri("red")}, {"image": "AAAA"}], "labels": ["blue", "red", "green"]}
    results = serve().post("/v1/classify", json=request).json()["results"]
    assert [score["label"] for score in results[0]["scores"]] == ["blue", "red", "green"]
    wanted = fake.classify(png("red"), ["blue", "red", "green"])[0]
    np.testing.assert_allclose([score["probability"] for score in results[0]["scores"]], wanted, rtol=0, atol=1e-6)
    assert results[1]["error"]["message"].startswith("picture 2")
    for bad in ({"labels": []}, {"labels": [" "]}, {"templates": ["no place"]}, {"images": []}):
        assert serve().post("/v1/classify", json=request | bad).status_code == 400


def animation(*colours: str, form: str = "GIF") -> bytes:
    stream, frames = io.BytesIO(), [Image.new("RGB", (40, 30), colour) for colour in colours]
    frames[0].save(stream, form, save_all=True, append_images=frames[1:], **({"lossless": True} if form == "WEBP" else {}))
    return stream.getvalue()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_a_clip_is_classified_by_the_mean_of_its_frames_as_in_python(serve: Serve, fake: Model, form: str) -> None:
    data = animation("red", "red", "blue", form=form)
    sent = f"data:image/{form.lower()};base64,{base64.b64encode(data).decode()}"
    request = {"images": [{"image": sent}, {"image": data_uri("blue")}], "labels": ["red", "blue"]}
    clip, still = (
        [score["probability"] for score in each["scores"]]
        for each in serve().post("/v1/classify", json=request).json()["results"]
    )
    vectors = [vector for vector in each_clip(fake, [data, png("blue")]) if isinstance(vector, np.ndarray)]
    wanted = Classifier.of(fake, ["red", "blue"]).probabilities(np.stack(vectors))
    np.testing.assert_allclose([clip, still], wanted, atol=1e-6)
    one = serve().post("/v1/classify", json=request | {"frames": 1}).json()["results"][0]["scores"]
    np.testing.assert_allclose([score["probability"] for score in one], fake.classify(data, ["red", "blue"])[0], atol=1e-6)
    assert serve().post("/v1/classify", json=request | {"frames": 9}).status_code == 400


def test_what_may_be_a_clip_counts_as_its_frames_when_it_is_admitted() -> None:
    clip = base64.b64encode(animation("red", "blue")).decode()
    broken = "\n".join(clip[start : start + 76] for start in range(0, len(clip), 76))
    still, one = Thing(image=data_uri("red")), limits.TEXTS_PER_IMAGE
    for sent in (clip, f"data:image/gif;base64,{clip}", broken, "http://192.0.2.1/a.jpg"):
        assert ItemEncoder.cost([Thing(image=sent), still], 8) == 9 * one
        assert ItemEncoder.cost([Thing(image=sent), still]) == 2 * one
    assert ItemEncoder.cost([Thing(image="no base64!"), Thing(text="red"), Thing(id="1")], 8) == one + 2


def test_a_large_clip_is_refused_as_a_large_picture_is(serve: Serve) -> None:
    data = base64.b64encode(animation("red", "blue")).decode()
    client = serve(pixels=1000)
    (result,) = client.post("/v1/classify", json={"images": [{"image": data}], "labels": ["red", "blue"]}).json()["results"]
    assert "pixels" in result["error"]["message"]


def test_classify_with_several_names_and_none_of_these(serve: Serve, fake: Model) -> None:
    request = {"images": [{"image": data_uri("red")}], "labels": [["red", "crimson", "红"], "blue"], "templates": "food"}
    vector = fake.encode_image(png("red"))
    rest = none_of_these(vector, read_or_encode_phrases(fake))
    client = serve()
    for names in ("mean", "max"):
        classifier = Classifier.of(fake, [["red", "crimson", "红"], "blue"], template_set("food"), names)
        (result,) = client.post("/v1/classify", json=request | {"names": names, "none": True}).json()["results"]
        assert [score["label"] for score in result["scores"]] == ["red", "blue"]
        got = [*(score["probability"] for score in result["scores"]), result["none"]]
        np.testing.assert_allclose(got, classifier.probabilities(vector, rest)[0], rtol=0, atol=1e-5)
    (plain,) = client.post("/v1/classify", json=request).json()["results"]
    assert "none" not in plain


@pytest.mark.parametrize("name", ["scene", "场景"])
def test_classify_by_a_ready_set(serve: Serve, fake: Model, name: str) -> None:
    vector = fake.encode_image(png("red"))
    wanted = Classifier.of(fake, label_set(name), PLAIN, "max")
    (result,) = serve().post("/v1/classify", json={"images": [{"image": data_uri("red")}], "set": name}).json()["results"]
    assert [score["label"] for score in result["scores"]] == [label.name for label in wanted.labels]
    got = [score["probability"] for score in result["scores"]]
    np.testing.assert_allclose(got, wanted.probabilities(vector)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"set": "scene"}, "got both"),
        ({"labels": None}, "expected some"),
        ({"labels": None, "set": "mood"}, "set"),
        ({"labels": [[]]}, "labels"),
        ({"labels": [["red", ""], "blue"]}, "label 1 of 2 is empty"),
        ({"labels": [["red", "x"], ["blue", "x"]]}, "'x' is a name of two labels"),
        ({"labels": [{"a": 1}]}, "labels"),
        ({"labels": [["a"] * 101]}, "labels"),
        ({"labels": [["a" * 1001]]}, "labels"),
        ({"labels": [[str(n) for n in range(100)]] * 2}, "at most 512 texts (labels x templates), got 800"),
        ({"labels": ["a"] * 100, "templates": "imagenet"}, "at most 512 texts (labels x templates), got 8000"),
        ({"templates": "films"}, "templates"),
        ({"names": "median"}, "names"),
        ({"none": "maybe"}, "none"),
    ],
)
def test_classify_refuses_what_it_cannot_use(serve: Serve, change: dict[str, Any], message: str) -> None:
    request = {"images": [{"image": data_uri()}], "labels": ["red", "blue"]} | change
    answer = serve().post("/v1/classify", json=request)
    assert answer.status_code == 400
    assert message in answer.text


def test_prompts_are_counted_before_they_are_made(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("seesay.serving.routes.classify.label_prompts")
    request = {"images": [{"image": data_uri()}], "labels": ["a"] * 1000}
    for templates, texts in ((None, 4000), (["{}"] * 1000, 1_000_000)):
        answer = serve().post("/v1/classify", json=request | {"templates": templates})
        assert answer.status_code == 400
        assert f"at most 512 texts (labels x templates), got {texts}" in answer.json()["error"]["message"]


def test_an_id_fails_alone_where_there_is_no_library(serve: Serve) -> None:
    client = serve()
    answer = client.post("/v1/embeddings", json={"input": ["red", {"id": "000000000000"}]})
    assert answer.status_code == 200
    assert [row.get("error", {}).get("code") for row in answer.json()["data"]] == [None, "no_library"]
    assert client.post("/v1/embeddings", json={"input": {"id": "000000000000"}}).status_code == 404


def test_a_tower_that_fails_is_told_and_logged(serve: Serve, fake: Model, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    client, real = serve(), fake.engine.encode_tokens

    def broken(ids: np.ndarray) -> np.ndarray:
        raise RuntimeError("the tower fell")

    monkeypatch.setattr(fake.engine, "encode_tokens", broken)
    answer = client.post("/v1/embeddings", json={"input": ["red", "blue"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "server_error")
    assert "fell" not in answer.text
    assert any(record.exc_info and "the tower fell" in str(record.exc_info[1]) for record in caplog.records)
    monkeypatch.setattr(fake.engine, "encode_tokens", real)
    assert client.post("/v1/embeddings", json={"input": ["red", "blue"]}).status_code == 200


def test_hosts_that_never_answer_keep_nobody_else(serve: Serve, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go = threading.Event(), threading.Event()

    def slow(url: str, name: str, settings: Settings) -> bytes:
        started.set()
        go.wait(20)
        return png("red")

    monkeypatch.setattr("seesay.serving.encoding.fetched", slow)
    client = serve(allow_urls=True)
    pictures = [{"image": f"http://slow.example/{at}.png"} for at in range(8)]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.post, "/v1/embeddings", json={"input": pictures})
        assert started.wait(10)
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/embeddings", json={"input": [{"image": data_uri("red")}]}).status_code == 200
        assert not waiting.done()
        go.set()
        rows = waiting.result(20).json()["data"]
    np.testing.assert_allclose(rows[7]["embedding"], fake.encode_image(png("red"))[0], rtol=0, atol=1e-5)
    many = client.post("/v1/embeddings", json={"input": [*pictures, pictures[0]]})
    assert "at most 8 URLs of pictures, got 9" in many.json()["error"]["message"]


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
    assert client.app.state.service.room.occupied == 0  # type: ignore[attr-defined]


def test_health_is_the_real_thing(serve: Serve, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()
    monkeypatch.setattr("seesay.serving.limits.HEALTH_CACHED_S", 0.0)
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


def test_the_description_has_examples_that_work(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    tried = 0
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            for example in examples(described, route):
                answer = client.request(method, path, json=example)
                tried += 1
                # The library has no picture with their id, the server no key.
                status = {"/v1/tags": 404, "/v1/export": 404, "/v1/session": 401}.get(path, 200)
                assert answer.status_code == status, (path, answer.text)
    assert tried >= 9


def test_every_route_is_described(serve: Serve) -> None:
    described = serve().get("/openapi.json").json()
    free = ("/v1/session", "/healthz")
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            assert route["description"], (method, path)
            assert bool(route.get("security")) == (path not in free), (method, path)
            if method == "post" and path != "/v1/index":
                assert examples(described, route), path
            answers = {code: answer for code, answer in route["responses"].items() if code.startswith("2")}
            assert answers, (method, path)
            for code, answer in answers.items():
                if code == "204":
                    continue
                for kind, content in answer["content"].items():
                    schema = content["schema"]
                    assert "$ref" in schema if kind == "application/json" else schema["type"] == "string", (method, path)
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def examples(described: dict[str, Any], route: dict[str, Any]) -> list[Any]:
    """Of a route's body."""
    schema = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    reference = schema.get("$ref", "").rpartition("/")[2]
    found: list[Any] = described["components"]["schemas"].get(reference, schema).get("examples", [])
    return found
