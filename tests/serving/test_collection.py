"""The library over HTTP: searched, browsed, tagged, exported, without a word about this machine."""

import dataclasses
import io
import queue
import re
import shutil
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from seesay.errors import InputError
from seesay.images.decoding.formats import READER
from seesay.library import Filters, Library
from seesay.library.listing import listing, picture
from seesay.library.map import Map, Spot
from seesay.library.session import Session
from seesay.library.storage.rows import ItemFacts, PictureFacts
from seesay.model import Model
from seesay.serving.photos.folders import Folders
from seesay.serving.photos.thumbnails import Thumbnails
from seesay.serving.schemas.answers import Found, PictureAnswer
from tests.conftest import Paint
from tests.serving.conftest import Serve, data_uri


def search(client: TestClient, query: str, **fields: Any) -> list[dict[str, Any]]:
    answer = client.post("/v1/search", json={"query": query, **fields})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_words_pictures_and_sums(client: TestClient) -> None:
    assert {hit["name"] for hit in search(client, "red", n=2)} == {"red-1.png", "red-2.png"}
    assert search(client, "photo:mine", pictures={"mine": data_uri("blue")}, n=1)[0]["folder"].startswith("pictures/b")
    both = search(client, 'photo:a + photo:"b c"', pictures={"a": data_uri("red"), "b c": data_uri("lime")}, n=1)
    assert both[0]["name"] == "yellow.png"
    like = search(client, f"like:{both[0]['id']}", n=1)[0]
    assert (like["name"], round(like["score"], 4)) == ("yellow.png", 1)
    assert search(client, "red - red-ish + yellow", n=1)


def test_a_query_opens_no_file_and_no_url(client: TestClient, tmp_path: Path) -> None:
    there = tmp_path / "pictures" / "green.png"
    for query in (f"photo:{there}", f'photo:"{there}"', "photo:http://127.0.0.1/a.png", "photo:mine"):
        answer = client.post("/v1/search", json={"query": query, "pictures": {"other": data_uri()}})
        assert answer.status_code == 400
        assert "no picture of that name came with the query" in answer.json()["error"]["message"]
    assert client.post("/v1/search", json={"query": "photo:a", "pictures": {"a": str(there)}}).status_code == 400


def test_faults_in_a_query_show_the_place(client: TestClient) -> None:
    message = client.post("/v1/search", json={"query": 'red + "blue'}).json()["error"]["message"]
    assert message.splitlines()[1:] == ['    red + "blue', "          ^"]
    for bad in (
        {"relevant": False},
        {"likely": "yes, please"},
        {"score": "best"},
        {"filters": {"names": ["--"]}},
        {"n": 0},
        {"n": 5000},
        {"filters": {"min_px": "x"}},
        {"sort": "best"},
        {"filters": {"after": "soon"}},
        {"what": 1},
    ):
        assert client.post("/v1/search", json={"query": "red", **bad}).status_code == 400


def test_an_answer_says_which_index_gave_it(client: TestClient) -> None:
    for asked in ({}, {"exact": True}):
        assert client.post("/v1/search", json={"query": "red", "n": 1, **asked}).json()["index"] == "exact"


def test_pages_of_a_search(client: TestClient) -> None:
    first = client.post("/v1/search", json={"query": "red", "n": 4}).json()
    rest = client.post("/v1/search", json={"query": "red", "n": 4, "cursor": first["next"]}).json()
    assert "next" not in rest
    ids = [hit["id"] for hit in first["results"] + rest["results"]]
    assert len(ids) == len(set(ids)) == 6


def test_the_nearest_are_shown_and_marked(client: TestClient) -> None:
    hits = search(client, "red")
    marks = [hit["likely"] for hit in hits]
    assert len(hits) == 6
    assert marks == sorted(marks, reverse=True)  # less likely ones are the last
    likely = {hit["name"] for hit in hits if hit["likely"]}
    assert {"red-1.png", "red-2.png"} <= likely < {hit["name"] for hit in hits}
    assert all(0 <= hit["relevance"] <= 1 for hit in hits)
    assert [hit["likely"] for hit in search(client, "black")] == [False] * 6
    assert search(client, "red", likely=True) == [hit for hit in hits if hit["likely"]]
    for unmarked in (search(client, "red", score="cosine"), search(client, f"like:{hits[0]['id']}")):
        assert all("likely" not in hit and "relevance" not in hit for hit in unmarked)


