"""Decoding in processes of their own, for pictures that a thread could not give up.

A thread inside a decoder cannot be stopped, and a decoder that fails badly takes its process along. What a baseline photo costs
is known from its size; what a TIFF, an HEIC, a JPEG 2000 or a panorama costs is not. Those go through a pipe to a process that
has a deadline and a bound on its memory, and that is ended where it exceeds them; the next picture has a new one.

What comes back is figures and pixels, nothing that could run.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import IO, Any

from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.decoding import jpeg
from seesay.images.decoding.decode import NO_MEMORY, Picture, Room, Wanted, decoded
from seesay.images.decoding.formats import HEIF
from seesay.images.decoding.headers import canvas, format_of
from seesay.images.metadata import Metadata

FORMATS = ("TIFF", "AVIF", "JPEG2000", "PPM", HEIF)  # whose work their size does not bound
LARGE_PIXELS = 32_000_000  # above it even a plain photo takes seconds
LARGE_WORK = 200_000_000  # pixels times scans of a JPEG; a progressive photo of 20 million has so many
DEADLINE_S = 20.0
START_S = 60.0
MEMORY = 4 * 2**30  # bytes of one process
# Inside a program that was made of Python and SeeSay there is no interpreter to start.
POSSIBLE = bool(sys.executable) and not getattr(sys, "frozen", False)
WORKERS = min(4, os.cpu_count() or 1)
# sys.path as it is here, so that the same code is found however it was started.
PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from seesay.images.decoding.isolated import work; work()"


def needed(data: bytes) -> bool:
    """Whether a file should not be decoded in a thread."""
    kind = format_of(data)
    if kind is None or not POSSIBLE:
        return False
    if kind in FORMATS:
        return True
    width, height = canvas(data, kind)
    return width * height > LARGE_PIXELS or (kind == "JPEG" and width * height * jpeg.scans(data) > LARGE_WORK)


class Decoders:
    """Processes that decode one picture at a time each, started when there is one to decode and none that is free."""

    def __init__(self, most: int = WORKERS, deadline_s: float = DEADLINE_S) -> None:
        self.deadline_s = deadline_s
        self._slots = threading.Semaphore(most)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def decode(self, data: bytes, name: str, wanted: Wanted, room: Room) -> Picture:
        """As `decoded`. Raises UnreadableImage."""
        with self._slots:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is not None and not worker.there():  # somebody else has ended it
                worker.close()
                worker = None
            try:
                worker = worker or _Worker()
            except OSError as fault:
                reason = f"no process to decode it could be started ({fault.strerror or fault})"
                raise UnreadableImage(name, reason, transient=True) from None
            try:
                picture = worker.decode(data, name, wanted, room, self.deadline_s)
            except UnreadableImage:
                self._keep(worker)
                raise
            except BaseException:
                worker.close()
                raise
            self._keep(worker)
            return picture

    def _keep(self, worker: "_Worker") -> None:
        if worker.there():
            with self._lock:
                self._idle.append(worker)
        else:
            worker.close()

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()


class _Worker:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # where decoders write what nobody asked for
        )
        self.alive = True
        self._late = False
        self._started = False

    def decode(self, data: bytes, name: str, wanted: Wanted, room: Room, deadline_s: float) -> Picture:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._late = False
        try:
            if not self._started:  # on a busy machine that takes longer than a picture
                with self._deadline(START_S):
                    _receive(self._process.stdout)
                self._started = True
            with self._deadline(deadline_s):
                _send(self._process.stdin, {"name": name, "wanted": asdict(wanted)}, data)
                answer, _ = _receive(self._process.stdout)
            if "room" in answer:
                with room(int(answer["room"])), self._deadline(deadline_s):
                    _send(self._process.stdin, {}, b"")
                    answer, pixels = _receive(self._process.stdout)
                    if "size" in answer:
                        return _picture(answer, pixels)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            self.alive = False
            answer = {"reason": "is damaged: its decoder broke down"}
            if self._late:  # for which the machine may have been too busy
                answer = {"reason": f"took longer than {deadline_s:g} s to decode, and was given up", "transient": True}
        # Raised here, it holds on to none of the pixels that had arrived, as it would by the fault that it followed.
        raise UnreadableImage(name, str(answer.get("reason")), transient=bool(answer.get("transient")))

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def there(self) -> bool:
        """Whether it can take another picture; it may have been given up just when it was done."""
        return self.alive and not self._late and self._process.poll() is None

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was still to be written has nobody to read it
                    stream.close()
        self._process.wait()


_pools: dict[int, Decoders] = {}  # by process: one that was forked off must not share its parent's
_pools_lock = threading.Lock()


def decoders() -> Decoders:
    """Those of this process, which end with it."""
    with _pools_lock:
        if (pid := os.getpid()) not in _pools:
            _pools[pid] = Decoders()
            atexit.register(_end, pid)
        return _pools[pid]


def _end(pid: int) -> None:
    if pid == os.getpid():  # a forked process has inherited this, too
        _pools[pid].close()


def _after_fork() -> None:
    """A thread that held the lock is not in the new process to let go of it."""
    global _pools_lock
    _pools_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _picture(answer: dict[str, Any], pixels: bytes) -> Picture:
    image = Image.frombytes("RGB", tuple(answer["size"]), pixels)
    return Picture(image, answer["width"], answer["height"], Metadata(**answer["metadata"]), answer["note"])


# Inside the process


def work() -> None:
    """Decodes what arrives until nothing does."""
    arriving, leaving = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may get between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the one who asks; this one ends with it
    _bound_memory()
    _send(leaving, {}, b"")
    with suppress(EOFError, BrokenPipeError):
        while True:
            _answer(arriving, leaving)


def _answer(arriving: IO[bytes], leaving: IO[bytes]) -> None:
    """One picture; what it took is given back at the end."""
    order, data = _receive(arriving)
    asked = False

    @contextmanager
    def room(bytes: int) -> Iterator[None]:
        nonlocal asked
        if not asked:  # a file that is mended and tried again has its room
            asked = True
            _send(leaving, {"room": bytes}, b"")
            _receive(arriving)
        yield

    try:
        picture = decoded(data, order["name"], Wanted(**order["wanted"]), room)
        facts: dict[str, Any] = {"width": picture.width, "height": picture.height, "note": picture.note}
        facts |= {"size": picture.image.size, "metadata": asdict(picture.metadata)}
        _send(leaving, facts, picture.image.tobytes())
    except UnreadableImage as fault:
        _send(leaving, {"reason": fault.reason, "transient": fault.transient}, b"")
    except MemoryError:
        _send(leaving, {"reason": NO_MEMORY, "transient": True}, b"")


def _bound_memory() -> None:
    try:
        import resource  # not on every system
    except ImportError:
        return
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ValueError, OSError):  # the user's own bound is lower, or the system has none
        return


def _send(stream: IO[bytes], facts: dict[str, Any], data: bytes) -> None:
    head = json.dumps(facts).encode()
    stream.write(len(head).to_bytes(4, "big") + len(data).to_bytes(8, "big") + head)
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    lengths = _exactly(stream, 12)
    head = json.loads(_exactly(stream, int.from_bytes(lengths[:4], "big")))
    if not isinstance(head, dict):
        raise ValueError("expected an object")
    return head, _exactly(stream, int.from_bytes(lengths[4:], "big"))


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
