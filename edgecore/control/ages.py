"""Instants and durations as ``kubectl`` shows them: ``3m5s``, ``2d4h``; ``Mon, 04 May 2020 10:00:00 +0000``."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

UNKNOWN = "<unknown>"

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S
_YEAR_S = 365 * _DAY_S
_SECONDS = {"s": 1, "m": _MINUTE_S, "h": _HOUR_S, "d": _DAY_S, "w": 7 * _DAY_S}
_PART = re.compile(r"([0-9]{1,9})([smhdw])")
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999
"""The years 1 to 9999 in UTC."""


def instant_ms(timestamp: Any) -> int | None:
    """Return the Unix time in ms of an RFC 3339 timestamp; ``None`` for anything else."""
    if not isinstance(timestamp, str):
        return None
    try:
        instant = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    if instant.tzinfo is None:
        return None
    at_ms = round(instant.timestamp() * 1000)
    return at_ms if _FIRST_MS <= at_ms <= _LAST_MS else None


def age(timestamp: Any, now_ms: int) -> str:
    """Return how long ago it was; an instant that is missing or no RFC 3339 is ``<unknown>``."""
    since_ms = instant_ms(timestamp)
    return UNKNOWN if since_ms is None else duration(now_ms - since_ms)


def duration(ms: int) -> str:
    """Return a duration in its two largest units, the smaller one only while it matters.

    Two seconds into the past are taken for clocks that differ: ``0s`` (kubernetes apimachinery pkg/util/duration).
    """
    seconds = int(ms / 1000)
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE_S:
        return _two(seconds, _MINUTE_S, "m", 1, "s")
    if seconds < 3 * _HOUR_S:
        return f"{seconds // _MINUTE_S}m"
    if seconds < 8 * _HOUR_S:
        return _two(seconds, _HOUR_S, "h", _MINUTE_S, "m")
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S}h"
    if seconds < 8 * _DAY_S:
        return _two(seconds, _DAY_S, "d", _HOUR_S, "h")
    if seconds < 2 * _YEAR_S:
        return f"{seconds // _DAY_S}d"
    if seconds < 8 * _YEAR_S:
        return _two(seconds, _YEAR_S, "y", _DAY_S, "d")
    return f"{seconds // _YEAR_S}y"


def date(timestamp: Any) -> str:
    """Return an instant written out, as descriptions have it, in UTC; ``<unknown>`` where there is none."""
    at_ms = instant_ms(timestamp)
    return UNKNOWN if at_ms is None else format_datetime(_utc(at_ms))


def time_of_day(at_ms: int) -> str:
    """Return the time of the day in UTC, to the millisecond."""
    return _utc(at_ms).isoformat(sep=" ", timespec="milliseconds")[11:23]


def _two(seconds: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = seconds % large_s // small_s
    return f"{seconds // large_s}{large}{rest}{small}" if rest else f"{seconds // large_s}{large}"


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def duration_ms(text: str) -> int:
    """Return the milliseconds of ``90s``, ``10m``, ``1h30m``, ``2d`` or ``1w``. Raises ``ValueError``."""
    if not re.fullmatch(f"({_PART.pattern})+", text):
        raise ValueError(f"{text!r} is no duration; write it as 90s, 10m, 1h30m, 2d or 1w")
    return 1000 * sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def timestamp(at_ms: int) -> str:
    """Return an instant as RFC 3339 in UTC, to the millisecond; the number itself where no calendar has it."""
    if not _FIRST_MS <= at_ms <= _LAST_MS:
        return str(at_ms)
    return _utc(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
