"""What a benchmark has found, as values: figures beside a peer, figures alone, curves, and what was left out.

One line of JSON each, in a file that the runner names. What follows from the rounds (medians, ratios, slopes, whether
a goal is reached) is always computed from them.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

Reached = Literal["reached", "acceptable", "missed", ""]
"""What became of a goal: nothing, if there is none, or nothing to judge it by."""
STRAIGHT = 0.1
"""A slope that is no farther from 1 is that of a straight line."""


class Goal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bound for the median."""

    of: Literal["ratio", "ours", "slope"]
    value: float
    at_most: bool = False
    acceptable: float | None = None
    """What is less than the goal and still borne."""

    def judge(self, value: float) -> Reached:
        """Return what ``value`` makes of it."""
        if self._holds(value, self.value):
            return "reached"
        if self.acceptable is not None and self._holds(value, self.acceptable):
            return "acceptable"
        return "missed"

    def _holds(self, value: float, bound: float) -> bool:
        return value <= bound if self.at_most else value >= bound

    def told(self, unit: str) -> str:
        """Return it in words; ``unit`` is that of the figure."""
        what = {"ratio": "ratio ", "ours": "", "slope": "slope "}[self.of]
        text = f"{what}{'at most' if self.at_most else 'at least'} {plain(self.value)}"
        text += f" {unit}" if self.of == "ours" else ""
        return text if self.acceptable is None else f"{text} ({plain(self.acceptable)} is acceptable)"


def ratio(value: float, acceptable: float | None = None) -> Goal:
    """Return the goal that the median ratio is at least that; over 1 is better than the peer."""
    return Goal("ratio", value, acceptable=acceptable)


def at_least(value: float) -> Goal:
    """Return the goal that the median of ours is at least that, in the unit of the figure."""
    return Goal("ours", value)


def at_most(value: float) -> Goal:
    """Return the goal that the median of ours is at most that, in the unit of the figure."""
    return Goal("ours", value, at_most=True)


def slope(value: float) -> Goal:
    """Return the goal that a curve climbs by no more than that power of what grows."""
    return Goal("slope", value, at_most=True)


class Spread(NamedTuple):
    """The middle of some values, and their range."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of ``values``, of which there is one or more."""
        return cls(statistics.median(values), min(values), max(values))


class Figure(msgspec.Struct, tag="figure", kw_only=True, omit_defaults=True):
    """What was measured in one case, round by round; ``peers`` is empty where there is none."""

    case: str
    """What was done, such as `names, EDNS`; the same for all that was measured meanwhile."""
    measure: str = ""
    """What else was measured, such as `processor time of one`; nothing: what the case is about."""
    unit: str
    ours: list[float]
    peers: list[float] = []
    peer: str = ""
    less: bool = False
    """Whether the smaller figure is the better one."""
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        """How much better ours was, round by round: over 1 is better than the peer."""
        pairs = [(mine, theirs) for mine, theirs in zip(self.ours, self.peers, strict=False) if mine and theirs]
        return [theirs / mine if self.less else mine / theirs for mine, theirs in pairs]

    @property
    def reached(self) -> Reached:
        """Whether the goal is reached."""
        if self.goal is None:
            return ""
        values = self.ratios if self.goal.of == "ratio" else self.ours
        return self.goal.judge(statistics.median(values)) if values else ""


class Curve(msgspec.Struct, tag="curve", kw_only=True, omit_defaults=True):
    """What something costs as work grows: for each of ``at``, the rounds of ours and, where there is one, the peer."""

    case: str
    measure: str = ""
    grows: str
    """What there is more and more of, such as `services`."""
    at: list[float]
    unit: str
    ours: list[list[float]]
    peers: list[list[float]] = []
    peer: str = ""
    less: bool = True
    goal: Goal | None = None

    @property
    def slope(self) -> float:
        """By which power ours grows."""
        return slope_of(self.at, [statistics.median(rounds) for rounds in self.ours])

    @property
    def end_slope(self) -> float:
        """By which power ours grows from the last point but one to the last: what never changes hides less there."""
        return slope_of(self.at[-2:], [statistics.median(rounds) for rounds in self.ours[-2:]])

    @property
    def peer_slope(self) -> float | None:
        """By which power the peer grows."""
        return slope_of(self.at, [statistics.median(rounds) for rounds in self.peers]) if self.peers else None

    @property
    def reached(self) -> Reached:
        """Whether the goal is reached: by the steeper of both slopes, or at the last point."""
        if self.goal is None:
            return ""
        if self.goal.of == "slope":
            slopes = [power for power in (self.slope, self.end_slope) if not math.isnan(power)]
            return self.goal.judge(max(slopes)) if slopes else ""
        last = Figure(case="", unit="", ours=self.ours[-1], peers=self.peers[-1] if self.peers else [], less=self.less)
        last.goal = self.goal
        return last.reached


class Skipped(msgspec.Struct, tag="skipped", kw_only=True, omit_defaults=True):
    """What was left out, why, and what to do about it."""

    what: str
    reason: str
    advice: str = ""
    """Such as `apt install haproxy`."""


class Note(msgspec.Struct, tag="note", kw_only=True):
    """Under which circumstances the figures that follow came about, or what was seen beside them."""

    text: str


Result = Figure | Curve | Skipped | Note


def slope_of(at: Sequence[float], values: Sequence[float]) -> float:
    """Return the power of ``at`` by which ``values`` grow: the straight line through both logarithms.

    1: ten times as many cost ten times as much. 0: how many there are does not matter. 2: a hundred times as much.
    Values that are not above 0 tell nothing of a power and are left out; fewer than two left: not a number.
    """
    points = [(math.log(one), math.log(value)) for one, value in zip(at, values, strict=True) if one > 0 and value > 0]
    if len(points) < 2:
        return math.nan
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def meaning(power: float) -> str:
    """Say what a slope means."""
    if math.isnan(power):
        return "no curve"
    told = f"ten times as many: {plain(10**power)} times as much"
    if abs(power) <= STRAIGHT:
        return f"flat; {told}"
    if abs(power - 1) <= STRAIGHT:
        return f"straight; {told}"
    return f"{'less' if power < 1 else 'MORE'} than straight; {told}"


def number(value: float) -> str:
    """Return ``value`` with three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def plain(value: float) -> str:
    """Return ``value`` without needless digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


_lines = msgspec.json.Decoder(Result)


def line_of(result: Result) -> bytes:
    """Return a result as a line."""
    return msgspec.json.encode(result) + b"\n"


def results_of(text: bytes) -> list[Result]:
    """Return the results of whole lines; one that was cut off at the end is left out."""
    return _lines.decode_lines(text[: text.rfind(b"\n") + 1])
