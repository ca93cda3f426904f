"""Decoding in separate processes, which can be killed, for pictures that may take long or crash a decoder.

A thread inside a decoder cannot be stopped, and a crash takes the process along. The cost of a baseline photo follows from its
size; that of a TIFF, an HEIC, a JPEG 2000 or a panorama does not. Those go through a pipe to a worker process with a deadline
and a memory limit, which is killed when it exceeds them; the next picture gets a new one.

The answer consists of numbers and pixels, nothing that could be executed.
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
from seesay.images.decoding.decode import NO_MEMORY, DecodeOptions, Picture, Reserve, decode_picture
from seesay.images.decoding.formats import HEIF
from seesay.images.decoding.headers import canvas, format_of
from seesay.images.metadata import Metadata

FORMATS = ("TIFF", "AVIF", "JPEG2000", "PPM", HEIF)  # formats whose cost their size does not bound
LARGE_PIXELS = 32_000_000  # above this even a baseline photo takes seconds
LARGE_WORK = 200_000_000  # pixels times scans of a JPEG, as of a progressive photo of 20 million pixels
DEADLINE_S = 20.0
START_S = 60.0
MEMORY = 4 * 2**30  # bytes of one process
# A frozen program (Python and SeeSay in one executable) has no interpreter to start.
POSSIBLE = bool(sys.executable) and not getattr(sys, "frozen", False)
WORKERS = min(4, os.cpu_count() or 1)
# With this process's sys.path, so that the worker imports the same code.
PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from seesay.images.decoding.isolated import work; work()"


def needs_process(data: bytes) -> bool:
    """Whether a file must be decoded in a separate process."""
    kind = format_of(data)
    if kind is None or not POSSIBLE:
        return False
    if kind in FORMATS:
        return True
    width, height = canvas(data, kind)
    return width * height > LARGE_PIXELS or (kind == "JPEG" and width * height * jpeg.scans(data) > LARGE_WORK)


class Decoders:
    """A pool of worker processes, each for one picture at a time, started when a picture finds none idle."""

    def __init__(self, most: int = WORKERS, deadline_s: float = DEADLINE_S) -> None:
        self.deadline_s = deadline_s
        self._slots = threading.Semaphore(most)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def decode(self, data: bytes, name: str, options: DecodeOptions, reserve: Reserve) -> Picture:
        """Decodes like `decode_picture`. Raises UnreadableImage."""
        with self._slots:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is not None and not worker.is_ready():  # killed from outside
                worker.close()
                worker = None
            try:
                worker = worker or _Worker()
            except OSError as fault:
                reason = f"no process to decode it could be started ({fault.strerror or fault})"
                raise UnreadableImage(name, reason, transient=True) from None
            try:
                picture = worker.decode(data, name, options, reserve, self.deadline_s)
            except UnreadableImage:
                self._keep(worker)
                raise
            except BaseException:
                worker.close()
                raise
            self._keep(worker)
            return picture

    def _keep(self, worker: "_Worker") -> None:
        if worker.is_ready():
            with self._lock:
                self._idle.append(worker)
        else:
            worker.close()

    def close(self) -> None:
        """Ends all idle workers."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


class _Worker:
    """One worker process and the pipe to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders write noise there
        )
        self.alive = True
        self._late = False
        self._started = False

    def decode(self, data: bytes, name: str, options: DecodeOptions, reserve: Reserve, deadline_s: float) -> Picture:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._late = False
        try:
            if not self._started:  # a start takes longer than a picture on a busy machine
                with self._deadline(START_S):
                    _receive(self._process.stdout)
                self._started = True
            with self._deadline(deadline_s):
                _send(self._process.stdin, {"name": name, "options": asdict(options)}, data)
                answer, _ = _receive(self._process.stdout)
            if "room" in answer:
                with reserve(int(answer["room"])), self._deadline(deadline_s):
                    _send(self._process.stdin, {}, b"")
                    answer, pixels = _receive(self._process.stdout)
                    if "size" in answer:
                        return _picture(answer, pixels)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            self.alive = False
            answer = {"reason": "is damaged: its decoder broke down"}
            if self._late:  # transient: the machine may have been too busy
                answer = {"reason": f"took longer than {deadline_s:g} s to decode, and was given up", "transient": True}
        # Raised outside the except clause: as the context of another error it would keep the pixels that had arrived alive.
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

    def is_ready(self) -> bool:
        """Whether it can take another picture; its deadline may have passed just when it finished."""
        return self.alive and not self._late and self._process.poll() is None

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # the rest of the request has no reader
                    stream.close()
        self._process.wait()


_pools: dict[int, Decoders] = {}  # by process id: a forked child must not share its parent's
_pools_lock = threading.Lock()


def decoders() -> Decoders:
    """The pool of this process, which ends with it."""
    with _pools_lock:
        if (pid := os.getpid()) not in _pools:
            _pools[pid] = Decoders()
            atexit.register(_end, pid)
        return _pools[pid]


def _end(pid: int) -> None:
    if pid == os.getpid():  # a forked child inherits the exit handler
        _pools[pid].close()


def _after_fork() -> None:
    """Replaces the lock: the thread that may have held it does not exist in the child."""
    global _pools_lock
    _pools_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _picture(answer: dict[str, Any], pixels: bytes) -> Picture:
    image = Image.frombytes("RGB", tuple(answer["size"]), pixels)
    return Picture(image, answer["width"], answer["height"], Metadata(**answer["metadata"]), answer["note"])


# In the worker process


def work() -> None:
    """Decodes requests from stdin until it ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # prints must not get between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes stdin
    _bound_memory()
    _send(answers, {}, b"")
    with suppress(EOFError, BrokenPipeError):
        while True:
            _answer(requests, answers)


def _answer(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers one request. The picture is freed on return."""
    order, data = _receive(requests)
    reserved = False

    @contextmanager
    def reserve(bytes: int) -> Iterator[None]:
        nonlocal reserved
        if not reserved:  # a second attempt, after a repair, has its memory already
            reserved = True
            _send(answers, {"room": bytes}, b"")
            _receive(requests)
        yield

    try:
        picture = decode_picture(data, order["name"], DecodeOptions(**order["options"]), reserve)
        facts: dict[str, Any] = {"width": picture.width, "height": picture.height, "note": picture.note}
        facts |= {"size": picture.image.size, "metadata": asdict(picture.metadata)}
        _send(answers, facts, picture.image.tobytes())
    except UnreadableImage as fault:
        _send(answers, {"reason": fault.reason, "transient": fault.transient}, b"")
    except MemoryError:
        _send(answers, {"reason": NO_MEMORY, "transient": True}, b"")


def _bound_memory() -> None:
    try:
        import resource  # not on every system
    except ImportError:
        return
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ValueError, OSError):  # a lower limit is set already, or the system has none
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
