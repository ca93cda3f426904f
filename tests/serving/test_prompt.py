"""A prompt from a picture, over HTTP."""

import threading
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from seesay.model import Model
from seesay.serving import prompts
from seesay.tasks.interrogation.bank import PhraseBank, phrase_bank
from seesay.tasks.interrogation.interrogator import Interrogator
from tests.picture_server import png
from tests.serving.conftest import Serve, data_uri

COLOURS = PhraseBank.parse("red, green, blue, yellow, black\n# light\nwhite", "colours.txt")


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank that the model of these tests, which knows colours, has a word to say about."""
    monkeypatch.setattr(prompts, "phrase_bank", lambda language: COLOURS)


def test_prompt_is_what_the_library_writes(serve: Serve, fake: Model) -> None:
    client, picture = serve(), fake.encode_image(png("red"))[0]
    interrogator = Interrogator.of(fake, COLOURS)
    for mode, first in (("best", "red"), ("fast", "red"), ("negative", "blue")):
        request = {"image": {"image": data_uri("red")}, "mode": mode, "count": 2}
        answer = client.post("/v1/prompt", json=request)
        assert answer.status_code == 200, answer.text
        told, wanted = answer.json(), interrogator.prompt(picture, mode, 2)  # type: ignore[arg-type]
        assert (told["prompt"], told["mode"], told["language"]) == (wanted.text, mode, "en")
        assert [each["text"] for each in told["phrases"]] == [each.text for each in wanted.phrases]
        if mode != "negative":
            assert told["phrases"][0]["text"] == first
        assert told["cosine"] == pytest.approx(wanted.cosine, abs=1e-5)
        assert (told["tokens"], told["context"]) == (len(wanted.phrases), 8)


def test_prompt_of_a_picture_of_the_library(client: TestClient, fake: Model) -> None:
    ids = client.post("/v1/browse", json={}).json()["ids"]
    answer = client.post("/v1/prompt", json={"image": {"id": ids[0]}, "mode": "fast", "count": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json()["prompt"] in COLOURS.texts


def test_bad_prompt_requests_are_explained(serve: Serve) -> None:
    client = serve()
    good: dict[str, Any] = {"image": {"image": data_uri()}}
    for bad, status, message in (
        ({"image": {"image": "AAAA"}}, 400, "picture 1: is not a picture"),
        ({"image": {"image": data_uri("red", (1, 1))}}, 200, ""),
        ({"image": {"text": "a dog"}}, 400, "expected a picture, got a text"),
        ({"image": {}}, 400, "exactly one of"),
        ({"image": {"image": "/etc/passwd"}}, 400, "picture 1"),
        ({"mode": "worst"}, 400, "mode"),
        ({"language": "fr"}, 400, "language"),
        ({"count": 0}, 400, "count"),
        ({"count": 13}, 400, "count"),
        ({"model": "x"}, 400, "got the name"),
        ({"image": {"id": "000000000000"}}, 404, ""),
    ):
        answer = client.post("/v1/prompt", json=good | bad)
        assert (answer.status_code, message in answer.text) == (status, True), answer.text
    assert client.post("/v1/prompt", json={}).status_code == 400


def test_a_prompt_is_admitted_and_has_a_deadline(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(waiting=40, deadline_s=0.3)
    room = client.app.state.service.room  # type: ignore[attr-defined]
    room.enter(1)
    request = {"image": {"image": data_uri()}}
    assert client.post("/v1/prompt", json=request).status_code == 429
    assert client.post("/v1/prompt", json=request | {"mode": "fast"}).status_code == 200
    room.leave(1)
    go = threading.Event()
    monkeypatch.setattr(Interrogator, "prompt", lambda *rest: go.wait(20))
    assert client.post("/v1/prompt", json=request).status_code == 504
    go.set()
    assert room.occupied == 0


def test_phrases_are_encoded_once_and_after_a_failure_again(serve: Serve, fake: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    client, calls, real = serve(), [], Interrogator.of

    def of(model: Model, bank: PhraseBank) -> Interrogator:
        calls.append(len(bank.texts))
        if len(calls) == 1:
            raise RuntimeError("the tower fell")
        return real(model, bank)

    monkeypatch.setattr(Interrogator, "of", of)
    request = {"image": {"image": data_uri("red")}, "mode": "fast"}
    assert [client.post("/v1/prompt", json=request).status_code for _ in range(4)] == [500, 200, 200, 200]
    assert calls == [6, 6]


def test_the_packaged_phrases_serve(serve: Serve, bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    short = PhraseBank.parse("，".join(phrase_bank("zh").texts[:40]), "zh.txt")
    monkeypatch.setattr(prompts, "phrase_bank", lambda language: short)
    answer = serve(model=bundled).post("/v1/prompt", json={"image": {"image": data_uri("red")}, "language": "zh", "count": 2})
    assert answer.status_code == 200, answer.text
    assert answer.json()["context"] == 256
    vector = bundled.encode_image(png("red"))[0]
    assert np.isfinite(answer.json()["cosine"])
    assert float(bundled.encode_text(answer.json()["prompt"])[0] @ vector) == pytest.approx(answer.json()["cosine"], abs=0.1)
