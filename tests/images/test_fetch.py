"""Fetching pictures by URL, from servers on loopback that behave, and ones that lie, stall, break off and point elsewhere."""

import ipaddress
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seesay.errors import UnreadableImage
from seesay.images.fetch import Address, Limits, fetch
from seesay.images.read import read
from seesay.model import Model
from tests.picture_server import Handler, Server, png, sends

BRIEF = Limits(bytes=100_000, seconds=5.0)


def refused(url: str, limits: Limits = BRIEF, **options: Callable[[Address], bool]) -> UnreadableImage:
    with pytest.raises(UnreadableImage) as caught:
        fetch(url, limits, **options)
    return caught.value


def test_a_picture_arrives_and_the_request_is_plain(server: Server) -> None:
    url = server.url("/a.png", sends(png()))
    assert fetch(url, BRIEF) == png()
    ((path, headers),) = server.asked
    assert path == "/a.png"
    assert headers["User-Agent"].startswith("SeeSay/")
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"
    assert not {"Cookie", "Authorization", "Referer"} & headers.keys()


def test_letters_beyond_ascii_are_encoded_once(server: Server) -> None:
    server.answers["/%E6%B5%B7%20%E8%BE%B9/a%2Fb.png"] = sends(png())
    base = f"http://127.0.0.1:{server.server_port}"
    assert fetch(f"{base}/海 边/a%2Fb.png?q=海&r=1#part", BRIEF) == png()
    assert server.asked[0][0] == "/%E6%B5%B7%20%E8%BE%B9/a%2Fb.png?q=%E6%B5%B7&r=1"


@pytest.mark.parametrize("kind", ["image/png; charset=x", "IMAGE/JPEG", "application/octet-stream", "binary/octet-stream", ""])
def test_types_that_may_be_pictures(server: Server, kind: str) -> None:
    assert fetch(server.url("/a", sends(png(), kind=kind)), BRIEF) == png()


def test_a_body_without_length_ends_with_the_connection(server: Server) -> None:
    assert fetch(server.url("/a", sends(png(), Content_Length="")), BRIEF) == png()


def test_a_chunked_body_is_put_together(server: Server) -> None:
    def chunked(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.reply(Transfer_Encoding="chunked", Content_Length="")
        for part in (png()[:10], png()[10:], b""):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    assert fetch(server.url("/a", chunked), BRIEF) == png()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: Server, status: int) -> None:
    server.url("/deep/b.png", sends(png()))
    first = server.url("/a", sends(status=status, Location="/deep/x"))
    server.url("/deep/x", sends(status=status, Location="b.png"))
    assert fetch(first, BRIEF) == png()


def test_redirects_end_after_three(server: Server) -> None:
    for i in range(4):
        server.url(f"/{i}", sends(status=302, Location=f"/{i + 1}"))
    server.url("/4", sends(png()))
    base = f"http://127.0.0.1:{server.server_port}"
    assert fetch(f"{base}/1", BRIEF) == png()
    fault = refused(f"{base}/0")
    assert fault.reason == "is redirected more than 3 times"
    assert not fault.transient
    assert refused(server.url("/loop", sends(status=302, Location="/loop"))).reason == fault.reason


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a.png", "data:image/png;base64,AAAA"])
def test_redirects_lead_only_to_http(server: Server, target: str) -> None:
    fault = refused(server.url("/a", sends(status=302, Location=target)))
    assert "only http:// and https:// are fetched, not " + target.partition(":")[0] in fault.reason


@pytest.mark.parametrize("length", ["", "20", "999999999"])
def test_too_large_whatever_the_length_says(server: Server, length: str) -> None:
    sent = []

    def endless(handler: Handler) -> None:
        handler.reply(Content_Length=length)
        for _ in range(10_000):
            handler.wfile.write(b"\0" * 10_000)
            sent.append(10_000)

    url = server.url("/a", endless)
    if length == "20":  # what is beyond the promised length is never looked at
        assert fetch(url, BRIEF) == b"\0" * 20
    else:
        fault = refused(url)
        assert fault.reason == "is larger than 0.0953674 MB, the most that is fetched"
        assert not fault.transient
    assert sum(sent) < 50_000_000