def test_the_score_that_is_ordered_by(client: TestClient) -> None:
    by_cosine = [hit["score"] for hit in search(client, "red", score="cosine")]
    assert by_cosine == sorted(by_cosine, reverse=True)
    assert sorted(by_cosine, reverse=True) == sorted((hit["score"] for hit in search(client, "red")), reverse=True)


def test_what_is_called_so_comes_first(client: TestClient) -> None:
    for query, names in (("deep", {"blue-2.png"}), ("b", {"blue-1.png", "blue-2.png"}), ("Red 1", {"red-1.png"})):
        hits = search(client, query)
        assert {hit["name"] for hit in hits[: len(names)]} == names
        assert [hit.get("named", False) for hit in hits] == [True] * len(names) + [False] * (6 - len(names))


def test_parts_of_names(client: TestClient) -> None:
    assert {hit["name"] for hit in search(client, "red", filters={"names": ["BLUE"]})} == {"blue-1.png", "blue-2.png"}
    assert [hit["name"] for hit in search(client, "red", filters={"names": ["blue", "deep"]})] == ["blue-2.png"]
    assert [hit["name"] for hit in search(client, "name:deep")] == ["blue-2.png"]
    assert "blue-2.png" not in {hit["name"] for hit in search(client, "blue - name:deep")}
    columns = client.post("/v1/browse", json={"sort": "name", "filters": {"names": ["red"]}}).json()
    assert columns["names"] == ["red-1.png", "red-2.png"]


def taken(year: int) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"{year}:05:17 18:30:05"
    return exif


def test_without_a_query_all_that_passes_by_date(client: TestClient, paint: Paint, tmp_path: Path, fake: Model) -> None:
    for year in (2021, 2023, 2022):
        paint(f"{year}.jpg", exif=taken(year))
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")

    def names(**fields: Any) -> list[str]:
        return [hit["name"] for hit in search(client, **({"query": ""} | fields))]

    assert names()[:3] == ["2023.jpg", "2022.jpg", "2021.jpg"]
    assert len(names()) == 9
    assert names(sort="oldest")[:3] == ["2021.jpg", "2022.jpg", "2023.jpg"]
    assert names(query=" ", filters={"after": "2022"}) == ["2023.jpg", "2022.jpg"]
    assert all(hit.keys().isdisjoint({"score", "relevance", "likely", "named"}) for hit in search(client, ""))
    paged: list[str] = []
    answer: dict[str, Any] = {"next": None}
    while "next" in answer:
        answer = client.post("/v1/search", json={"n": 2, "cursor": answer["next"]}).json()
        paged += [hit["name"] for hit in answer["results"]]
    assert paged == names()
    for bad in ({"kind": "text"}, {"pictures": {"a": data_uri()}}, {"filters": {"min_score": 0.1}}, {"cursor": "0.3/1"}):
        refused = client.post("/v1/search", json=bad)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request"), bad


def test_the_newest_of_what_is_likely(client: TestClient, paint: Paint, tmp_path: Path, fake: Model) -> None:
    for colour, year in (("red", 2021), ("red", 2023), ("blue", 2025)):
        paint(f"{year}.jpg", colour, exif=taken(year))
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
    hits = search(client, "red", sort="newest")
    assert [hit["name"] for hit in hits[:2]] == ["2023.jpg", "2021.jpg"]
    likely = [hit["likely"] for hit in hits]
    assert likely == sorted(likely, reverse=True)
    assert "2025.jpg" in {hit["name"] for hit in hits if not hit["likely"]}
    rest = [hit["score"] for hit in hits if not hit["likely"]]
    assert rest == sorted(rest, reverse=True)
    paged = client.post("/v1/search", json={"query": "red", "sort": "newest", "n": 5}).json()
    assert paged["results"] + search(client, "red", sort="newest", cursor=paged["next"]) == hits


