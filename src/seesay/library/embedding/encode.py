"""Encodes items in order: reading and decoding run ahead in threads, towers get whole batches, memory stays bounded."""

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seesay.errors import DamagedImage, UnreadableImage
from seesay.images.read import read_bytes
from seesay.library.embedding.item import Item
from seesay.library.indexing.facts import DecodedFacts, decode
from seesay.library.indexing.report import Failure
from seesay.model import IMAGE_BATCH, Model
from seesay.system.cpu import available_cores
from seesay.system.paths import is_url, printable
from seesay.system.prefetch import prefetch

TEXT_ROWS = 1024


class Row(NamedTuple):
    """A vector (D,) float32 and its item. digest, facts: of a picture, the SHA-256 of its bytes and what decoding told."""

    item: Item
    vector: np.ndarray
    digest: bytes | None = None
    facts: DecodedFacts | None = None


@dataclass
class _Read:
    """A picture after its thread is done with it: pixels to encode, or a fault."""

    item: Item
    digest: bytes = b""
    pixels: np.ndarray | None = None
    facts: DecodedFacts | None = None
    fault: str = ""


def encode_items(model: Model, items: Iterable[Item], *, threads: int | None = None) -> Iterator[Row | Failure]:
    """Items -> a row for each in order, or the failure that says why there is none.

    threads: that read and decode ahead; by default one per core. Raises MissingCapability where the model lacks a tower.
    """
    for is_text, group in groupby(items, key=lambda item: item.text is not None):
        if is_text:
            yield from _texts(model, group)
        else:
            yield from _pictures(model, group, threads or available_cores())


def _texts(model: Model, items: Iterator[Item]) -> Iterator[Row]:
    while chunk := list(islice(items, TEXT_ROWS)):
        vectors = model.encode_text([item.text or "" for item in chunk])
        yield from map(Row, chunk, vectors)


def _pictures(model: Model, items: Iterator[Item], threads: int) -> Iterator[Row | Failure]:
    batch: list[_Read] = []
    _ = model.image_spec  # a model of texts only says so once, and not of every picture
    for read in prefetch(lambda item: _read(model, item), items, threads=threads, ahead=2 * IMAGE_BATCH):
        batch.append(read)
        if len(batch) == IMAGE_BATCH:
            yield from _encode(model, batch)
            batch = []
    yield from _encode(model, batch)


def _read(model: Model, item: Item) -> _Read:
    """Runs in a thread."""
    assert item.path is not None
    name = _name(item.path)
    try:
        data = _bytes(item, name)
        bare = item._replace(data=None, size=len(data) if item.size is None and is_url(item.path) else item.size)
        pixels, facts = decode(data, model, name)
        return _Read(bare, hashlib.sha256(data).digest(), pixels, facts)
    except UnreadableImage as fault:
        return _Read(item._replace(data=None), fault=fault.reason)
    except MemoryError:
        return _Read(item._replace(data=None), fault="does not fit into memory")
    except Exception as fault:  # no single picture may end the run for all others
        return _Read(item._replace(data=None), fault=f"cannot be read ({type(fault).__name__}: {fault})")


def _name(path: str) -> str:
    if is_url(path):
        from seesay.images.fetch import printable_url

        return printable_url(path)
    return printable(path)


def _bytes(item: Item, name: str) -> bytes:
    if item.data is not None:
        return item.data
    assert item.path is not None
    if is_url(item.path):
        from seesay.images.fetch import fetch  # http and TLS take 50 ms to import

        return fetch(item.path)
    return read_bytes(Path(item.path), name)


def _encode(model: Model, batch: list[_Read]) -> Iterator[Row | Failure]:
    pixels = [read.pixels for read in batch if read.pixels is not None]
    vectors = iter(model.encode_pixels(np.stack(pixels)) if pixels else ())
    for read in batch:
        path = read.item.path or ""
        if read.facts is None:
            yield Failure(path, read.fault)
            continue
        if read.facts.note is not None:
            warnings.warn(f"{_name(path)}: {read.facts.note}", DamagedImage, stacklevel=2)
        yield Row(read.item, next(vectors), read.digest, read.facts)
