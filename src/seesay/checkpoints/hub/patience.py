"""Patience with a busy server: it says how long to wait (Retry-After), and is waited for within bounds."""

import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from gettext import gettext as _

from seesay.errors import DownloadError

LONGEST_WAIT_S = 120.0  # a server that asks for more is not waited for
WAITS = 5  # for one file
PAUSE_S = 10.0  # for a server that does not say how long


def retry_after_s(headers: Mapping[str, str] | Message) -> float | None:
    """Seconds that an answer's Retry-After (a number or a date) or RateLimit asks for; None without one that can be read."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    if reset := re.search(r";\s*t=(\d+)", headers.get("RateLimit") or ""):
        return float(reset[1])
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class Patience:
    """Waits for one server, within bounds."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.waits = 0

    def wait(self, seconds: float) -> bool:
        """Waits, and says so on stderr; False, at once, where that would be too long or too often."""
        if seconds > LONGEST_WAIT_S or self.waits >= WAITS:
            return False
        self.waits += 1
        line = _("seesay: {server} is busy and asks to wait {seconds:.0f} s").format(server=self.server, seconds=seconds)
        print(line, file=sys.stderr, flush=True)
        time.sleep(seconds)
        return True


def busy(server: str, what: str, seconds: float) -> DownloadError:
    """The error for a server that is not waited for any longer."""
    return DownloadError(
        f"{server} is busy (429 Too Many Requests) when asked for {what}, and asks to wait {seconds:.0f} s. Try again then, "
        "set HF_TOKEN (hubs allow more to those they know), or set HF_ENDPOINT to a mirror"
    )
