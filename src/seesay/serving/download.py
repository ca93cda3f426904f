"""A file as a download, whole or a byte range of it."""

from pathlib import Path

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from seesay.serving.photos.filenames import attachment


class Download(FileResponse):
    """A range in another unit than bytes is ignored, and a malformed one is answered 416 (RFC 9110, 14.2)."""

    def __init__(self, path: Path) -> None:
        headers = {"Content-Disposition": attachment(path.name)}
        super().__init__(path, media_type="application/octet-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (name, value) for name, value in scope["headers"] if name != b"range" or value.strip().lower().startswith(b"bytes")
        ]

        async def send_range_errors(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                size = self.headers["content-length"]
                message = {**message, "status": 416, "headers": [(b"content-range", f"bytes */{size}".encode())]}
            await send(message)

        await super().__call__({**scope, "headers": headers}, receive, send_range_errors)