def test_filters_and_folders(client: TestClient) -> None:
    inside = search(client, "red", filters={"folder": "pictures/b"})
    assert {hit["name"] for hit in inside} == {"blue-1.png", "blue-2.png"}
    assert {hit["folder"] for hit in inside} == {"pictures/b", "pictures/b/deep"}
    for wrong in ("..", "pictures/../..", "/etc", "pictures//b", "other", "pictures/\0"):
        answer = client.post("/v1/search", json={"query": "red", "filters": {"folder": wrong}})
        assert answer.status_code == 400
    assert search(client, "red", filters={"min_px": 1000}) == []


def test_a_search_that_finds_nothing_says_why(client: TestClient, tmp_path: Path) -> None:
    def why(query: str, **fields: Any) -> str | None:
        answer = client.post("/v1/search", json={"query": query, **fields}).json()
        assert bool(answer["results"]) != ("nothing" in answer)
        return answer.get("nothing", {}).get("reason")  # type: ignore[no-any-return]

    assert why("red") is None
    assert why("red", filters={"min_px": 1000}) == "filters"
    assert why("photo:a", pictures={"a": data_uri("blue")}, filters={"min_px": 1000}) == "filters"
    assert why("black") is None
    unlikely = client.post("/v1/search", json={"query": "black", "likely": True, "filters": {"folder": "pictures/b"}}).json()
    assert unlikely["nothing"]["reason"] == "likely"
    assert 'without "likely"' in unlikely["nothing"]["message"]
    assert why("black", likely=True, filters={"min_px": 1000}) == "filters"
    assert why("name:nobody") == "filters"
    assert why("", filters={"names": ["nobody"]}) == "filters"
    with Library(tmp_path / "library") as library:
        library.forget(tmp_path / "pictures")
    assert why("red") == "library"


def test_texts_are_found_too(client: TestClient, tmp_path: Path, fake: Model) -> None:
    lines = ["a red dress", "blue sky", "green leaves", "blue sky", "yellow\nlemon"]
    listed = tmp_path / "pictures" / "b" / "captions.csv"
    listed.write_text("title\n" + "\n".join(f'"{line}"' for line in lines), encoding="utf-8")
    with Library(tmp_path / "library", fake) as library:
        library.index(listed)
        expected = library.search("red", kind="text", n=2)
    hits = search(client, "red", kind="text", n=2)
    assert [(hit["text"], hit["line"], hit["id"], hit["kind"]) for hit in hits] == [
        (hit.text, hit.line, hit.id, "text") for hit in expected
    ]
    assert hits[0]["text"] == "a red dress"
    assert hits[0]["line"] == 2
    assert (hits[0]["name"], hits[0]["folder"]) == ("captions.csv", "pictures/b")
    assert "width" not in hits[0]
    assert "relevance" not in hits[0]
    blue = search(client, "photo:mine", pictures={"mine": data_uri("blue")}, kind="text")
    assert [hit["text"] for hit in blue].count("blue sky") == 1
    assert blue[0]["text"] == "blue sky"
    assert {hit["kind"] for hit in search(client, "red", n=100)} == {"image"}
    first = client.post("/v1/search", json={"query": "red", "kind": "text", "n": 2}).json()
    rest = client.post("/v1/search", json={"query": "red", "kind": "text", "n": 50, "cursor": first["next"]}).json()
    assert [hit["id"] for hit in first["results"] + rest["results"]] == [
        hit["id"] for hit in search(client, "red", kind="text")
    ]
    like = search(client, f"like:{hits[0]['id']}", kind="text", n=1)  # a text's own id
    assert like[0]["id"] == hits[0]["id"]
    for route in ("", "/thumbnail", "/image", "/file"):  # a text is no picture
        assert client.get(f"/v1/items/{hits[0]['id']}{route}").status_code == 404
    assert client.post("/v1/search", json={"query": "red", "kind": "text", "sort": "newest"}).status_code == 400
    assert client.post("/v1/search", json={"query": "red", "kind": "sound"}).status_code == 400
    filtered = client.post("/v1/search", json={"query": "red", "kind": "text", "filters": {"min_px": 1}}).json()
    assert filtered["nothing"] == {"reason": "filters", "message": "no text passes the filters"}
    with Library(tmp_path / "library") as library:
        library.forget(listed)
    none = client.post("/v1/search", json={"query": "red", "kind": "text"}).json()
    assert none["nothing"] == {"reason": "library", "message": "the library holds no texts"}


