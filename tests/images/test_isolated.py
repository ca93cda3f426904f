"""Decoding in processes that can be killed, and the memory that decoded pictures may take together."""

import io
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seesay.errors import UnreadableImage
from seesay.images.decoding import isolated
from seesay.images.decoding.decode import DecodeOptions, decode_picture
from seesay.images.decoding.isolated import Decoders, needs_process
from seesay.images.decoding.memory import DECODING, Budget
from seesay.images.read import read
from tests.images.files import encode, scene


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_plain_photos_are_decoded_in_threads(format: str) -> None:
    assert not needs_process(encode(scene(), format))


@pytest.mark.parametrize("format", ["TIFF", "AVIF", "JPEG2000", "PPM"])
def test_formats_whose_work_is_not_bounded_by_their_size_are_decoded_apart(format: str) -> None:
    assert needs_process(encode(scene(), format))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_large_pictures_are_decoded_apart(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "LARGE_PIXELS", 160 * 104 - 1)
    assert needs_process(encode(scene(), format))
    monkeypatch.setattr(isolated, "LARGE_PIXELS", 160 * 104)
    assert not needs_process(encode(scene(), format))


def test_a_webp_that_claims_a_large_canvas_is_decoded_apart() -> None:
    head = b"VP8X" + (10).to_bytes(4, "little") + b"\0\0\0\0" + (9999).to_bytes(3, "little") * 2
    assert needs_process(b"RIFF" + (len(head) + 4).to_bytes(4, "little") + b"WEBP" + head)


def test_a_picture_decoded_apart_is_the_one_decoded_here() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Canon"
    data = encode(scene(), "TIFF", exif=exif)
    here, apart = decode_picture(data, "a", DecodeOptions(), DECODING.reserve), read(data)
    np.testing.assert_array_equal(np.asarray(apart.image), np.asarray(here.image))
    assert (apart.width, apart.height, apart.metadata, apart.note) == (here.width, here.height, here.metadata, here.note)


def test_faults_come_back_as_they_are() -> None:
    with pytest.raises(UnreadableImage, match="scan.tif: is damaged or cut short"):
        read(b"II*\0" + bytes(50), name="scan.tif")
    with pytest.raises(UnreadableImage, match="is 160 x 104 = 0 million pixels"):
        read(encode(scene(), "TIFF"), most_pixels=1000)


def test_one_process_serves_one_picture_after_the_other() -> None:
    decoders = Decoders(most=1)
    try:
        for _ in range(3):
            decoders.decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve)
        assert len(decoders._idle) == 1
    finally:
        decoders.close()


def slow() -> bytes:
    """A plain PPM, whose figures Pillow reads one by one: minutes of work."""
    return b"P3\n12000 12000\n255\n" + b"1 " * 50_000_000


def test_what_takes_too_long_is_given_up_and_the_next_is_decoded() -> None:
    decoders = Decoders(most=1, deadline_s=1.0)
    try:
        started = time.monotonic()
        with pytest.raises(UnreadableImage, match="took longer than 1 s to decode, and was given up") as caught:
            decoders.decode(slow(), "slow", DecodeOptions(), DECODING.reserve)
        assert caught.value.transient
        assert time.monotonic() - started < 30
        assert decoders.decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve).width == 160
    finally:
        decoders.close()


def test_a_decoder_that_dies_costs_its_picture_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        isolated, "PROGRAM", "import os, sys; sys.stdout.buffer.write(bytes(3) + b'\\2' + bytes(8) + b'{}'); os.abort()"
    )
    decoders = Decoders(most=1)
    try:
        with pytest.raises(UnreadableImage, match="is damaged: its decoder broke down"):
            decoders.decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve)
        monkeypatch.undo()
        assert decoders.decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve).width == 160
    finally:
        decoders.close()


def test_a_process_that_cannot_be_started_costs_its_picture_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(UnreadableImage, match="a: no process to decode it could be started") as caught:
        Decoders(most=1).decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve)
    assert caught.value.transient


def test_without_an_interpreter_all_is_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "POSSIBLE", False)
    assert not needs_process(encode(scene(), "TIFF"))


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_ctrl_c_is_not_for_the_process_that_decodes() -> None:
    decoders = Decoders(most=1)
    try:
        decoders.decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve)
        decoders._idle[0]._process.send_signal(signal.SIGINT)
        assert decoders.decode(encode(scene(), "TIFF"), "a", DecodeOptions(), DECODING.reserve).width == 160
    finally:
        decoders.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system bounds no memory of a process")
def test_a_process_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from seesay.images.decoding import isolated; "
    monkeypatch.setattr(isolated, "PROGRAM", program + "isolated.MEMORY = 700 * 2**20; isolated.work()")
    decoders = Decoders(most=1)
    large = encode(Image.new("RGB", (12000, 12000)), "TIFF", compression="tiff_lzw")
    try:
        with pytest.raises(UnreadableImage, match="does not fit into memory|decoder broke down"):
            decoders.decode(large, "large", DecodeOptions(), DECODING.reserve)
    finally:
        decoders.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")
def test_a_forked_process_has_decoders_of_its_own() -> None:
    mine = isolated.decoders()
    read(encode(scene(), "TIFF"))
    pid = os.fork()
    if not pid:
        isolated._end(os.getppid())  # as at its exit: the parent's go on
        good = isolated.decoders() is not mine and read(encode(scene(), "TIFF")).width == 160
        isolated.decoders().close()
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert mine._idle[0]._process.poll() is None
    assert read(encode(scene(), "TIFF")).width == 160


def test_threads_share_the_budget_and_none_waits_for_ever() -> None:
    budget, most, lock = Budget(100), 0, threading.Lock()

    def work(size: int) -> None:
        nonlocal most
        with budget.reserve(size):
            with lock:
                most = max(most, budget.reserved)
            time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(size,)) for size in (40, 50, 30, 60, 100, 10, 250, 70) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert budget.reserved == 0
    assert most == 250  # more than all of it goes alone


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")
def test_a_forked_process_has_all_of_the_budget() -> None:
    with DECODING.reserve(DECODING.bytes):
        pid = os.fork()
        if not pid:
            with DECODING.reserve(DECODING.bytes):
                os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


def test_memory_is_given_back_after_a_fault() -> None:
    for data in (b"II*\0" + bytes(50), encode(scene(), "JPEG")[:300]):
        with pytest.raises(UnreadableImage):
            read(data)
    assert DECODING.reserved == 0


def test_what_a_worker_is_sent_and_sends_is_bounded_by_its_lengths() -> None:
    stream = io.BytesIO()
    isolated._send(stream, {"name": "é"}, b"12345")
    stream.seek(0)
    assert isolated._receive(stream) == ({"name": "é"}, b"12345")
    with pytest.raises(EOFError):
        isolated._receive(stream)
