"""A server of pictures on loopback that does whatever a test wants it to."""

import io
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def png(colour: str = "red") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(stream, "PNG")
    return stream.getvalue()


class Server(ThreadingHTTPServer):
    """`answers` maps a path to what is done with the handler; `asked` keeps (path, headers) of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what most of these tests are about."""

    def url(self, path: str, answer: "Callable[[Handler], None]") -> str:
        """The URL at which `answer` will be given."""
        self.answers[path.partition("?")[0]] = answer
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.answers[self.path.partition("?")[0]](self)

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, body: bytes = b"", status: int = 200, kind: str = "image/png", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": kind, "Content_Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def sends(body: bytes = b"", **how: str | int) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(body, **how)  # type: ignore[arg-type]