def test_browsing(client: TestClient) -> None:
    columns = client.post("/v1/browse", json={"sort": "name"}).json()
    assert len(columns["ids"]) == 6
    assert columns["widths"] == [48] * 6
    assert columns["dates"] == [""] * 6
    names = [client.get(f"/v1/items/{name}").json()["name"] for name in columns["ids"]]
    assert names == ["red-1.png", "red-2.png", "blue-1.png", "blue-2.png", "green.png", "yellow.png"] == columns["names"]
    inside = client.post("/v1/browse", json={"filters": {"folder": "pictures/b"}}).json()
    assert len(inside["ids"]) == 2


def test_a_picture_and_its_small_copies(client: TestClient, tmp_path: Path) -> None:
    hit = search(client, "red", n=1)[0]
    name = hit["id"]
    described = client.get(f"/v1/items/{name}").json()
    assert described["files"] == [{"folder": "pictures/a", "name": hit["name"]}]
    for path, most in (("thumbnail?px=160", 160), ("thumbnail", 320), ("image", 2048)):
        answer = client.get(f"/v1/items/{name}/{path}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert "immutable" in answer.headers["cache-control"]
        assert max(Image.open(io.BytesIO(answer.content)).size) == min(48, most)
    original = tmp_path / "pictures" / "a" / hit["name"]
    answer = client.get(f"/v1/items/{name}/file")
    assert answer.content == original.read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="' + f'{hit["name"]}"'
    assert client.get(f"/v1/items/{name}/thumbnail?px=5000").status_code == 400
    original.unlink()
    assert client.get(f"/v1/items/{name}/image").status_code == 410
    assert client.get(f"/v1/items/{name}/thumbnail?px=640").status_code == 410
    assert client.get(f"/v1/items/{name}/thumbnail").status_code == 200  # kept
    assert client.get(f"/v1/items/{name}").json()["available"] is False


@pytest.mark.parametrize(
    "name", ["..", "../../etc/passwd", "%2e%2e%2fetc%2fpasswd", "000000000000", "0" * 12 + ":1", "x" * 5000, "%00"]
)
def test_ids_are_no_paths(client: TestClient, name: str) -> None:
    for what in ("", "/thumbnail", "/image", "/file"):
        answer = client.get(f"/v1/items/{name}{what}")
        assert answer.status_code in (404, 405)
        assert "root:" not in answer.text


def test_the_page_has_no_other_files(client: TestClient) -> None:
    for path in ("/ui/../app.py", "/ui/%2e%2e/app.py", "/ui/..%2fapp.py", "/ui//etc/passwd", "/ui/", "/ui/none.js"):
        answer = client.get(path)
        assert answer.status_code == 404, path


def test_nothing_tells_where_pictures_lie(client: TestClient, tmp_path: Path, fake: Model) -> None:
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"no picture")
    with Library(tmp_path / "library", fake) as other, other.writing():
        client.post("/v1/index")
        last = wait_for_index(client)["last"]
        locked = client.get("/v1/library")
    assert last["code"] == "library_locked"
    assert last["error"] == "the library is being written to by another process; try again when it is done"  # and not which
    client.post("/v1/index")
    wait_for_index(client)
    name = search(client, "red", n=1)[0]["id"]
    answers = [
        locked,
        client.post("/v1/search", json={"query": "red"}),
        client.post("/v1/search", json={"query": "like:000000000000"}),
        client.post("/v1/search", json={"query": "red", "filters": {"folder": "none"}}),
        client.post("/v1/export", json={"ids": ["000000000000"]}),
        client.post("/v1/embeddings", json={"input": {"id": "000000000000"}}),
        client.post("/v1/browse", json={}),
        *(
            client.get(path)
            for path in (f"/v1/items/{name}", "/v1/library", "/v1/failures", "/v1/tags", "/v1/models", "/metrics")
        ),
        client.get(f"/v1/items/{name}x"),
    ]
    for answer in answers:
        assert str(tmp_path) not in answer.text
        assert str(tmp_path.parent) not in answer.text
    failures = client.get("/v1/failures").json()["failures"]
    assert [(failure["folder"], failure["name"]) for failure in failures] == [("pictures", "broken.jpg")]


