"""Dates as cameras, phones, scanners and editors write them -> ISO 8601: the local time that is written, without its zone."""

import re
from datetime import date, datetime

DATE = re.compile(
    r"(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})"  # dashes, slashes and dots are as common as EXIF's own colons
    r"(?:[T\s]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d+))?)?)?(?!\d)"
)
POWER_ON = "2002-12-08T12:00:00"  # what some cameras write whose clock was never set
FIRST_YEAR = 1000  # before it a year is a clock that was never set


def iso(written: str | None, subsecond: str | None = None) -> str | None:
    """Such as 2007-02-19T10:20:30.5, or the day alone where no time is written; None where no date is meant.

    subsecond: the figures behind the point, where they are kept apart. Zeros at its end are left out, so that equal times are
    equal texts, and times sort as texts."""
    if not written:
        return None
    found = DATE.match(written.strip())
    if found is None:
        return _mail(written)
    year, month, day, hour, minute, second, fraction = found.groups()
    if int(year) < FIRST_YEAR:
        return None
    try:
        if hour is None:
            return date(int(year), int(month), int(day)).isoformat()
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0)).isoformat()
    except ValueError:
        return None
    if moment == POWER_ON:
        return None
    figures = fraction or (subsecond or "").strip()
    figures = figures.rstrip("0")[:6] if figures.isascii() and figures.isdigit() else ""
    return f"{moment}.{figures}" if figures else moment


def _mail(written: str) -> str | None:
    """A date as mail has it (RFC 1123), which PNG's authors recommend: Mon, 19 Feb 2007 10:20:30 +0000."""
    from email.utils import parsedate_to_datetime  # with sockets and more, which every process that decodes would load

    try:
        return parsedate_to_datetime(written).replace(tzinfo=None).isoformat()
    except (TypeError, ValueError, IndexError):
        return None
