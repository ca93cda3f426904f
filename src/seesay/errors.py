"""Every error that SeeSay raises on purpose.

SeeSayError
├── InputError              the caller passed something that cannot be used: change the call
│   ├── TextTooLong         a text does not fit the context (compat.clip, as the original)
│   ├── UnreadableImage     one picture cannot be read: missing, damaged, too large, not a picture
│   └── UnreadableText      one list of texts cannot be read
├── ModelError              a model folder is missing, incomplete or not understood
│   ├── CheckpointError     a foreign checkpoint is damaged, incomplete, or does not say what it needs to
│   ├── DownloadError       a model's file cannot be fetched: offline, not there, no permission, damaged
│   └── MissingCapability   this engine cannot do what was asked
├── LibraryError            a library of pictures cannot be used
│   ├── NoLibrary           there is none at that place
│   ├── LibraryLocked       another process is writing to it
│   └── SpaceMismatch       it holds vectors of another space than this model's
├── TrainingError           a run cannot go on: its loss or its weights are no numbers any more
├── MissingExtra            an optional dependency is not installed
└── ServerError             the HTTP server cannot answer a request
    ├── ServerBusy          more is under way than it takes on: try again later
    ├── DeadlineExceeded    the request was not answered in time
    ├── ShuttingDown        it takes no more work
    ├── AlreadyIndexing     it is indexing its folders already
    ├── ModelNotServed      it serves another model than the one asked for
    └── PictureNotFound     its library holds no picture with this id
        └── PictureUnavailable  the picture is known, but its file is missing or unreadable now

Messages say what was expected, what came, and what to do next.
"""


def first_sentence(error: BaseException) -> str:
    """Of another library's message, which may be many lines long."""
    return str(error).split("\n", 1)[0].split(". ", 1)[0][:200]


class SeeSayError(Exception):
    """Base of all errors raised on purpose; its message is meant for the user."""


class InputError(SeeSayError, ValueError):
    """The caller passed something that cannot be used."""


class UnreadableImage(InputError):
    """One picture cannot be read.

    `source` names it for messages; `reason` is the message without the name. `transient` is true where the cause lies outside
    the file (permissions, a disk that did not answer), so that trying again later makes sense.
    """

    def __init__(self, source: str, reason: str, *, transient: bool = False) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.transient = transient


class UnreadableText(InputError):
    """One list of texts cannot be read."""


class ModelError(SeeSayError):
    """A model folder is missing, incomplete or not understood."""


class CheckpointError(ModelError):
    """A foreign checkpoint is damaged, incomplete, of no known format, or leaves open what only the caller can say."""


class DownloadError(ModelError):
    """A model's file cannot be fetched."""


class MissingCapability(ModelError):
    """This engine cannot do what was asked."""


class LibraryError(SeeSayError):
    """A library of pictures cannot be used."""


class NoLibrary(LibraryError):
    """There is no library at that place."""


class LibraryLocked(LibraryError):
    """Another process is writing to the library."""


class SpaceMismatch(LibraryError):
    """The library holds vectors of another space than this model's."""


class TrainingError(SeeSayError):
    """A training run cannot go on."""


class MissingExtra(SeeSayError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package. Install it with: pip install 'seesay[{extra}]'")
        self.extra = extra


class SkippedInput(UserWarning):
    """Some inputs could not be read and were left out, as the caller asked with on_error="skip"."""


class TruncatedText(UserWarning):
    """Some texts are longer than the model's context and lost their end."""


class ServerError(SeeSayError):
    """The HTTP server cannot answer a request."""


class ServerBusy(ServerError):
    """More is under way than the server takes on; `retry_after_s` is when to try again, in seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"the server is busy; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ServerError):
    """The request was not answered within the server's deadline."""


class ShuttingDown(ServerError):
    """The server is shutting down and takes no more work."""


class AlreadyIndexing(ServerError):
    """The server is indexing its folders already."""


class ModelNotServed(ServerError):
    """The server serves another model than the one asked for."""


class PictureNotFound(ServerError):
    """The server's library holds no picture with this id."""


class PictureUnavailable(PictureNotFound):
    """The library knows the picture, but its file is missing or cannot be read now."""
