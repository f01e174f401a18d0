"""Which warnings a soak may have in its logs, and why; all others are findings."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

LEVELS = frozenset({"warning", "error", "critical"})
Line = Mapping[str, Any]


class Explained(NamedTuple):
    """One warning that belongs to what is done to the programs."""

    event: str
    reason: str
    """Why it is no fault."""
    applies: Callable[[Line], bool] = lambda _line: True


EXPLAINED: tuple[Explained, ...] = (
    Explained("cloud_lost", "the link is cut every 20 s, and the cloud starts again every two minutes"),
    Explained("cloud_not_reached", "until the line is whole, or the cloud runs again, a dial fails"),
    Explained(
        "request_failed",
        "services come before their pods and stay behind them, and are asked all the same: 503 is the right answer",
        lambda line: line.get("reason") in ("no_pods", "no_running_pods") and "moving-" in str(line.get("details", "")),
    ),
)


def is_explained(line: Line) -> bool:
    """Whether a line of a log, of whatever level, is no finding."""
    if line.get("level") not in LEVELS:
        return True
    return any(each.event == line.get("event") and each.applies(line) for each in EXPLAINED)


def findings(lines: Iterable[Line]) -> Counter[str]:
    """Return what nobody has explained, and how often it came."""
    return Counter(shown(line) for line in lines if not is_explained(line))


def shown(line: Line) -> str:
    """Return a line in short, without what differs each time."""
    values = [f"{key}={line[key]}" for key in ("module", "reason", "detail", "error", "problem") if key in line]
    return " ".join([f"{line.get('level')} {line.get('logger')} {line.get('event')}", *values])[:400]
