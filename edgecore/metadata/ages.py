"""How long ago something was, as ``kubectl`` writes it: ``45s``, ``3m5s``, ``2d4h``; and back."""

import re

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGE = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def age_text(ms: int) -> str:
    """Return a duration in its two largest units, the smaller one only while it matters; a negative one is ``0s``."""
    seconds = max(0, ms // 1000)
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 600:
        return _two(seconds, "m", "s")
    if seconds < 3 * 3600:
        return f"{seconds // 60}m"
    if seconds < 8 * 3600:
        return _two(seconds, "h", "m")
    if seconds < 2 * 86400:
        return f"{seconds // 3600}h"
    if seconds < 8 * 86400:
        return _two(seconds, "d", "h")
    return f"{seconds // 86400}d"


def age_ms(text: str) -> int:
    """Return the milliseconds of ``90s``, ``10m``, ``1h30m``, ``2d`` or ``1w``. Raises ``ValueError``."""
    if not _AGE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write it as 90s, 10m, 1h30m, 2d or 1w")
    return 1000 * sum(int(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def _two(seconds: int, large: str, small: str) -> str:
    whole, rest = divmod(seconds, _UNITS_S[large])
    part = rest // _UNITS_S[small]
    return f"{whole}{large}{part}{small}" if part else f"{whole}{large}"
