"""The border to other libraries' parsers, which on damaged and hostile files raise whatever they stumble over."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seesay.errors import CheckpointError, SeeSayError, first_sentence


@contextmanager
def reading(file: Path, kind: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a CheckpointError that names the file and what it should be; errors of ours pass."""
    try:
        yield
    except SeeSayError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {first_sentence(error)}".rstrip(": ")
        raise CheckpointError(f"{file} is not {kind} that can be read: {reason}") from None
