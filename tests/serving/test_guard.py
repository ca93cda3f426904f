"""Whom the server lets in, and what it does not let them do."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from seesay.errors import InputError
from seesay.serving.app import create_app
from seesay.serving.limits import BODY_ARRIVES_S
from seesay.serving.settings import Settings
from tests.serving.conftest import KEY, Serve, data_uri


def test_beyond_this_machine_it_takes_a_key() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "photos.example.org"):
        with pytest.raises(InputError, match="SEESAY_API_KEY"):
            Settings(host=host)
        assert not Settings(host=host, api_key=KEY).local
    with pytest.raises(InputError, match="too easily guessed"):
        Settings(host="0.0.0.0", api_key="1234")
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        assert Settings(host=host).local
    with pytest.raises(InputError, match="a host's name"):
        Settings(names=("*",))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:9", 200),
        ("[::1]:8000", 200),
        ("attacker.example:8000", 421),
        ("127.0.0.1.attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("192.168.1.5", 421),
        ("", 421),
    ],
)
def test_names_that_are_not_its_own(serve: Serve, host: str, status: int) -> None:
    answer = serve().get("/v1/models", headers={"Host": host})
    assert answer.status_code == status
    if status != 200:
        assert "--name" in answer.json()["error"]["message"]


def test_its_names_elsewhere(serve: Serve) -> None:
    client = serve(host="0.0.0.0", api_key=KEY, names=("photos.example.org",))
    for host, status in (("photos.example.org", 200), ("192.168.1.5:8000", 200), ("evil.example", 421)):
        headers = {"Host": host, "Authorization": f"Bearer {KEY}"}
        assert client.get("/v1/models", headers=headers).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:9000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_pages_of_other_sites_are_refused(serve: Serve, headers: dict[str, str]) -> None:
    client = serve()
    for answer in (
        client.post("/v1/embeddings", json={"input": "red"}, headers=headers),
        client.get("/v1/models", headers=headers),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_its_own_page_and_a_link_to_it(serve: Serve) -> None:
    client = serve()
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/v1/embeddings", json={"input": "red"}, headers=own).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    page = client.get("/", headers=link)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert client.get("/v1/models", headers=link).status_code == 403


def test_the_key(serve: Serve) -> None:
    client = serve(api_key=KEY)
    assert client.get("/").status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.get("/v1/session").json() == {"key_required": True, "signed_in": False}
    for path in ("/v1/models", "/v1/library", "/metrics", "/openapi.json", "/docs", "/v1/items/000000000000/thumbnail"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert KEY not in answer.text
    for wrong in (f"Bearer {KEY}x", f"Basic {KEY}", "Bearer", f"Bearer {KEY[:-1]}", "Bearer é"):
        assert client.get("/v1/models", headers={"Authorization": wrong.encode("latin-1")}).status_code == 401
    assert client.get("/v1/models", headers={"Authorization": f"bearer {KEY}"}).status_code == 200


def test_a_browser_signs_in(serve: Serve) -> None:
    client = serve(api_key=KEY)
    assert client.post("/v1/session", json={"key": "wrong"}).status_code == 401
    assert client.get("/v1/models").status_code == 401
    signed = client.post("/v1/session", json={"key": KEY})
    assert signed.status_code == 204
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert KEY not in cookie
    assert client.get("/v1/session").json() == {"key_required": True, "signed_in": True}
    assert client.get("/v1/models").status_code == 200
    assert client.delete("/v1/session").status_code == 204
    assert client.get("/v1/models").status_code == 401
    for forged in ("seesay_session=", "seesay_session=x", "seesay_session=" + "a" * 43, ";;;=", 'seesay_session="\\377"'):
        assert client.get("/v1/models", headers={"Cookie": forged}).status_code == 401


def test_bodies_have_a_limit_however_they_come(serve: Serve) -> None:
    client = serve(body_bytes=2000)
    answer = client.post("/v1/embeddings", content=b"x" * 5000)
    assert answer.status_code == 413
    assert "at most 2,000 bytes" in answer.json()["error"]["message"]

    def pieces() -> Any:
        for _ in range(10):
            yield b" " * 500

    assert client.post("/v1/embeddings", content=pieces()).status_code == 413  # chunked: without a length
    assert client.post("/v1/embeddings", json={"input": "red"}).status_code == 200
    assert client.post("/v1/embeddings", headers={"Content-Length": "-5"}, content=b"{}").status_code == 413


def test_who_has_no_key_is_not_read_at_length(serve: Serve) -> None:
    client = serve(api_key=KEY)
    answer = client.post("/v1/session", json={"key": "x" * 5000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert client.post("/v1/session", content=(b" " * 500 for _ in range(10))).status_code == 413
    assert client.post("/v1/session", json={"key": KEY}).status_code == 204


def test_all_bodies_together_have_a_limit(serve: Serve) -> None:
    client = serve(bodies_bytes=1000)
    guard = client.app.middleware_stack  # type: ignore[attr-defined]
    while not hasattr(guard, "_held"):
        guard = guard.app
    guard._held += 990  # as if another request held them
    answer = client.post("/v1/embeddings", json={"input": "red"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    guard._held -= 990
    assert client.post("/v1/embeddings", json={"input": "red"}).status_code == 200
    assert client.post("/v1/embeddings", json={"input": "red " * 500}).status_code == 200  # alone, however large
    assert guard._held == 0


def test_a_body_that_trickles_in_is_given_up(tmp_path: Path, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seesay.serving.limits.BODY_ARRIVES_S", 0.2)
    app = create_app(fake, library=tmp_path)
    assert BODY_ARRIVES_S == 60
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/embeddings",
        "headers": headers,
        "query_string": b"",
        "scheme": "http",
    }
    asyncio.run(asyncio.wait_for(app(scope, receive, send), 5))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408
    app.state.service.close()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "JSON"),
        (b"[" * 100_000, ""),
        (b"null", ""),
        (b'{"input": 5}', 'input: expected a text, or one of {"text": ...}, {"image": ...}, {"id": ...}, got 5'),
        (b'{"input": ["red", 1]}', "input.1: expected a text"),
        (b'{"input": [[1, 2]]}', "input: expected texts, got token ids"),
        (b'{"input": [1, 2]}', "check_embedding_ctx_length=False"),
        (b'{"input": [[true]]}', "input.0: expected a text, or one of"),
        (b'{"input": "red", "input_type": "query"}', "modality, got the name 'input_type'"),
        (b'{"input": "red", "normalize": false}', "got the name 'normalize'"),
        (b'{"input": "red", "modality": "audio"}', "modality: expected 'text' or 'image', got \"audio\""),
        (b'{"input": ["red", {"image": "AAAA"}], "modality": "text"}', "item 2 is no text"),
        (b'{"input": {"text": "red"}, "modality": "image"}', "item 1 is no image"),
        (b'{"input": [{"url": "x"}]}', "input.0: expected text, image, id, got the name 'url'"),
        (b'{"input": {"text": 5}}', "input.text: expected a valid string, got 5"),
        (b'{"input": ', "the body is not JSON: Expecting value at character 11"),
        (b'{"model": "fake"}', "input: expected, and not there"),
        (b'{"input": "red", "encoding_format": "int8"}', "encoding_format: expected 'float' or 'base64', got \"int8\""),
        (b'{"input": ["red"], "model": "../../etc"}', "'fake' only"),
        (b'{"input": ["red"], "dimensions": 4}', "16, got 4"),
        (b'{"input": []}', "at least one"),
        (b'{"input": [" "]}', "item 1: the text is empty"),
        (b'{"input": [{"text": "a", "image": "b"}]}', "exactly one of text, image and id, got text and image"),
        (b'{"input": [{"path": "/etc/passwd"}]}', "input"),
        (b'{"input": "\xff"}', ""),
    ],
)
def test_bad_requests_are_told_and_not_repeated(serve: Serve, body: bytes, says: str) -> None:
    answer = serve().post("/v1/embeddings", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 404)
    error = answer.json()["error"]
    assert says in error["message"]
    assert len(json.dumps(error)) < 500
    assert error["code"] in ("invalid_json", "invalid_request", "bad_request", "not_found")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": [1] * 300_000}),
        ("/v1/embeddings", {"input": [{"x": 1}] * 300_000}),
        ("/v1/embeddings", {"input": [{str(at): 1 for at in range(300_000)}]}),
        ("/v1/similarity", {"a": [1] * 300_000, "b": [[]] * 300_000}),
        ("/v1/classify", {"images": [1] * 300_000, "labels": [1] * 300_000}),
        ("/v1/classify", {"images": [{"image": "x"}], "labels": ["a"] * 1000, "templates": ["{}"] * 1000}),
        ("/v1/classify", {"images": [{"image": "x"}], "labels": ["a" * 1000] * 100, "templates": ["{}" * 200_000]}),
        ("/v1/search", {str(at): 1 for at in range(300_000)}),
        ("/v1/search", {"query": "red", "pictures": {str(at): 1 for at in range(300_000)}}),
        ("/v1/search", {"query": "red", "filters": {"tags": [1] * 300_000, "place": [None] * 300_000}}),
        ("/v1/tags", {"ids": [1] * 300_000}),
        ("/v1/export", {"ids": [1] * 300_000}),
    ],
)
def test_the_first_fault_ends_it(serve: Serve, path: str, body: Any) -> None:
    """Or each of so many would be an error to keep: seconds, and hundreds of megabytes."""
    client = serve()
    content = json.dumps(body)
    begin = time.process_time()
    json.loads(content)
    read = time.process_time() - begin
    begin = time.process_time()
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert len(answer.text) < 500
    assert time.process_time() - begin < 0.3 + 3 * read


@pytest.mark.parametrize(
    "filters",
    [
        {"min_px": 10**30},
        {"min_px": 0},
        {"min_score": 2},
        {"place": [-91, 0, 0, 0]},
        {"place": [0, 0, 0, 181]},
        {"place": [1e400, 0, 0, 0]},
        {"place": [0, 0, 0]},
        {"folder": "\ud800"},
        {"camera": "\ud800"},
        {"after": "\ud800"},
        {"tags": ["\ud800"]},
        {"\ud800": 1},
        {"camera": "x" * 2000},
    ],
)
def test_numbers_have_bounds_and_texts_are_unicode(serve: Serve, library_folder: Path, filters: Any) -> None:
    client = serve(library=library_folder)
    for path, request in (("/v1/search", {"query": "red"}), ("/v1/browse", {})):
        content = json.dumps({**request, "filters": filters})
        answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request"), answer.text
        assert answer.json()["error"]["message"].startswith("filters")


def test_halves_of_letters_harm_nothing(serve: Serve, library_folder: Path) -> None:
    client = serve(library=library_folder)
    half = "\ud800"
    for path, request in (
        ("/v1/embeddings", {"input": half}),
        ("/v1/embeddings", {"input": [{"id": half}]}),
        ("/v1/embeddings", {"input": [{"image": half}]}),
        ("/v1/embeddings", {"input": [{half: half}]}),
        ("/v1/embeddings", {"input": "a", "model": half}),
        ("/v1/search", {"query": half}),
        ("/v1/search", {"query": "photo:a", "pictures": {half: data_uri()}}),
        ("/v1/tags", {"ids": [half], "add": [half]}),
        ("/v1/export", {"ids": [half]}),
        ("/v1/classify", {"images": [{"image": data_uri()}], "labels": [half]}),
        ("/v1/session", {"key": half}),
    ):
        answer = client.post(path, content=json.dumps(request), headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (path, answer.text)


def test_every_error_has_a_code(serve: Serve) -> None:
    client = serve(api_key=KEY)
    with_key = {"Authorization": f"Bearer {KEY}"}
    wrong = {"Host": "evil.example"}
    codes = [
        (client.get("/v1/models"), "key_required"),
        (client.post("/v1/session", json={"key": "wrong"}), "wrong_key"),
        (client.get("/v1/models", headers=wrong), "wrong_host"),
        (client.get("/v1/models", headers={"Origin": "null"}), "cross_site"),
        (client.get("/v1/none", headers=with_key), "not_found"),
        (client.get("/v1/embeddings", headers=with_key), "method_not_allowed"),
        (client.get("/v1/items/000000000000", headers=with_key), "no_library"),
        (client.post("/v1/embeddings", content=b"x", headers=with_key), "unsupported_media_type"),
        (client.post("/v1/embeddings", json={"input": {"image": "AAAA"}}, headers=with_key), "unreadable_picture"),
    ]
    for answer, code in codes:
        assert answer.json()["error"]["code"] == code
        assert answer.json()["error"]["message"]


def test_what_is_not_json_is_told_so(serve: Serve) -> None:
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = serve().post("/v1/embeddings", content=b'{"input": "red"}', headers=headers)
        assert answer.status_code == 415
        assert "Content-Type: application/json" in answer.json()["error"]["message"]


def test_counts_have_limits(serve: Serve) -> None:
    client = serve(texts=3, pictures=2, letters=10)
    assert client.post("/v1/embeddings", json={"input": ["red"] * 3}).status_code == 200
    assert "at most 3 texts, got 4" in client.post("/v1/embeddings", json={"input": ["red"] * 4}).text
    many = client.post("/v1/embeddings", json={"input": [{"image": data_uri()}] * 3})
    assert "at most 2 pictures, got 3" in many.text
    assert "at most 10 letters" in client.post("/v1/embeddings", json={"input": "red " * 10}).text


def test_a_fault_of_ours_tells_nothing_of_the_inside(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()

    def broken(*_: object) -> None:
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr("seesay.serving.encoding.ItemEncoder.check", broken)
    answer = client.post("/v1/embeddings", json={"input": "red"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["error"]["type"] == "server_error"
