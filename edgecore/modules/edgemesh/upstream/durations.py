"""Durations as Go and Kubernetes write them: ``5s``, ``1m30s``, ``250ms``; or plain seconds, ``5``, ``0.25``."""

import re

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = re.compile(f"({_NUMBER})({'|'.join(sorted(_UNITS_S, key=len, reverse=True))})")
_WHOLE = re.compile(f"({_PART.pattern})+")
_LONGEST = 40


def duration_s(text: str) -> float:
    """Return the seconds of a duration, never negative. Raises ``ValueError``."""
    if len(text) <= _LONGEST:
        if re.fullmatch(_NUMBER, text):
            return float(text)
        if _WHOLE.fullmatch(text):
            return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    raise ValueError("it is no duration; write it as 5s, 250ms or 1m30s")
