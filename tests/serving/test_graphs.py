"""A server of graphs that others exported."""

import numpy as np
import pytest

import seesay
from seesay.model import Model
from tests.parity.test_graphs import GRAPHS
from tests.serving.conftest import Serve, data_uri


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path_factory.mktemp("cache")))
    return seesay.load(GRAPHS / "immich")


def test_a_server_embeds_by_graphs_and_classifies_once_it_knows_the_scale(serve: Serve, model: Model) -> None:
    client = serve(model=model)
    answer = client.post("/v1/embeddings", json={"input": ["a red dog", "a"], "model": model.name})
    vectors = np.array([row["embedding"] for row in answer.json()["data"]])
    np.testing.assert_allclose(vectors, model.encode_text(["a red dog", "a"]), atol=1e-5)
    request = {"images": [{"image": data_uri()}], "labels": ["red", "blue"], "templates": ["{}"]}
    refused = client.post("/v1/classify", json=request)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported")
    assert "scale" in refused.json()["error"]["message"]
    answer = serve(model=seesay.load(GRAPHS / "immich", scale=100)).post("/v1/classify", json=request)
    assert sum(score["probability"] for score in answer.json()["results"][0]["scores"]) == pytest.approx(1)
