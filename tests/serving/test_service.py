"""What the routes share: the words of searches, which are encoded together."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from seesay.errors import InputError
from seesay.library import Library
from seesay.library.search.background import search_spec
from seesay.model import Model
from seesay.serving.service import Service
from seesay.serving.settings import Settings
from seesay.tasks.phrasing import query_embeddings
from tests.serving.conftest import Serve


def test_words_are_encoded_as_a_search_encodes_them(bundled: Model, tmp_path: Path) -> None:
    service = Service(bundled, Settings(), tmp_path / "library", None)
    try:
        phrased = service.encoder.phrased('dogs + "a cat that sleeps on a mat" - 狗 + name:holiday + dogs')
        vectors = asyncio.run(service.encoder.encode_words(phrased, float("inf")))
        assert asyncio.run(service.encoder.encode_words(service.encoder.phrased("  "), float("inf"))) == {}
        with pytest.raises(InputError):
            service.encoder.phrased('dogs + "cats')
    finally:
        service.close()
    assert list(vectors) == ["dogs", "a cat that sleeps on a mat", "狗"]
    expected = query_embeddings(bundled, list(vectors), search_spec(bundled).templates)
    np.testing.assert_allclose(np.stack(list(vectors.values())), expected, atol=1e-5)


def test_a_search_encodes_nothing_in_the_library(
    serve: Serve, library_folder: Path, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(library_folder, fake) as library:
        expected = [(hit.id, hit.likely) for hit in library.search("red + blue - green")]
    client: TestClient = serve(library=library_folder)

    def refused(*_: object, **__: object) -> np.ndarray:
        raise AssertionError("in the library's thread")

    monkeypatch.setattr(Model, "encode_text", refused)
    answer = client.post("/v1/search", json={"query": "red + blue - green"})
    assert answer.status_code == 200, answer.text
    assert [(hit["id"], hit["likely"]) for hit in answer.json()["results"]] == expected


def test_a_query_takes_room_for_each_of_its_texts(serve: Serve, library_folder: Path) -> None:
    client = serve(library=library_folder, waiting=8)
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    with_room = client.post("/v1/search", json={"query": "red"}).status_code
    service.room.enter(7)
    crowded = client.post("/v1/search", json={"query": "red"}).status_code
    service.room.leave(7)
    assert (with_room, crowded) == (200, 429)
