"""The tree of errors that SeeSay raises on purpose, with the fields that they carry.

SeeSayError
├── InputError              the caller passed something that cannot be used: change the call
│   ├── TextTooLong         a text does not fit the model's context
│   ├── UnreadableImage     one picture cannot be read: missing, damaged, too large, not a picture
│   ├── UnreadableText      one list of texts cannot be read
│   └── UnknownName         a gallery has no such name
├── ModelError              a model folder is missing, incomplete or not understood
│   ├── CheckpointError     a foreign checkpoint is damaged, incomplete, or does not say what it needs to
│   ├── DownloadError       a model's file cannot be fetched: offline, not there, no permission, damaged
│   │   └── LargeDownload   it is larger than was allowed: allow it
│   └── MissingCapability   this model or engine cannot do what was asked
│       └── MissingDevice   the device that was asked for is not here, or cannot run this model
├── LibraryError            a library of pictures cannot be used
│   ├── NoLibrary           there is none at that path
│   ├── LibraryLocked       another process is writing to it
│   └── SpaceMismatch       it holds vectors of another space than this model's
├── GalleryError            a gallery of names is damaged, of another model's space, or cannot be written
│   └── NoNames             it has no names yet
├── TrainingError           a training run cannot continue: its loss or weights are no longer finite
├── MissingName             a compat module lacks a name of the package that it stands for
├── MissingExtra            an optional dependency is not installed
└── ServerError             the HTTP server cannot answer a request
    ├── ServerBusy          more is under way than it takes on: try again later
    ├── DeadlineExceeded    the request was not answered in time
    ├── ShuttingDown        it takes no more work
    ├── AlreadyIndexing     it is indexing its folders already
    ├── ModelNotServed      it serves another model than the one asked for
    └── PictureNotFound     its library holds no picture with this id
        └── PictureUnavailable  the picture is known, but its file is missing or unreadable now

Warnings: SkippedInput (inputs left out with on_error="skip"), TruncatedText (texts cut to the model's context), UnusualPrompt
(a generator may not draw what its prompt says) and DamagedImage (a file is damaged, and what could be read of it counts).

A message says what was expected, what came, and what to do next. It is for people; programs use the class and its fields.
"""


def first_sentence(error: BaseException) -> str:
    """The first sentence of another library's message, which may be many lines long; at most 200 characters."""
    return str(error).split("\n", 1)[0].split(". ", 1)[0][:200]


class SeeSayError(Exception):
    """Base of all errors raised on purpose; its message is meant for the user."""


class InputError(SeeSayError, ValueError):
    """The caller passed something that cannot be used.

    `parameter` is the argument's name in Python ("min_px"), `expected` what it should have been, `got` the value that came, and
    `position` the index of the first character at fault in a text; each is None where unknown. `reason` is the message without
    the parameter's name in front, for callers who know the parameter by another name ("--min-px", "filters.min_px").
    """

    def __init__(
        self,
        message: str,
        *,
        parameter: str | None = None,
        expected: str | None = None,
        got: object = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.expected = expected
        self.got = got
        self.position = position
        self.reason = message.removeprefix(f"{parameter}: ")


class TextTooLong(InputError, RuntimeError):
    """A text does not fit the model's context. A RuntimeError too, as in OpenAI's clip."""


class UnreadableImage(InputError):
    """One picture cannot be read.

    `source` is its name in messages; `reason` is the message without that name. `transient` is true if the cause lies outside
    the file (permissions, a disk that did not answer), so that a later attempt may succeed.
    """

    def __init__(self, source: str, reason: str, *, transient: bool = False) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
        self.transient = transient


class UnreadableText(InputError):
    """One list of texts cannot be read."""


class UnknownName(InputError):
    """A gallery has no such name."""


class ModelError(SeeSayError):
    """A model folder is missing, incomplete or not understood."""


class CheckpointError(ModelError):
    """A foreign checkpoint is damaged, incomplete, of no known format, or leaves open what only the caller can say."""


class DownloadError(ModelError):
    """A model's file cannot be fetched."""


class LargeDownload(DownloadError):
    """A model's files are larger than was allowed; `name` is the model's, `size_bytes` what is still to be fetched."""

    def __init__(self, message: str, *, name: str, size_bytes: int) -> None:
        super().__init__(message)
        self.name = name
        self.size_bytes = size_bytes


class MissingCapability(ModelError):
    """This model or engine cannot do what was asked."""


class MissingDevice(MissingCapability):
    """The device that was asked for, whose name is `device`, is not here or cannot run this model."""

    def __init__(self, message: str, *, device: str) -> None:
        super().__init__(message)
        self.device = device


class LibraryError(SeeSayError):
    """A library of pictures cannot be used."""


class NoLibrary(LibraryError):
    """There is no library at that path."""


class LibraryLocked(LibraryError):
    """Another process is writing to the library."""


class SpaceMismatch(LibraryError):
    """The library holds vectors of another space than this model's."""


class GalleryError(SeeSayError):
    """A gallery of names cannot be used."""


class NoNames(GalleryError):
    """A gallery has no names yet."""


class TrainingError(SeeSayError):
    """A training run cannot continue."""


class MissingName(SeeSayError, AttributeError):
    """A compat module lacks a name that the original package may have."""


class MissingExtra(SeeSayError, ImportError):
    """An optional dependency is not installed; `extra` is the name for pip that brings it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package. Install it with: pip install 'seesay[{extra}]'")
        self.extra = extra


class SkippedInput(UserWarning):
    """Some inputs could not be read and were left out, as the caller requested with on_error="skip"."""


class TruncatedText(UserWarning):
    """Some texts are longer than the model's context and were truncated."""


class UnusualPrompt(UserWarning):
    """A generator may not draw what its prompt says: it is in a language that the text encoder hardly knows, or very long."""


class DamagedImage(UserWarning):
    """A picture's file is truncated or damaged; it was read as far as it goes."""


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