def wait_for_index(client: TestClient) -> dict[str, Any]:
    for _ in range(500):
        state: dict[str, Any] = client.get("/v1/library").json()["indexing"]
        if not state["running"]:
            return state
        time.sleep(0.01)
    raise AssertionError("still indexing")


def test_new_pictures_are_found_after_indexing(client: TestClient, paint: Paint) -> None:
    paint("new/yellow-9.png", "yellow")
    answer = client.post("/v1/index")
    assert answer.status_code == 202
    state = wait_for_index(client)
    assert (state["last"]["added"], state["last"]["failed"], state["last"]["error"]) == (1, 0, None)
    assert {hit["name"] for hit in search(client, "yellow", n=2)} == {"yellow.png", "yellow-9.png"}
    assert client.get("/v1/library").json()["pictures"] == 7


def test_what_is_passed_over_is_told_with_what_can_be_done(client: TestClient, paint: Paint) -> None:
    assert client.get("/v1/library").json()["skipped"] == []
    folder = paint("new/yellow-9.png", "yellow").parent
    for name in ("a.mp4", "b.mov", "yellow-9.dng"):
        (folder / name).write_bytes(b"x")
    client.post("/v1/index")
    wait_for_index(client)
    assert client.get("/v1/library").json()["skipped"] == [
        {"kind": "video", "files": 2, "advice": "not read by this version; a still of it can be indexed"},
        {"kind": "raw photo beside its picture", "files": 1, "advice": "the picture beside it shows the same"},
    ]


