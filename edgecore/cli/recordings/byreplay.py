"""Whether the replay of a part of a recording differs as that of the whole does."""

import asyncio
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import structlog

from edgecore.clock import SystemClock, before
from edgecore.errors import ContentError
from edgecore.recording.entries import CloudFrame, Entry, Snapshot
from edgecore.recording.writer import open_writer
from edgecore.replay.judged import replay_and_judge
from edgecore.replay.options import ReplayOptions
from edgecore.verdict.rules import DNS
from edgecore.verdict.rulesfile import read_rules
from edgecore.verdict.verdict import MESSAGE, Difference, Verdict


class ByReplay:
    """A part fails where the same field of the same kind of message differs; each replay has a new node."""

    command = "edgecore replay {file}"
    code = 1

    def __init__(self, path: Path, rules: Sequence[Path], *, timeout_s: float, wanted: str) -> None:
        """Every part is written to ``path``. Raises ``ConfigError`` where ``rules`` are none."""
        self.failure = ""
        self._timeout_s = timeout_s
        self._path = path
        self._rules = read_rules(rules)
        self._wanted = wanted
        self._sought: _Sought | None = None
        self._about_it = 0

    def begin(self, entries: Sequence[Entry]) -> str:
        """Replay the whole; where it is equal, return that."""
        try:
            differences = self._differences(entries)
        except TimeoutError:
            return f"its replay takes longer than {self._timeout_s:g} s; give it a longer --timeout"
        # What a node says comes before what it knows at the end, which follows from it.
        states = [entry.n or entry.line for entry in entries if isinstance(entry, Snapshot)]
        found = sorted((one.recorded_entry in states, place) for place, one in enumerate(differences) if self._has(one))
        if not found:
            if differences:
                return f"its replay differs, but no difference has {self._wanted!r}; correct --output-has"
            return "its replay is equal to it; say by --test what fails"
        is_of_state, place = found[0]
        first = differences[place]
        self.failure = f"the replay differs ({first.kind}: {first.path})"
        self._sought = _Sought.of(first, is_of_one=is_of_state or first.path == MESSAGE)
        self._about_it = self._sought.count(entries)
        return ""

    def _has(self, difference: Difference) -> bool:
        return self._wanted in str(difference)

    def fails(self, entries: Sequence[Entry]) -> bool:
        """Whether the replay of a part differs in the same way."""
        sought = self._sought
        if sought is None or sought.count(entries) != self._about_it:
            return False
        try:
            differences = self._differences(entries)
        except (ContentError, TimeoutError):  # nothing is left that can be played; or no end of it
            return False
        return any(sought.is_met_by(one) and self._has(one) for one in differences)

    def _differences(self, entries: Sequence[Entry]) -> list[Difference]:
        with open_writer(self._path, "over") as writer:
            for entry in entries:
                writer.write(entry)
        options = ReplayOptions(files=(self._path,), virtual_time=True)
        with _silence():
            [verdict] = asyncio.run(self._judged(options))
        return verdict.differences

    async def _judged(self, options: ReplayOptions) -> list[Verdict]:
        clock = SystemClock()  # in virtual time a replay that never ends takes no time of its own
        return await before(clock, clock.monotonic() + self._timeout_s, replay_and_judge(options, self._rules))


class _Sought(NamedTuple):
    """The difference that is to stay."""

    kind: str
    path: str
    what: str = ""
    """Which message or part of the state, where it is that one that is missing, too many, or wrong at the end."""
    subject: re.Pattern[str] | None = None
    """The name of it: without one of the messages about it, it would be missing or wrong for another reason."""

    @classmethod
    def of(cls, difference: Difference, *, is_of_one: bool) -> "_Sought":
        """Return what to look for."""
        path = _anywhere(difference.path)
        if not is_of_one:
            return cls(difference.kind, path)
        words = re.split(r"[ /.]", difference.what)
        name = words[0] if difference.kind == DNS else words[-1]
        return cls(difference.kind, path, difference.what, re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])"))

    def is_met_by(self, difference: Difference) -> bool:
        """Whether it is the same."""
        is_there = (self.kind, self.path) == (difference.kind, _anywhere(difference.path))
        return is_there and self.what in ("", difference.what)

    def count(self, entries: Iterable[Entry]) -> int:
        """Count the messages about the subject; 0 where there is none."""
        subject = self.subject
        if subject is None:
            return 0
        return sum(isinstance(one, CloudFrame) and subject.search(one.text) is not None for one in entries)


def _anywhere(path: str) -> str:
    return re.sub(r"\[\d+\]", "[*]", path)


@contextmanager
def _silence() -> Iterator[None]:
    """Nobody reads the logs of so many nodes."""
    config = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**config)
