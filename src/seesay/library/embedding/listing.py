"""`Listing`: what the inputs of one shard hold, found before anything is encoded."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seesay.errors import UnreadableText
from seesay.library.embedding.archives import TablePart, Tar, table_parts
from seesay.library.embedding.item import Batch, Item
from seesay.library.embedding.shard import Shard
from seesay.library.indexing.crawl import Crawl, is_text_list, stat
from seesay.library.indexing.report import Failure
from seesay.library.indexing.texts import parse_texts
from seesay.system.paths import absolute, is_url

Archive = Tar | TablePart


@dataclass
class Listing:
    """Texts of lists, pictures, archives of pictures, and texts given by themselves: only the shard's, each once.

    roots: absolute paths of what was given, as `seesay index` would take them. failed: what could not be listed. skipped: files
    of kinds that are not read, counted by the first shard alone.
    """

    shard: Shard
    texts: list[Item] = field(default_factory=list)
    pictures: list[Item] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)
    loose: list[Item] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """Items, as far as they are known."""
        return len(self.texts) + len(self.pictures) + len(self.loose) + sum(each.count or 0 for each in self.archives)

    def units(self) -> Iterator[Batch | Archive]:
        """All items in order, in parts of which each can be read by itself."""
        yield Batch(tuple(self.texts))
        yield Batch(tuple(self.pictures))
        yield from self.archives
        yield Batch(tuple(self.loose))


def list_items(inputs: Sequence[str], texts: Sequence[str], shard: Shard) -> Listing:
    """Files, folders, URLs, lists of texts, tars and Parquet tables, and texts -> those items that the shard takes.

    A folder's pictures are dealt by their names below it, so every machine that sees it deals alike, wherever it is mounted.
    Raises InputError, MissingExtra for a table that cannot be used.
    """
    listing = Listing(shard)
    archives: list[Archive] = []
    for path in dict.fromkeys(inputs):
        if is_url(path):
            if shard.takes(path):
                listing.pictures.append(Item(path))
            continue
        listing.roots.append(absolute(path))
        if os.path.isdir(path):
            _add_folder(listing, path)
        elif is_text_list(path):
            _add_texts(listing, path)
        elif path.lower().endswith(".tar"):
            listing.roots.pop()
            archives.append(Tar(path))
        elif path.lower().endswith(".parquet"):
            listing.roots.pop()
            archives += table_parts(path)
        elif shard.takes(os.path.basename(path)):
            status = stat("", path)
            listing.pictures.append(Item(path, size=status.size, mtime_ns=status.mtime_ns) if status else Item(path))
    listing.archives = [each for at, each in enumerate(archives) if shard.takes_nth(at)]
    listing.pictures = list(dict.fromkeys(listing.pictures))
    listing.loose = [Item(None, text=text) for text in dict.fromkeys(texts) if shard.takes(text)]
    return listing


def _add_folder(listing: Listing, folder: str) -> None:
    crawl = Crawl(folder)
    for file in crawl:
        if listing.shard.takes(file.path.replace(os.sep, "/")):
            listing.pictures.append(Item(os.path.join(folder, file.path), size=file.size, mtime_ns=file.mtime_ns))
    if listing.shard.number == 1:
        listing.failed += crawl.blind
        listing.skipped.update(crawl.by_kind())


def _add_texts(listing: Listing, path: str) -> None:
    """The lines of a list are dealt one by one."""
    try:
        status, data = stat("", path), Path(path).read_bytes()
        lines = parse_texts(data, path)
    except UnreadableText as error:
        listing.failed.append(Failure(path, str(error)))
    except OSError as error:
        listing.failed.append(Failure(path, f"cannot be read ({error.strerror})"))
    else:
        size, mtime_ns = (status.size, status.mtime_ns) if status else (len(data), None)
        name = os.path.basename(path)
        listing.texts += [
            Item(path, line, text, size, mtime_ns) for line, text in lines if listing.shard.takes(f"{name}:{line}")
        ]