def test_a_length_that_lies_upwards_is_a_body_cut_short(server: Server) -> None:
    fault = refused(server.url("/a", sends(png()[:50], Content_Length="90")))
    assert fault.reason == "broke off after 50 of 90 bytes"
    assert fault.transient


def drip(handler: Handler) -> None:
    """A byte at a time, for ever: no single read ever times out."""
    handler.reply(Content_Length="100000")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def silence(handler: Handler) -> None:
    time.sleep(2)


@pytest.mark.parametrize("answer", [drip, drip_headers, silence])
def test_the_time_is_bounded_in_all(server: Server, answer: Callable[[Handler], None]) -> None:
    started = time.monotonic()
    fault = refused(server.url("/a", answer), replace(BRIEF, seconds=0.4))
    assert time.monotonic() - started < 1.5
    assert fault.reason == "did not arrive within 0.4 seconds"
    assert fault.transient


@pytest.mark.parametrize(
    ("how", "reason", "transient"),
    [
        ({"kind": "text/html"}, "the server sent text/html, not a picture. It is a web page; give", False),
        ({"kind": "application/json"}, "the server sent application/json, not a picture", False),
        ({"status": 404}, "the server answered 404 Not Found", False),
        ({"status": 403}, "the server answered 403 Forbidden", False),
        ({"status": 206}, "the server answered 206 Partial Content", False),
        ({"status": 302}, "the server answered 302 Found", False),
        ({"status": 503}, "the server answered 503 Service Unavailable", True),
        ({"status": 429}, "the server answered 429 Too Many Requests", True),
        ({"Content_Encoding": "gzip"}, "the server sent it packed (gzip), though asked not to", False),
    ],
)
def test_answers_that_are_no_picture(server: Server, how: dict[str, str | int], reason: str, transient: bool) -> None:
    url = server.url("/a", sends(b"x", **how))
    fault = refused(url)
    assert fault.reason.startswith(reason)
    assert fault.transient == transient
    assert str(fault).startswith(f"{url}: ")


def test_nobody_there_and_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and nobody else gets the port
        port = taken.getsockname()[1]
        fault = refused(f"http://127.0.0.1:{port}/a.png")
    assert fault.reason.startswith(f"no connection to 127.0.0.1 port {port} (")
    assert fault.transient

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fault = refused("http://pictures.test/a.png")
    assert fault.reason == "the host pictures.test cannot be found (Name or service not known)"
    assert fault.transient


def nonsense(handler: Handler) -> None:
    handler.wfile.write(b"hello\r\n\r\n")


@pytest.mark.parametrize("answer", [lambda _: None, nonsense])
def test_a_broken_answer_is_a_passing_fault(server: Server, answer: Callable[[Handler], None]) -> None:
    fault = refused(server.url("/a", answer))
    assert fault.reason.startswith("the connection broke (")
    assert fault.transient


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "only http:// and https:// are fetched, not file://"),
        ("ftp://127.0.0.1/a.png", "only http:// and https:// are fetched, not ftp://"),
        ("http:///a.png", "it has no host"),
        ("http://127.0.0.1:99999/a.png", "is not a URL that can be fetched (Port out of range 0-65535)"),
        ("http://[::1/a.png", "is not a URL that can be fetched"),
        ("http://user:secret@127.0.0.1/a.png", "holds a user name or password"),
        ("http://good.test\\@127.0.0.1/a.png", "holds a user name or password"),
    ],
)
def test_urls_that_are_not_fetched(url: str, reason: str) -> None:
    fault = refused(url)
    assert reason in fault.reason
    assert not fault.transient
    assert "secret" not in str(fault)