def test_a_fault_of_indexing_tells_nothing_of_the_inside(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise InputError("/home/somebody/secret: no such file or folder")

    monkeypatch.setattr("seesay.library.Library.index", broken)
    client.post("/v1/index")
    last = wait_for_index(client)["last"]
    assert (last["code"], "secret" in last["error"]) == ("server_error", False)


def test_folders_that_are_not_there_are_told_by_their_names(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    client.post("/v1/index")
    last = wait_for_index(client)["last"]
    assert (last["missing"], last["removed"], last["error"]) == (["pictures"], 0, None)
    (tmp_path / "elsewhere").rename(tmp_path / "pictures")
    client.post("/v1/index")
    assert wait_for_index(client)["last"]["missing"] == []


def test_one_index_run_at_a_time(client: TestClient, library_folder: Path, fake: Model) -> None:
    with Library(library_folder, fake) as other, other.writing():
        client.post("/v1/index")
        assert "is being written to" in wait_for_index(client)["last"]["error"]
        name = search(client, "red", n=1)[0]["id"]
        assert client.post("/v1/tags", json={"ids": [name], "add": ["x"]}).status_code == 409
    client.post("/v1/index")
    assert wait_for_index(client)["last"]["error"] is None


def test_tags(client: TestClient) -> None:
    names = [hit["id"] for hit in search(client, "red", n=2)]
    assert client.post("/v1/tags", json={"ids": names, "add": ["colour", "warm"]}).json() == {"changed": 4}
    assert client.post("/v1/tags", json={"ids": names[:1], "remove": ["warm"]}).json() == {"changed": 1}
    assert client.get("/v1/tags").json() == {"tags": [{"tag": "colour", "pictures": 2}, {"tag": "warm", "pictures": 1}]}
    assert [hit["id"] for hit in search(client, "blue", filters={"tags": ["colour", "warm"]})] == names[1:]
    assert client.get(f"/v1/items/{names[0]}").json()["tags"] == ["colour"]
    assert client.post("/v1/tags", json={"ids": ["000000000000"], "add": ["x"]}).status_code == 404
    assert client.post("/v1/tags", json={"ids": names, "add": ["\x07"]}).status_code == 400
    for route, request in (("search", {"query": "red"}), ("search", {}), ("browse", {})):
        answer = client.post(f"/v1/{route}", json={**request, "filters": {"tags": ["color"]}})
        assert answer.status_code == 400
        assert "no picture is tagged 'color'; did you mean 'colour'?" in answer.json()["error"]["message"]


def test_tags_take_room_and_have_bounds(serve: Serve, library_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(library=library_folder, waiting=8)
    service = client.app.state.service  # type: ignore[attr-defined]
    name = search(client, "red", n=1)[0]["id"]
    request = {"ids": [name], "add": ["x"]}
    service.room.enter(8)
    busy = [client.post("/v1/tags", json=request), client.get("/v1/tags")]
    service.room.leave(8)
    assert [answer.status_code for answer in busy] == [429, 429]
    many = client.post("/v1/tags", json={"ids": [name] * 5001, "add": ["x", "y"]})
    assert many.status_code == 400
    assert "at most 10000 tags of pictures (ids x tags), got 10002" in many.json()["error"]["message"]
    assert client.get("/v1/tags").json() == {"tags": []}
    assert client.post("/v1/tags", json={"ids": [name] * 5000, "add": ["x"], "remove": ["y"]}).json() == {"changed": 1}
    assert service.room.occupied == 0


def test_tagging_ends_with_its_deadline(serve: Serve, library_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(library=library_folder, deadline_s=0.3)
    name, looked = search(client, "red", n=1)[0]["id"], []
    real = Library.item

    def slow(library: Library, name: str) -> Any:
        looked.append(name)
        time.sleep(0.05)
        return real(library, name)

    monkeypatch.setattr(Library, "item", slow)
    answer = client.post("/v1/tags", json={"ids": [name] * 1000, "add": ["late"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "too_late")
    time.sleep(0.3)
    assert len(looked) < 20  # nor does its thread go on
    assert client.get("/v1/tags").json() == {"tags": []}


def test_export(client: TestClient, paint: Paint, tmp_path: Path) -> None:
    paint("other/red-1.png", "black")
    client.post("/v1/index")
    wait_for_index(client)
    names = [hit["id"] for hit in search(client, "red")]
    as_json = client.post("/v1/export", json={"ids": names})
    as_form = client.post("/v1/export", data={"ids": ",".join(names)})
    for answer in (as_json, as_form):
        assert answer.headers["content-disposition"] == 'attachment; filename="pictures.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as whole:
            assert whole.testzip() is None
            assert sorted(whole.namelist()) == [
                "blue-1.png", "blue-2.png", "green.png", "red-1 (2).png", "red-1.png", "red-2.png", "yellow.png",
            ]  # fmt: skip
            first = next(
                hit for hit in search(client, "red") if hit["folder"] == "pictures/other" or hit["name"] == "red-1.png"
            )
            path = tmp_path / first["folder"] / first["name"]
            assert path.read_bytes() in [whole.read(name) for name in ("red-1.png", "red-1 (2).png")]
    gone = search(client, "yellow", n=1)[0]
    (tmp_path / gone["folder"] / gone["name"]).unlink()
    some = client.post("/v1/export", json={"ids": ["000000000000", *names]})
    with zipfile.ZipFile(io.BytesIO(some.content)) as whole:
        assert len(whole.namelist()) == 6
    assert client.post("/v1/export", json={"ids": [gone["id"]]}).status_code == 404
    for bad in ({"ids": []}, {"ids": [1]}, {"ids": "x"}, [], {"ids": ["x"] * 1001}):
        assert client.post("/v1/export", json=bad).status_code == 400
    assert client.post("/v1/export", json={"ids": ["../../etc/passwd"]}).status_code == 404


def test_an_empty_library_is_fine(serve: Serve) -> None:
    client = serve()
    summary = client.get("/v1/library").json()
    assert (summary["pictures"], summary["folders"], summary["indexing"]["running"]) == (0, [], False)
    for answer in (
        client.post("/v1/search", json={"query": "red"}),
        client.post("/v1/index"),
        client.post("/v1/browse", json={}),
    ):
        assert answer.status_code == 404
        assert "seesay index FOLDER" in answer.json()["error"]["message"]
    assert client.get("/").status_code == 200


def test_what_there_is_to_choose_from(client: TestClient) -> None:
    summary = client.get("/v1/library").json()
    assert {entry["folder"]: entry["pictures"] for entry in summary["folders"]} == {
        "pictures": 6,
        "pictures/a": 2,
        "pictures/b": 2,
    }
    assert (summary["model"], summary["can_write"], summary["can_map"], summary["first"]) == ("fake", True, True, None)


def copies(client: TestClient) -> list[list[dict[str, Any]]]:
    for _ in range(1000):
        answer = client.get("/v1/duplicates")
        if answer.status_code == 200 and not answer.json()["looking"]:
            return [group["files"] for group in answer.json()["groups"]]
        assert answer.status_code in (200, 202), answer.text
        time.sleep(0.01)
    raise AssertionError("still looking")


def test_pictures_that_are_there_more_than_once(
    serve: Serve, client: TestClient, library_folder: Path, tmp_path: Path, fake: Model
) -> None:
    pictures = tmp_path / "pictures"
    shutil.copy(pictures / "green.png", pictures / "b" / "again.png")
    with Library(library_folder, fake) as library:
        library.index(pictures)
        expected = library.duplicates()
    found = copies(client)
    assert [[file["path"] for file in files] for files in found] == [
        [copy.path for copy in (group.keeper, *group.others)] for group in expected
    ]
    pair = next(files for files in found if {file["name"] for file in files} >= {"green.png", "again.png"})
    keeper, other = (next(file for file in pair if file["name"] == name) for name in ("green.png", "again.png"))
    assert (keeper["folder"], other["folder"]) == ("pictures", "pictures/b")
    assert keeper["id"] == other["id"] == search(client, "green", n=1)[0]["id"]
    assert (keeper["width"], keeper["height"], keeper["bytes"]) == (48, 40, (pictures / "green.png").stat().st_size)
    (pictures / "b" / "again.png").unlink()
    client.post("/v1/index")
    wait_for_index(client)
    assert "again.png" not in {file["name"] for files in copies(client) for file in files}
    key = "a-long-and-random-key"
    elsewhere = serve(library=library_folder, host="0.0.0.0", api_key=key)
    elsewhere.headers["Authorization"] = f"Bearer {key}"
    assert all(file["path"] is None for files in copies(elsewhere) for file in files)


def test_duplicates_of_an_empty_library(serve: Serve) -> None:
    answer = serve().get("/v1/duplicates")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_library")


def test_the_map(client: TestClient) -> None:
    for _ in range(3000):
        answer = client.get("/v1/map")
        if answer.status_code != 202:
            break
        time.sleep(0.02)
    assert answer.status_code == 200, answer.text
    places = answer.json()
    assert len(places["spots"]) == 6
    assert client.get("/v1/map?language=fr").status_code == 400
    sheet = Image.open(io.BytesIO(client.get("/v1/map/sheet").content))
    assert sheet.width == places["columns"] * places["side"]
    assert {spot["id"] for spot in places["spots"]} == set(client.post("/v1/browse", json={}).json()["ids"])


def test_a_map_is_there_while_the_next_is_drawn(
    client: TestClient, paint: Paint, tmp_path: Path, fake: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    go.set()

    def drawn(session: Session, **_: object) -> Map:
        """All pictures at one position, which takes no time."""
        go.wait(20)
        every = [picture(session.store, name) for name in listing(session.store, Filters(), "newest").ids]
        return Map(tuple(Spot(each.files[0], 0.5, 0.5, None) for each in every if each), (), (), (), 0)

    def settled() -> dict[str, Any]:
        while (answer := client.get("/v1/map")).status_code == 202 or answer.json()["drawing"]:
            time.sleep(0.02)
        return answer.json()  # type: ignore[no-any-return]

    monkeypatch.setattr("seesay.library.map.draw_map", drawn)
    first = settled()
    sheet = client.get(f"/v1/map/sheet?chart={first['chart']}").content
    go.clear()
    paint("new/black.png", "black")
    with Library(tmp_path / "library", fake) as library:
        library.index(tmp_path / "pictures")
    meanwhile = client.get("/v1/map")
    assert (meanwhile.status_code, meanwhile.json()) == (200, first | {"drawing": True})
    go.set()
    new = settled()
    assert (len(first["spots"]), len(new["spots"])) == (6, 7)
    assert client.get(f"/v1/map/sheet?chart={first['chart']}").content == sheet
    assert client.get(f"/v1/map/sheet?chart={new['chart']}").content != sheet


def test_how_far_a_map_is(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: queue.Queue[int] = queue.Queue()

    def drawn(session: Session, *, progress: Callable[[int, int], None], **_: object) -> Map:
        while (done := steps.get(timeout=20)) < 10:
            progress(done, 10)
        every = [picture(session.store, name) for name in listing(session.store, Filters(), "newest").ids]
        return Map(tuple(Spot(each.files[0], 0.5, 0.5, None) for each in every if each), (), (), (), 0)

    def share(language: str = "en") -> tuple[bool, float]:
        progress = client.get(f"/v1/map/progress?language={language}").json()
        return progress["drawing"], progress["share"]

    def until(wanted: tuple[bool, float]) -> None:
        for _ in range(500):
            if share() == wanted:
                return
            time.sleep(0.02)
        assert share() == wanted

    monkeypatch.setattr("seesay.library.map.draw_map", drawn)
    assert share() == (False, 0)
    assert client.get("/v1/map").status_code == 202
    assert share() == (True, 0)
    steps.put(4)
    until((True, 0.2))
    assert share("zh") == (True, 0)
    assert client.get("/v1/map?language=zh").status_code == 202
    assert share("zh") == (True, 0)
    steps.put(10)
    until((False, 1))
    assert client.get("/v1/map").status_code == 200
    assert client.get("/v1/map/progress?language=fr").status_code == 400


def test_a_map_of_too_few_pictures(serve: Serve, tmp_path: Path, fake: Model, paint: Paint) -> None:
    paint("one.png")
    with Library(tmp_path / "small", fake) as library:
        library.index(tmp_path / "pictures")
    client = serve(library=tmp_path / "small")
    for _ in range(3000):
        answer = client.get("/v1/map")
        if answer.status_code != 202:
            break
        time.sleep(0.02)
    assert answer.status_code == 400
    assert "at least 5 pictures" in answer.text


def test_names_of_folders() -> None:
    names = Folders(["/home/me/Pictures", "/mnt/disk/Pictures", "/home/me/one.jpg"])
    assert names.shown("/home/me/Pictures/2024/a.jpg") == ("Pictures/2024", "a.jpg")
    assert names.shown("/mnt/disk/Pictures/a.jpg") == ("Pictures (2)", "a.jpg")
    assert names.shown("/home/me/one.jpg") == ("", "one.jpg")
    assert names.path("Pictures (2)/x/y") == "/mnt/disk/Pictures/x/y"
    assert names.path("Pictures") == "/home/me/Pictures"


def test_thumbnails_are_kept_within_bounds(tmp_path: Path, paint: Paint) -> None:
    thumbnails = Thumbnails(tmp_path / "cache")
    path = paint("red.png")
    jpeg = thumbnails.make("0123456789ab", 160, path)
    files = list((tmp_path / "cache").rglob("*"))
    assert [file.name for file in files if file.is_file()] == [f"0123456789ab-160-{READER}.jpg"]
    shutil.rmtree(tmp_path / "pictures")
    assert thumbnails.cached("0123456789ab", 160) == jpeg
    Thumbnails(tmp_path / "cache", most_bytes=0)._evict()
    assert not list((tmp_path / "cache").rglob("*.jpg"))
    assert re.fullmatch(r"\xff\xd8.*", jpeg[:2].decode("latin-1"), re.DOTALL)


def test_thumbnails_are_kept_within_bounds_while_it_runs(tmp_path: Path, paint: Paint) -> None:
    path = paint("red.png")
    size = len(Thumbnails(None).make("0" * 12, 160, path))
    thumbnails = Thumbnails(tmp_path / "cache", most_bytes=10 * size)
    for number in range(40):
        thumbnails.make(f"{number:012x}", 160, path)
    until = time.monotonic() + 10
    while len(list((tmp_path / "cache").rglob("*.jpg"))) > 12 and time.monotonic() < until:
        time.sleep(0.02)
    assert 9 <= len(list((tmp_path / "cache").rglob("*.jpg"))) <= 12


def test_an_answer_has_every_fact_that_the_library_stores_of_a_picture() -> None:
    stored = {field.name for field in dataclasses.fields(PictureFacts)}
    assert stored <= PictureAnswer.model_fields.keys()
    assert {field.name for field in dataclasses.fields(ItemFacts)} <= Found.model_fields.keys()
