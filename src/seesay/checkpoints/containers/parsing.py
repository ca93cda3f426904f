"""Turns whatever a parser raises on a damaged or hostile file into a CheckpointError."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seesay.errors import CheckpointError, ModelError, SeeSayError, first_sentence


@contextmanager
def as_checkpoint_error() -> Iterator[None]:
    """A ModelError inside, of a file that a checkpoint comes with, becomes a CheckpointError of the same words."""
    try:
        yield
    except ModelError as error:
        raise CheckpointError(str(error)) from None


@contextmanager
def parsing(file: Path, kind: str) -> Iterator[None]:
    """Any exception inside becomes a CheckpointError with the file and its kind; SeeSay's own errors pass unchanged."""
    try:
        yield
    except SeeSayError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {first_sentence(error)}".rstrip(": ")
        raise CheckpointError(f"{file} is not {kind} that can be read: {reason}") from None
