"""How a process that is fuzzed is: what went wrong in it, and what it holds."""

import ctypes
import gc
import logging
import os
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import structlog


class Complaints(logging.Handler):
    """Whatever was logged with a traceback, or reached the event loop as an exception; log events are counted."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self.events: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.name}: {record.getMessage()} {record.exc_info}")

    def of_loop(self, _loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.found.append(f"event loop: {context} {''.join(traceback.format_exception(error)) if error else ''}")

    def of_log(self, _logger: object, method: str, event: dict[str, Any]) -> Any:
        self.events[event["event"]] += 1
        if event.get("exc_info") or method == "exception":
            told = structlog.processors.format_exc_info(None, method, dict(event))
            self.found.append(f"{method}: {told}")
        raise structlog.DropEvent


class Growth:
    """What this process holds, looked at from time to time; the first look that counts is one after the warm-up."""

    def __init__(self, warm_up: int) -> None:
        self._warm_up = warm_up
        self._looks: list[tuple[int, int, int]] = []
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)  # of glibc

    def look(self, frames: int) -> None:
        """Measure after so many frames, once garbage is collected and what is free is given back."""
        if frames < self._warm_up:
            return
        gc.collect()
        self._trim(0)
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self._looks = [*self._looks[:1], (frames, sys.getallocatedblocks(), resident)]

    def check(self) -> None:
        """Fail if more is held than at the first look: a quarter of an object a frame, or 64 MiB in all."""
        if len(self._looks) < 2:
            return
        (first, blocks, resident), (last, blocks_now, resident_now) = self._looks
        text = f"{last - first} frames: {blocks_now - blocks} blocks, {resident_now - resident} bytes more"
        assert blocks_now - blocks < 20_000 + (last - first) / 4, text
        assert resident_now - resident < 64 * 2**20, text