def test_the_policy_sees_every_hop_and_the_name_is_resolved_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves differently the second time (DNS rebinding) finds no second time."""
    lookups = []

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if lookups.count(host) == 1 else "10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    seen: list[Address] = []

    def allow(address: Address) -> bool:
        seen.append(address)
        return True

    server.url("/a", sends(status=302, Location=f"http://second.test:{server.server_port}/b"))
    server.url("/b", sends(png()))
    assert fetch(f"http://first.test:{server.server_port}/a", BRIEF, allow) == png()
    assert lookups == ["first.test", "second.test"]
    assert seen == [ipaddress.ip_address("127.0.0.1")] * 2
    assert [headers["Host"].partition(":")[0] for _, headers in server.asked] == ["first.test", "second.test"]


def test_the_policy_refuses_before_anything_is_sent(server: Server) -> None:
    url = server.url("/a", sends(png()))
    fault = refused(url, allow=lambda address: not address.is_loopback)
    assert fault.reason == "the host 127.0.0.1 is at an address that may not be fetched from"
    assert not fault.transient
    mapped = url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
    assert (
        "may not be fetched from" in refused(mapped, allow=lambda address: address != ipaddress.ip_address("127.0.0.1")).reason
    )
    assert server.asked == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and key for pictures.test, made here and trusted by nobody."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pictures.test"]
    make += ["-addext", "subjectAltName=DNS:pictures.test", "-keyout", str(file), "-out", f"{file}.crt"]
    try:
        subprocess.run(make, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the openssl command")
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_https_keeps_the_name_and_checks_the_certificate(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **options: real("127.0.0.1", port, **options))
    server.url("/a.png", sends(png()))
    url = f"https://pictures.test:{server.server_port}/a.png"
    assert "CERTIFICATE_VERIFY_FAILED" in refused(url).reason
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    assert fetch(url, BRIEF) == png()
    assert names == ["pictures.test"] * 2
    assert server.asked[0][1]["Host"] == f"pictures.test:{server.server_port}"
    assert "CERTIFICATE_VERIFY_FAILED" in refused(url.replace("pictures", "other")).reason


def test_offline_nothing_is_fetched(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    assert "SEESAY_OFFLINE is set" in refused(server.url("/a", sends(png()))).reason
    assert server.asked == []


def test_read_takes_a_url_and_the_decoder_decides(server: Server) -> None:
    picture = read(server.url("/a.png", sends(png("blue"))))
    assert (picture.width, picture.height, picture.image.getpixel((3, 3))) == (40, 30, (0, 0, 255))
    for name, body, reason in (
        ("/text.png", b"<html>", "is not a picture that SeeSay reads"),
        ("/vector", b"<svg/>", "is not a picture that SeeSay reads"),
        ("/cut.png", png()[:60], "is damaged or cut short"),
        ("/none.png", b"", r"is empty \(0 bytes\)"),
    ):
        with pytest.raises(UnreadableImage, match=f"^http://127.*{name}: {reason}"):
            read(server.url(name, sends(body)))
    with pytest.raises(UnreadableImage, match=r"^file:/etc/passwd: no such file"):
        read("file:///etc/passwd")


def test_a_bad_url_fails_alone_among_pictures(fake: Model, server: Server) -> None:
    good, bad = server.url("/red.png", sends(png("red"))), server.url("/gone.png", sends(status=404))
    results = list(fake.each_image([good, bad, png("blue"), good.upper().replace("RED.PNG", "red.png")]))
    assert [isinstance(result, UnreadableImage) for result in results] == [False, True, False, False]
    np.testing.assert_allclose(results[0], results[3], atol=1e-6)  # numpy 1 multiplies one row another way than many
    np.testing.assert_allclose(fake.encode_image(good), fake.encode_image(png("red")), atol=1e-6)


def test_in_similarity_a_url_is_a_picture_and_in_encode_text_a_text(fake: Model, server: Server) -> None:
    url = server.url("/a?size=40", sends(png("red")))
    assert fake.similarity(url, ["red", "blue"])[0].tolist() == fake.similarity(png("red"), ["red", "blue"])[0].tolist()
    asked = len(server.asked)
    fake.encode_text([url])
    assert len(server.asked) == asked
