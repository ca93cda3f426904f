"""Teaching names and identifying images over HTTP, with a model that knows colours."""

import hashlib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from seesay.library.example import read_example
from seesay.library.gallery import GalleryFile
from seesay.model import Model
from tests.serving.conftest import KEY, Serve, data_uri


def image(colour: str, side: int = 40) -> dict[str, str]:
    return {"image": data_uri(colour, (side, 30))}


def teach(client: TestClient, name: str, *images: dict[str, str]) -> dict[str, object]:
    answer = client.post("/v1/names", json={"name": name, "images": list(images)})
    assert answer.status_code == 200, answer.json()
    told: dict[str, object] = answer.json()
    return told


def red_id(client: TestClient) -> str:
    hits = client.post("/v1/search", json={"filters": {"names": ["red-1"]}}).json()["results"]
    return str(hits[0]["id"])


def test_a_taught_name_is_identified_until_it_is_forgotten(client: TestClient) -> None:
    told = teach(client, "Rex", image("red"), image("red"), image("red", 50))
    assert told == {"name": "Rex", "new": True, "added": 2, "known": 1, "pictures": 2, "errors": []}
    assert teach(client, "rex", image("red", 60))["pictures"] == 3
    teach(client, "The sea", image("blue"))
    assert client.get("/v1/names").json() == {"names": [{"name": "Rex", "pictures": 3}, {"name": "The sea", "pictures": 1}]}
    answer = client.post("/v1/identify", json={"images": [image("blue", 44), {"id": red_id(client)}, image("white")]}).json()
    assert [result["name"] for result in answer["results"]] == ["The sea", "Rex", None]
    for result in answer["results"]:
        assert len(result["candidates"]) == 2
        assert result["score"] == result["candidates"][0]["score"] > result["candidates"][1]["score"]
        assert (result["score"] >= answer["threshold"]) == (result["name"] is not None)
    assert client.delete("/v1/names/the%20sea").json() == {"name": "The sea", "pictures": 1}
    answer = client.post("/v1/identify", json={"images": [image("blue")]}).json()
    assert [each["name"] for each in answer["results"][0]["candidates"]] == ["Rex"]


def test_names_may_hold_slashes(client: TestClient) -> None:
    teach(client, "AC/DC", image("red"))
    assert client.delete("/v1/names/AC%2FDC").json() == {"name": "AC/DC", "pictures": 1}


def test_an_image_of_the_library_is_the_one_of_its_file(client: TestClient, library_folder: Path, fake: Model) -> None:
    """The command line knows it again, and what it teaches serves the server at once."""
    teach(client, "Rex", {"id": red_id(client)})
    file = GalleryFile(library_folder / "gallery.db", fake.space_id, fake.dim, "fake")
    red = library_folder.parent / "pictures" / "a" / "red-1.png"
    assert read_example(fake, str(red)).digest == hashlib.sha256(red.read_bytes()).hexdigest()
    assert file.learn("Rex", [read_example(fake, str(red))]).known == 1
    file.learn("green", [read_example(fake, str(library_folder.parent / "pictures" / "green.png"))])
    answer = client.post("/v1/identify", json={"images": [image("green")]}).json()
    assert answer["results"][0]["candidates"][0]["name"] == "green"


def test_examples_of_a_request_serve_it_alone(serve: Serve, tmp_path: Path) -> None:
    client = serve()
    examples = [{"name": "warm", "images": [image("red"), {"image": "AAAA"}]}, {"name": "cold", "images": [image("blue")]}]
    request = {"images": [image("red", 50), {"image": "AAAA"}, image("white")], "examples": examples, "candidates": 1}
    answer = client.post("/v1/identify", json=request).json()
    warm, broken, white = answer["results"]
    assert (warm["name"], len(warm["candidates"])) == ("warm", 1)
    assert broken["error"]["code"] == "unreadable_picture"
    assert "name" not in broken
    assert white["name"] is None
    assert [(fault["name"], fault["index"], fault["error"]["code"]) for fault in answer["examples"]] == [
        ("warm", 1, "unreadable_picture")
    ]
    assert client.get("/v1/names").json() == {"names": []}
    assert not (tmp_path / "no-library").exists()


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"images": [image("red")]}, 404, "no name has been taught yet"),
        ({"images": []}, 400, "images"),
        ({"images": [{"text": "red"}]}, 400, "picture 1: expected a picture, got a text"),
        ({"images": [image("red")] * 33, "examples": [{"name": "x", "images": [image("red")] * 33}]}, 400, "at most 64"),
        ({"images": [image("red")], "examples": []}, 400, "examples"),
        ({"images": [image("red")], "examples": [{"name": " ", "images": [image("red")]}]}, 400, "a name is a word or a few"),
        ({"images": [image("red")], "examples": [{"name": "x", "images": [{"image": "AAAA"}]}]}, 400, "example 1"),
        ({"images": [image("red")], "false_accepts": 0}, 400, "false_accepts"),
        ({"images": [image("red")], "candidates": 1000}, 400, "candidates"),
        ({"images": [{"path": "/etc/passwd"}]}, 400, "expected text, image, id"),
        ({"images": [image("red")], "gallery": "/etc/passwd"}, 400, "gallery"),
    ],
)
def test_what_cannot_be_identified_says_why(serve: Serve, body: dict[str, object], code: int, message: str) -> None:
    answer = serve().post("/v1/identify", json=body)
    assert answer.status_code == code, answer.json()
    assert message in answer.json()["error"]["message"]


def test_nothing_is_learned_of_what_cannot_be_read(client: TestClient, library_folder: Path) -> None:
    for body, message in (
        ({"name": "Rex", "images": [{"image": "AAAA"}]}, "nothing was learned"),
        ({"name": "Rex", "images": [{"text": "a dog"}]}, "got a text"),
        ({"name": "\x00", "images": [image("red")]}, "a name is a word or a few"),
        ({"name": "x" * 2000, "images": [image("red")]}, "name"),
        ({"name": "Rex", "images": [image("red")] * 65}, "at most 64 pictures"),
    ):
        answer = client.post("/v1/names", json=body)
        assert answer.status_code == 400, answer.json()
        assert message in answer.json()["error"]["message"]
    assert not (library_folder / "gallery.db").exists()
    told = teach(client, "Rex", image("red"), {"image": "AAAA"}, {"id": "000000000000"})
    assert told["added"] == 1
    errors = told["errors"]
    assert isinstance(errors, list)
    assert [error["index"] for error in errors] == [1, 2]
    missing = client.delete("/v1/names/Tom")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no_name")
    assert str(library_folder) not in missing.text


def test_a_gallery_that_cannot_be_used_names_no_path(serve: Serve, library_folder: Path) -> None:
    (library_folder / "gallery.db").write_bytes(b"no gallery" * 1000)
    client = serve(library=library_folder)
    for answer in (
        client.get("/v1/names"),
        client.post("/v1/identify", json={"images": [image("red")]}),
        client.post("/v1/names", json={"name": "Rex", "images": [image("red")]}),
        client.delete("/v1/names/Rex"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gallery_unusable")
        assert str(library_folder) not in answer.text


def test_a_gallery_that_may_not_be_written_is_told(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    answer = serve(library=tmp_path / "file").post("/v1/names", json={"name": "Rex", "images": [image("red")]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gallery_unusable")


def test_names_take_the_key(serve: Serve, library_folder: Path) -> None:
    client = serve(library=library_folder, host="0.0.0.0", api_key=KEY, names=("127.0.0.1",))
    assert client.get("/v1/names").status_code == 401
    assert client.delete("/v1/names/Rex").status_code == 401
    assert client.get("/v1/names", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
