"""Instants as Kubernetes writes them (RFC 3339, UTC, whole seconds), to and from Unix milliseconds (pure)."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_GO_ZERO_YEAR = 1
_REMEMBERED = 1024
"""Thousands of pods speak of the same few seconds."""


def rfc3339(unix_ms: int) -> str:
    """Return an instant as the API server shows it: ``2020-05-09T04:53:20Z``; milliseconds are cut off."""
    return _of_second(unix_ms // 1000)


@lru_cache(_REMEMBERED)
def _of_second(unix_s: int) -> str:
    return (_EPOCH + timedelta(seconds=unix_s)).replace(tzinfo=None).isoformat() + "Z"


@lru_cache(_REMEMBERED)
def unix_ms(text: str) -> int | None:
    """Return what ``rfc3339`` was given, also for other zones and fractions of a second.

    ``None`` where ``text`` is no such instant, or the zero one of Go, which means that nothing is known.
    """
    if not _FORM.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
        return None if found.year == _GO_ZERO_YEAR else (found - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None


def is_zero(text: str) -> bool:
    """Say whether ``text`` is how Go writes that it knows no instant."""
    return text in {"", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"}
