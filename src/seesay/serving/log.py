"""The log: a line of JSON per request and event on stderr, without anything that was searched for or sent."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seesay.serving.diverted import Diverted

LOG = logging.getLogger("seesay.serving")


class JsonFormatter(logging.Formatter):
    """A record as one line: time (UTC), level, event, the event's facts, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


@contextmanager
def to_stderr(level: int = logging.INFO) -> Iterator[None]:
    """Sends the process's log to stderr; for `seesay serve`, since a program that makes the app has logging of its own. It
    includes warnings of uvicorn, asyncio and other packages, and what native libraries write to stderr."""
    diverted = Diverted(lambda text: event("stderr", logging.WARNING, text=text))
    handler = logging.StreamHandler(diverted.real)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers = [handler]
    logging.captureWarnings(True)
    LOG.setLevel(level)
    try:
        yield
    finally:
        diverted.close()


def event(name: str, level: int = logging.INFO, fault: BaseException | None = None, **facts: Any) -> None:
    """Logs an event with its facts. fault: an exception, logged with its traceback."""
    LOG.log(level, name, exc_info=fault, extra={"facts": facts})
