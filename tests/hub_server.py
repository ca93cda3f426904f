"""A hub on loopback: repositories with the answers and headers that the hub library expects, and faults on demand.

    with HubServer() as hub:
        hub.add("owner/name", {"config.json": b"{}", "model.safetensors": weights})
        hub.add("owner/clip", folder)
        subprocess.run(..., env={"HF_ENDPOINT": hub.url, "HF_HOME": ...})

Files of more than 1,000 bytes, and weights of any size, are "large": answered by a redirect to storage, and named by their
SHA-256. Small ones are sent at once and named by their git hash. Plain files for `url_file`: hub.plain(path, data).
"""

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

WEIGHTS = (".safetensors", ".bin", ".pt", ".onnx")


@dataclass
class Repo:
    files: dict[str, bytes]
    gated: bool = False  # only the token "good" may read it
    commit: str = field(init=False)

    def __post_init__(self) -> None:
        listed = sorted((name, hashlib.sha1(data).hexdigest()) for name, data in self.files.items())
        self.commit = hashlib.sha1(repr(listed).encode()).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(name: str, data: bytes) -> bool:
    return len(data) > 1000 or name.endswith(WEIGHTS)


class HubServer(ThreadingHTTPServer):
    """`asked` keeps (method, path, Range) of every request. The faults apply to storage and plain files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.storage_url = f"http://localhost:{self.server_port}"  # large files are redirected to another host, as on real hubs
        self.repos: dict[str, Repo] = {}
        self.stored: dict[str, bytes] = {}  # by path
        self.asked: list[tuple[str, str, str]] = []
        self.tokens: list[tuple[str, str]] = []  # (path, Authorization)
        self.breaks: list[int] = []  # each of the next answers ends after so many bytes
        self.damages = 0  # so many of the next answers have a wrong byte
        self.does_ranges = True
        self.fails: list[int] = []  # statuses of the next answers
        self.busy: dict[str, list[str]] = {}  # by part of a path: Retry-After of the next answers, which are 429
        self.lies: dict[str, bytes] = {}  # by name: what is sent in place of a repository's small file
        self.moved: dict[str, str] = {}  # old name of a repository -> its new one
        self.stated_bytes: dict[str, int] = {}  # by name: a size that the listing states, for files too large for a test
        self.chunk_s = 0.0  # pause before every 10,000 bytes
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> "HubServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def add(self, name: str, files: dict[str, bytes] | Path, *, gated: bool = False) -> Repo:
        """A repository with these files, or a new version of it. Its older commits are forgotten."""
        if isinstance(files, Path):
            folder = files
            files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        self.repos[name] = repo = Repo(files, gated)
        for file, data in files.items():
            if is_large(file, data):
                self.stored[f"/storage/{sha256(data)}"] = data
        return repo

    def plain(self, path: str, data: bytes) -> str:
        """The URL of a file outside of any repository."""
        self.stored[path] = data
        return self.url + path

    def downloads(self) -> list[tuple[str, str]]:
        """(path, Range) of the requests for contents, in order."""
        return [(path, span) for method, path, span in self.asked if method == "GET" and path in self.stored]

    def handle_error(self, *_: object) -> None:
        """A client that is killed half way is not this server's fault."""


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append((self.command, path, self.headers.get("Range", "")))
        self.server.tokens.append((path, self.headers.get("Authorization", "")))
        waits = next((waits for part, waits in self.server.busy.items() if part in path and waits), None)
        old = next((name for name in self.server.moved if f"/{name}" in path), None)
        if waits:
            self._send(429, **{"Retry-After": waits.pop(0)})
        elif old:
            self._send(307, Location=self.path.replace(old, self.server.moved[old], 1))
        elif path in self.server.stored:
            self._stored(self.server.stored[path])
        elif path.startswith("/api/models/"):
            self._api(path.removeprefix("/api/models/"))
        elif "/resolve/" in path:
            self._resolve(*path[1:].split("/resolve/", 1))
        else:
            self._send(404)

    def _repo(self, name: str, revision: str) -> Repo | None:
        """The repository, or None once the refusal is sent."""
        repo = self.server.repos.get(name)
        known = self.headers.get("Authorization") == "Bearer good"
        if repo is None:
            self._refuse(401, "RepoNotFound", "Invalid username or password.")  # so hubs answer who is not logged in
        elif repo.gated and not known:
            status = 403 if self.headers.get("Authorization") else 401
            self._refuse(status, "GatedRepo", f"Access to model {name} is restricted.")
        elif revision not in ("main", repo.commit):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return repo
        return None

    def _api(self, path: str) -> None:
        name, _, rest = path.partition("/revision/")
        listing = "/tree/" in path
        if listing:
            name, _, rest = path.partition("/tree/")
        repo = self._repo(name, rest or "main")
        if repo is None:
            return
        if listing:
            self._json([self._entry(file, data) for file, data in sorted(repo.files.items())])
        else:
            blobs = "blobs=" in urlsplit(self.path).query
            siblings = [self._sibling(file, data, blobs) for file, data in sorted(repo.files.items())]
            self._json({"_id": "0" * 24, "id": name, "modelId": name, "sha": repo.commit, "tags": [], "siblings": siblings})

    def _sibling(self, file: str, data: bytes, blobs: bool) -> dict[str, object]:
        if not blobs:
            return {"rfilename": file}
        stated = self.server.stated_bytes.get(file, len(data))
        sibling: dict[str, object] = {"rfilename": file, "size": stated, "blobId": git_hash(data)}
        if is_large(file, data):
            sibling["lfs"] = {"sha256": sha256(data), "size": stated, "pointerSize": 130}
        return sibling

    def _entry(self, file: str, data: bytes) -> dict[str, object]:
        entry: dict[str, object] = {"type": "file", "path": file, "size": len(data), "oid": git_hash(data)}
        if is_large(file, data):
            entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
        return entry

    def _resolve(self, name: str, rest: str) -> None:
        revision, _, file = rest.partition("/")
        repo = self._repo(name, revision)
        if repo is None:
            return
        commit = {"X-Repo-Commit": repo.commit}
        if file not in repo.files:
            self._refuse(404, "EntryNotFound", "Entry not found", **commit)
        elif is_large(file, data := repo.files[file]):
            key = sha256(data)
            linked = {"X-Linked-ETag": f'"{key}"', "X-Linked-Size": str(len(data))}
            self._send(302, Location=f"{self.server.storage_url}/storage/{key}", **commit, **linked)
        else:
            self._send(200, self.server.lies.get(file, data), ETag=f'"{git_hash(data)}"', **commit)

    def _stored(self, data: bytes) -> None:
        server = self.server
        if self.command == "GET" and server.fails:
            self._send(server.fails.pop(0))
            return
        etag, span = f'"{sha256(data)}"', self.headers.get("Range", "")
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and server.does_ranges else 0
        if start and self.headers.get("If-Range", etag) != etag:
            start = 0
        if start >= len(data) > 0:
            self._send(416, **{"Content-Range": f"bytes */{len(data)}"})
            return
        body = data[start:]
        if self.command == "GET" and server.damages:
            server.damages -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        part = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        until = server.breaks.pop(0) if self.command == "GET" and server.breaks else None
        self._send(206 if start else 200, body, until, ETag=etag, **part)

    def _refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        error = {"X-Error-Code": code, "X-Error-Message": message}
        self._send(status, json.dumps({"error": message}).encode(), **error, **headers)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes = b"", until: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Accept-Ranges": "bytes", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for i in range(0, len(body) if until is None else until, 10_000):
            if self.server.chunk_s:
                time.sleep(self.server.chunk_s)
            self.wfile.write(body[i : min(i + 10_000, until or len(body))])
        if until is not None:
            self.close_connection = True
