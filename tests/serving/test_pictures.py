"""What clients send as a picture: bytes within limits, and nothing that makes the server look elsewhere."""

import base64
import ipaddress
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from seesay.errors import InputError, UnreadableImage
from seesay.images.decoding.memory import BLOCK, DECODING
from seesay.model import Model
from seesay.serving.photos.uploads import fetched, pixels, public
from seesay.serving.settings import Settings
from tests.images.files import encode, scene
from tests.picture_server import Server, png, sends
from tests.serving.conftest import Serve, data_uri, encoded

CLOSED, OPEN = Settings(), Settings(allow_urls=True)


def test_data_uris_and_base64_are_the_same_picture(fake: Model) -> None:
    made = pixels(fake, data_uri("red"), "picture 1", CLOSED)
    assert made.shape == (1, 3, fake.image_spec.size_px, fake.image_spec.size_px)
    np.testing.assert_array_equal(made, pixels(fake, encoded("red"), "picture 1", CLOSED))
    plain = encoded("red", (41, 31))  # of a size whose base64 is padded, and holds signs of both alphabets
    assert plain.endswith("=")
    assert "+" in plain or "/" in plain
    wanted = pixels(fake, plain, "picture 1", CLOSED)
    url_safe = plain.replace("+", "-").replace("/", "_")
    for form in (url_safe, plain.rstrip("="), url_safe.rstrip("="), f"data:image/png;base64,{url_safe.rstrip('=')}"):
        np.testing.assert_array_equal(wanted, pixels(fake, form, "picture 1", CLOSED))
    folded = "\n".join(encoded("red")[at : at + 20] for at in range(0, len(encoded("red")), 20))
    np.testing.assert_array_equal(made, pixels(fake, folded, "picture 1", CLOSED))
    np.testing.assert_array_equal(made, fake.preprocess(png("red")))


@pytest.mark.parametrize(
    "sent",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "~/.ssh/id_rsa",
        "file:///etc/passwd",
        "ftp://example.org/a.png",
        "C:\\pictures\\a.png",
        "\\\\server\\share\\a.png",
        "data:,hello",
        "data:image/png,abc",
        "data:text/html;base64,PGh0bWw+",
        "",
        "AAAA",
        "%%%",
    ],
)
def test_paths_and_nonsense_are_refused(fake: Model, sent: str) -> None:
    with pytest.raises(UnreadableImage) as fault:
        pixels(fake, sent, "picture 3", OPEN)
    assert fault.value.source == "picture 3"
    assert "root:" not in str(fault.value)


def test_limits_of_bytes_and_pixels(fake: Model) -> None:
    with pytest.raises(UnreadableImage, match="is larger than 0.0009"):
        pixels(fake, encoded("red", (400, 400), "BMP"), "picture 1", Settings(picture_bytes=1000))
    with pytest.raises(UnreadableImage, match="40 x 30 = 0 million pixels; at most 0 are read"):
        pixels(fake, encoded("red"), "picture 1", Settings(pixels=1000))


def bomb(width: int, height: int) -> str:
    """A PNG of a few hundred bytes that says that it is enormous."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return base64.b64encode(whole).decode()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bombs_are_not_unpacked(fake: Model) -> None:
    for size in ((50_000, 50_000), (11_000, 11_000)):
        with pytest.raises(UnreadableImage, match="million pixels"):
            pixels(fake, bomb(*size), "picture 1", CLOSED)


def test_formats_that_run_programs_are_never_reached(fake: Model) -> None:
    for start in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", b"8BPS\0\1" + b"\0" * 40, b"SIMPLE  =" + b" " * 100):
        with pytest.raises(UnreadableImage, match="is not a picture that SeeSay reads"):
            pixels(fake, base64.b64encode(start).decode(), "picture 1", CLOSED)


def test_urls_are_refused_unless_allowed(server: Server) -> None:
    url = server.url("/a.png", sends(png()))
    with pytest.raises(UnreadableImage, match="does not fetch"):
        fetched(url, "picture 1", CLOSED)
    with pytest.raises(UnreadableImage, match="cannot be fetched"):
        fetched(url, "picture 1", OPEN)  # loopback
    assert server.asked == []


def test_why_a_url_cannot_be_fetched_is_not_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or clients would learn which names, ports and pages there are inside."""
    monkeypatch.setattr("seesay.serving.photos.uploads.public", lambda address: True)
    refused = server.url("/page", sends(b"<p>", kind="text/html"))
    missing = server.url("/none.png", sends(status=404))
    messages = set()
    for url in (refused, missing, "http://127.0.0.1:1/a.png", "http://no-such-host.invalid/a.png", "http://10.0.0.1:x/"):
        with pytest.raises(UnreadableImage) as fault:
            fetched(url, "picture 1", OPEN)
        messages.add(str(fault.value))
    assert len(messages) == 1


