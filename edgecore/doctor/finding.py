"""What a check finds: one line, how bad it is, and what to do."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Level = Literal["ok", "note", "warning", "problem"]
LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "problem")


class Finding(NamedTuple):
    """One line of the doctor.

    =======  ====================================================================================
    ok       as it should be
    note     fine for a node; what it means is worth knowing
    warning  works, but not all of it, or not always
    problem  the node does not start, or what was asked of it cannot work
    =======  ====================================================================================
    """

    level: Level
    check: str
    """A fixed snake_case word."""
    text: str
    advice: str = ""
    """What to do, with the exact command where there is one."""


def count(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many there are of each level."""
    counts: dict[str, int] = dict.fromkeys(LEVELS, 0)
    for finding in findings:
        counts[finding.level] += 1
    return counts
