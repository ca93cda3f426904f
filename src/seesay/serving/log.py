"""One line of JSON per request and event, on stderr. Never what was searched for or sent."""

import json
import logging
import sys
import time
from typing import Any

LOG = logging.getLogger("seesay.serving")


class Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        said: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
        said |= getattr(record, "facts", {})
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def to_stderr(level: int = logging.INFO) -> None:
    """For the process that serves; a program that makes the app itself has logging of its own."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    LOG.handlers = [handler]
    LOG.setLevel(level)
    LOG.propagate = False


def event(name: str, level: int = logging.INFO, **facts: Any) -> None:
    LOG.log(level, name, extra={"facts": facts})
