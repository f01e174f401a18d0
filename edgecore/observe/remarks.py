"""The latest warnings and errors of the log, each event once, the latest last (``edgecore top``)."""

import sys
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

KEPT = 32
"""So many events are known; of further ones the one that was silent for longest is forgotten."""
TEXT_LIMIT = 300
LEVELS = frozenset({"warning", "error", "critical"})
_NO_VALUES = frozenset({"timestamp", "level", "logger", "event", "exc_info", "stack_info"})


class Remarks:
    """Sees every line of the log (``configure_logging``), from any thread, and keeps those that tell of trouble."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._remarks: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()
        self._lock = Lock()

    def note(self, event: Mapping[str, Any]) -> None:
        """Keep one line; never raises."""
        if event.get("level") not in LEVELS:
            return
        with suppress(Exception):  # a value that cannot be shown
            key = (str(event["level"]), str(event.get("logger", "")), str(event.get("event", ""))[:TEXT_LIMIT])
            told = [f"{name}={value}" for name, value in event.items() if name not in _NO_VALUES]
            text = " ".join([*told, *_raised(event.get("exc_info"))])
            with self._lock:
                before = self._remarks.pop(key, None)
                count = before["count"] + 1 if before is not None else 1
                self._remarks[key] = {"at": str(event.get("timestamp", "")), "text": text[:TEXT_LIMIT], "count": count}
                if len(self._remarks) > self._kept:
                    self._remarks.popitem(last=False)

    def view(self) -> list[dict[str, Any]]:
        """Return them as JSON values; ``count`` says how often an event came, ``text`` has the values of the last."""
        with self._lock:
            remarks = list(self._remarks.items())
        return [
            {"level": level, "logger": logger, "event": event, **remark} for (level, logger, event), remark in remarks
        ]


def _raised(exc_info: Any) -> list[str]:
    """Return what was raised, without where."""
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return [f"raised={type(error).__name__}: {error}"] if isinstance(error, BaseException) else []
