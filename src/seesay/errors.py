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
└── MissingExtra            an optional dependency is not installed

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
