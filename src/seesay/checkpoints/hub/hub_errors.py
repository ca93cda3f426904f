"""A hub's address and settings; turns its client's errors into DownloadError with advice, and waits for a busy hub."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from seesay.checkpoints.hub.patience import PAUSE_S, Patience, busy, retry_after_s
from seesay.checkpoints.hub.pins import MAIN
from seesay.errors import DownloadError, ModelError
from seesay.system.network import env_flag, offline

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

T = TypeVar("T")
TOO_MANY = 429


def endpoint() -> str:
    """The hub's address: $HF_ENDPOINT now, since the library reads it once only, when it is imported."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def hub_offline() -> bool:
    """True if no hub may be asked, by SeeSay's setting or the hub library's."""
    return offline() or env_flag("HF_HUB_OFFLINE") or env_flag("TRANSFORMERS_OFFLINE")


def not_cached(repo: str, file: str | None, revision: str | None) -> str:
    """The message for a repository or one of its files that is needed offline and is not cached."""
    from huggingface_hub import constants

    what = f"{file} of {repo}" if file else repo
    return (
        f"{what} (revision {revision or MAIN}) is not in the cache ({constants.HF_HUB_CACHE}), and SEESAY_OFFLINE "
        "or HF_HUB_OFFLINE is set. Run this once with a connection (HF_ENDPOINT may name a mirror), or copy the model's files "
        "into a folder and give the folder"
    )


def patiently(call: Callable[[], T]) -> T:
    """The result of a call of the hub library, repeated as long as the hub asks to wait and `Patience` lasts."""
    patience = Patience(endpoint())
    while True:
        try:
            return call()
        except Exception as error:
            answer = _answer(error)
            if answer is None or answer.response.status_code != TOO_MANY or not patience.wait(_wait_s(answer)):
                raise


def _answer(error: BaseException | None) -> "HfHubHTTPError | None":
    """The hub's answer behind an error of its library, which hides it where a cached file might serve."""
    from huggingface_hub.errors import HfHubHTTPError

    while error is not None:
        if isinstance(error, HfHubHTTPError) and error.response is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


def _wait_s(answer: "HfHubHTTPError") -> float:
    asked = retry_after_s(answer.response.headers)
    return PAUSE_S if asked is None else asked


@contextmanager
def explained(repo: str, file: str | None, revision: str | None) -> Iterator[None]:
    """Turns errors of the hub library, and of the HTTP library below it, into DownloadError, which say what it logs."""
    # Set before the library is loaded: it would report to the hub which packages are installed and what started this program.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import errors
    from huggingface_hub.utils import logging

    what = f"{file} of {repo}" if file else repo
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # before version 1 every try that fails is a warning on stderr
    try:
        yield
    except ModelError:
        raise
    except errors.HFValidationError:
        raise DownloadError(f"{repo!r} names no repository on a hub; expected owner/name") from None
    except errors.OfflineModeIsEnabled:
        raise DownloadError(not_cached(repo, file, revision)) from None
    except errors.GatedRepoError:
        raise DownloadError(
            f"{repo} is gated: its owner lets in whom they choose. Ask at {endpoint()}/{repo}, then set HF_TOKEN to your token"
        ) from None
    except errors.RepositoryNotFoundError:
        raise DownloadError(
            f"{endpoint()} has no repository {repo}, or it is private: check the name, or set HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise DownloadError(f"{repo} at {endpoint()} has no revision {revision or MAIN!r}") from None
    except errors.LocalEntryNotFoundError as error:
        raise _failure(what, error) from None
    except errors.EntryNotFoundError:
        raise DownloadError(f"{repo} at {endpoint()} has no file {file} in revision {revision or MAIN}") from None
    except Exception as error:  # of requests, httpx or httpx2, which share no base class
        raise _failure(what, error) from error
    finally:
        logging.set_verbosity(level)


def _failure(what: str, error: Exception) -> DownloadError:
    """The error for a refusal of the hub, or for no answer at all."""
    if (answer := _answer(error)) is not None:
        status = answer.response.status_code
        if status == TOO_MANY:
            return busy(endpoint(), what, _wait_s(answer))
        if status in (401, 403):
            token = "HF_TOKEN has no right to it" if os.environ.get("HF_TOKEN") else "set HF_TOKEN to a token that may read it"
            return DownloadError(f"{endpoint()} refuses {what} ({status}): {token}")
        return DownloadError(f"{endpoint()} answered {status} when asked for {what}")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return DownloadError(
        f"{what} cannot be fetched from {endpoint()}: {reason}. Check the connection, set HF_ENDPOINT to a mirror, or copy "
        "the model's files into a folder and give the folder"
    )
