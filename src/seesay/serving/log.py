"""One line of JSON per request and event, on stderr. Never what was searched for or sent."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seesay.serving.diverted import Diverted

LOG = logging.getLogger("seesay.serving")


class Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        said: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
        said |= getattr(record, "facts", {})
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


@contextmanager
def to_stderr(level: int = logging.INFO) -> Iterator[None]:
    """For the process that serves; a program that makes the app itself has logging of its own. Of uvicorn, asyncio and other
    packages warnings are told, as lines of the same kind, and what native libraries write past Python."""
    diverted = Diverted(lambda text: event("stderr", logging.WARNING, text=text))
    handler = logging.StreamHandler(diverted.real)
    handler.setFormatter(Lines())
    logging.root.handlers = [handler]
    logging.captureWarnings(True)
    LOG.setLevel(level)
    try:
        yield
    finally:
        diverted.close()


def event(name: str, level: int = logging.INFO, fault: BaseException | None = None, **facts: Any) -> None:
    """fault: what went wrong, told with its traceback."""
    LOG.log(level, name, exc_info=fault, extra={"facts": facts})
