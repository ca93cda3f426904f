"""Archives of pictures: tars, as the WebDataset library writes them, and Parquet tables of paths, URLs or bytes."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seesay.errors import InputError, MissingExtra, UnreadableImage
from seesay.images.decoding.decode import MAX_BYTES
from seesay.images.decoding.formats import is_read
from seesay.library.embedding.item import Item
from seesay.library.indexing.crawl import stat
from seesay.system.paths import is_url, printable

ADDRESS_COLUMNS = ("path", "file", "file_name", "image_path", "url", "image_url")
BYTES_COLUMNS = ("image", "jpg", "png", "webp", "bytes", "data")
TABLE_ROWS = 256  # read at once; rows of bytes are as large as pictures


@dataclass(frozen=True)
class Tar:
    """The pictures of a tar, by the suffix of their names. Nothing is unpacked; links and the like are left out."""

    file: str
    count: int | None = None  # of pictures, which only its end would tell

    def read(self) -> Iterator[Item]:
        """Its pictures, whose paths are TAR/NAME. Raises UnreadableImage where it breaks off."""
        try:
            with tarfile.open(self.file, mode="r:") as tar:
                for member in tar:
                    tar.members = []  # type: ignore[attr-defined]  # else it keeps every header
                    if not member.isreg() or not is_read(Path(member.name).suffix.lower()) or member.size > MAX_BYTES:
                        continue
                    stream = tar.extractfile(member)
                    data = b"" if stream is None else stream.read()
                    yield Item(f"{self.file}/{member.name}", size=len(data), data=data)
                if 0 < os.path.getsize(self.file) - tar.offset < tarfile.BLOCKSIZE:
                    raise EOFError("it ends in the middle of a name")
        except (tarfile.TarError, OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            message = f"is a broken tar ({reason}); its pictures up to there were read"
            raise UnreadableImage(printable(self.file), message) from None


@dataclass(frozen=True)
class TablePart:
    """The pictures of one row group of a Parquet table: in files or at URLs that a column names, or as bytes in a column.

    folder: where relative paths begin.
    """

    file: str
    group: int
    column: str
    count: int

    def read(self) -> Iterator[Item]:
        """Its pictures; those of bytes are called TABLE/GROUP/ROW where no name comes with them."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        row = 0
        try:
            for batch in pq.ParquetFile(self.file).iter_batches(TABLE_ROWS, row_groups=[self.group], columns=[self.column]):
                for value in batch.column(0).to_pylist():
                    item = self._item(value, row)
                    row += 1
                    if item is not None:
                        yield item
        except (pa.ArrowException, OSError) as error:
            raise UnreadableImage(printable(self.file), f"is damaged ({error})") from None

    def _item(self, value: Any, row: int) -> Item | None:
        name = f"{self.file}/{self.group}/{row}"
        if isinstance(value, dict):  # as the library `datasets` stores images
            name = f"{self.file}/{self.group}/{value['path']}" if value.get("path") else name
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return Item(name, size=len(value), data=value)
        if not isinstance(value, str) or not value:
            return None
        if is_url(value):
            return Item(value)
        status = stat("", value)
        return Item(value) if status is None else Item(value, size=status.size, mtime_ns=status.mtime_ns)


def table_parts(file: str) -> list[TablePart]:
    """The row groups of a Parquet table of pictures. Raises InputError, MissingExtra."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("reading Parquet", "parquet") from None
    try:
        opened = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{printable(file)} is not a Parquet file that can be read: {error}") from None
    names = {name.lower(): name for name in opened.schema_arrow.names}
    column = next((names[known] for known in (*ADDRESS_COLUMNS, *BYTES_COLUMNS) if known in names), None)
    if column is None:
        known = ", ".join((*ADDRESS_COLUMNS, *BYTES_COLUMNS))
        raise InputError(f"{printable(file)}: expected a column of pictures, one of {known}; got {', '.join(names.values())}")
    groups = range(opened.metadata.num_row_groups)
    return [TablePart(file, group, column, opened.metadata.row_group(group).num_rows) for group in groups]