def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look names up anew, and connect where it likes."""
    monkeypatch.setattr("seesay.serving.photos.uploads.public", lambda address: True)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert fetched(server.url("/a.png", sends(png())), "picture 1", OPEN) == png()


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.png",
        "http://2130706433/a.png",
        "http://0x7f.1/a.png",
        "http://0/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "http://127.0.0.1\\@example.org/a.png",
        "http://example.org@127.0.0.1/a.png",
        "https://user:secret@example.org/a.png",
        "http:///a.png",
        "HTTP://LOCALHOST/a.png",
    ],
)
def test_addresses_inside_are_never_fetched(url: str) -> None:
    with pytest.raises(UnreadableImage) as fault:
        fetched(url, "picture 1", OPEN)
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",  # shared by carriers
        "169.254.169.254",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "2002:0a00:0001::",  # 6to4 of 10.0.0.1
        "2002:7f00:0001::",  # of 127.0.0.1
        "2002:a9fe:a9fe::",  # of 169.254.169.254
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo of 10.0.0.1
        "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
        "64:ff9b::7f00:1",  # of 127.0.0.1
        "64:ff9b:1::a00:1",  # of a network's own (RFC 8215)
        "::10.0.0.1",
        "fe80::1",
        "fec0::1",  # site-local
        "feff::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_anybodys(address: str) -> None:
    assert not public(ipaddress.ip_address(address))


def test_public_addresses() -> None:
    for address in ("1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"):
        assert public(ipaddress.ip_address(address))


def test_what_a_public_server_redirects_to_is_checked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host passes as if it were public; the one that it points to is looked at anew."""
    looked: list[str] = []

    def once(address: object) -> bool:
        looked.append(str(address))
        return len(looked) == 1

    monkeypatch.setattr("seesay.serving.photos.uploads.public", once)
    inside = server.url("/secret", sends(png()))
    url = server.url("/a.png", lambda handler: redirect(handler, inside))
    with pytest.raises(UnreadableImage, match="cannot be fetched"):
        fetched(url, "picture 1", OPEN)
    assert [path for path, _ in server.asked] == ["/a.png"]
    assert looked == ["127.0.0.1", "127.0.0.1"]


def redirect(handler: object, where: str) -> None:
    handler.send_response(302)  # type: ignore[attr-defined]
    handler.send_header("Location", where)  # type: ignore[attr-defined]
    handler.send_header("Content-Length", "0")  # type: ignore[attr-defined]
    handler.end_headers()  # type: ignore[attr-defined]


def test_fetched_pictures_have_a_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seesay.serving.photos.uploads.public", lambda address: True)
    url = server.url("/a.png", sends(png()))
    assert fetched(url, "picture 1", OPEN) == png()
    with pytest.raises(UnreadableImage, match="of at most 1.90735e-05 MB"):
        fetched(url, "picture 1", Settings(allow_urls=True, picture_bytes=20))


def test_a_text_is_no_picture(fake: Model) -> None:
    with pytest.raises(InputError):
        pixels(fake, "a dog on grass", "picture 1", CLOSED)


def test_pictures_made_to_keep_a_decoder_busy_cost_themselves_only(serve: Serve) -> None:
    client = serve()
    data = encode(scene(), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    busy = base64.b64encode(data[:-2] + scan * 2000 + b"\xff\xd9").decode()
    damaged = base64.b64encode(encode(scene(), "TIFF")[:200]).decode()
    answer = client.post("/v1/embeddings", json={"input": [{"image": busy}, {"image": damaged}, {"image": data_uri("red")}]})
    first, second, third = answer.json()["data"]
    assert "scans; at most 100 are decoded" in first["error"]["message"]
    assert "is damaged or cut short" in second["error"]["message"]
    assert third["embedding"] is not None
    assert DECODING.reserved == 0
    assert Image.core.get_block_size() == BLOCK  # type: ignore[attr-defined]
