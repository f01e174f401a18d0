"""What the demonstration prints, and its checks."""

import sys
from typing import TextIO

from edgecore.errors import EdgecoreError

_WIDTH = 110
_QUOTED = 900


class Step:
    """One numbered step."""

    def __init__(self, screen: "Screen") -> None:
        self._screen = screen

    def say(self, line: str) -> None:
        """Print one line."""
        self._screen.say(line)

    def quote(self, text: str) -> None:
        """Print bytes as they are, folded; a very long text is cut, saying so."""
        shown = text.strip()
        left_out = len(shown) - _QUOTED
        for start in range(0, min(len(shown), _QUOTED), _WIDTH):
            self._screen.say(f"    {shown[start : min(start + _WIDTH, _QUOTED)]}")
        if left_out > 0:
            self._screen.say(f"    ... and {left_out} more characters")

    def check(self, what: str, found: object, expected: object) -> None:
        """Print that this holds. Raises ``EdgecoreError`` if it does not."""
        if found != expected:
            raise EdgecoreError(f"{what}: expected {expected!r}, found {found!r}")
        self._screen.say(f"ok: {what}: {found}")


class Screen:
    """Numbered steps on a stream."""

    def __init__(self, steps: int, stream: TextIO | None = None) -> None:
        self._steps = steps
        self._stream = stream or sys.stdout
        self._number = 0

    def step(self, title: str) -> Step:
        """Begin the next step."""
        self._number += 1
        self._print(f"\n[{self._number}/{self._steps}] {title}")
        return Step(self)

    def say(self, line: str) -> None:
        """Print one line of the current step."""
        self._print(f"      {line}")

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()
