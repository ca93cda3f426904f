"""Parses dates as cameras, phones, scanners and editors write them into ISO 8601 local time, without its zone."""

import re
from datetime import date, datetime

DATE = re.compile(
    r"(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})"  # dashes, slashes and dots are as common as the colons of EXIF
    r"(?:[T\s]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d+))?)?)?(?!\d)"
)
POWER_ON = "2002-12-08T12:00:00"  # the default of some cameras whose clock was never set
FIRST_YEAR = 1000  # an earlier year comes from a clock that was never set


def iso(written: str | None, subsecond: str | None = None) -> str | None:
    """A date such as 2007-02-19T10:20:30.5, or the day alone if no time is written; None for blanks, zeros and defaults.

    subsecond: the decimals of the second, where they have a tag of their own. Trailing zeros are dropped, so that equal times
    are equal texts, and times sort as texts.
    """
    if not written:
        return None
    match = DATE.match(written.strip())
    if match is None:
        return _from_mail_date(written)
    year, month, day, hour, minute, second, fraction = match.groups()
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
    decimals = fraction or (subsecond or "").strip()
    decimals = decimals.rstrip("0")[:6] if decimals.isascii() and decimals.isdigit() else ""
    return f"{moment}.{decimals}" if decimals else moment


def _from_mail_date(written: str) -> str | None:
    """A date of RFC 1123, which PNG recommends: Mon, 19 Feb 2007 10:20:30 +0000."""
    from email.utils import parsedate_to_datetime  # loads sockets and more, which no decoding process needs

    try:
        return parsedate_to_datetime(written).replace(tzinfo=None).isoformat()
    except (TypeError, ValueError, IndexError):
        return None
