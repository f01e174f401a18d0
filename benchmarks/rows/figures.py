"""What a benchmark says: a line of a table for people, and the same for the runner, if there is one.

The runner names a file by an environment variable; each result is appended to it at once, so that whatever becomes of
the benchmark, what it had measured is kept.
"""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from rows.results import Curve, Figure, Goal, Note, Result, Skipped, Spread, line_of, meaning, number

RESULTS = "EDGECORE_BENCH_RESULTS"
"""The variable that names the file."""


def beside(
    case: str,
    ours: Sequence[float],
    peers: Sequence[float],
    unit: str,
    *,
    peer: str,
    measure: str = "",
    goal: Goal | None = None,
    less: bool = False,
) -> None:
    """Tell the rounds of ours and of a peer; a pair is of the same round.

    ``less``: the smaller figure is the better one. ``measure``: what else was measured in that case.
    """
    told = Figure(case=case, measure=measure, unit=unit, ours=[*ours], peers=[*peers], peer=peer, less=less, goal=goal)
    _keep(told)
    mine, theirs = number(statistics.median(ours)), number(statistics.median(peers))
    both = f"ours {mine:>8}   {peer} {theirs:>8} {unit}"
    _print(_name(case, measure), both, _ratio(told), _goal(told))


def alone(
    case: str,
    ours: Sequence[float],
    unit: str,
    *,
    measure: str = "",
    goal: Goal | None = None,
    less: bool = False,
) -> None:
    """Tell the rounds of ours, where there is no peer."""
    told = Figure(case=case, measure=measure, unit=unit, ours=[*ours], less=less, goal=goal)
    _keep(told)
    spread = Spread.of(ours)
    range_ = f"(from {number(spread.least)} to {number(spread.most)})" if len(ours) > 1 else ""
    _print(_name(case, measure), f"ours {number(spread.median):>8}   {unit}", range_, _goal(told))


def curve(
    case: str,
    grows: str,
    at: Sequence[float],
    ours: Sequence[Sequence[float]],
    unit: str,
    *,
    peers: Sequence[Sequence[float]] = (),
    peer: str = "",
    measure: str = "",
    goal: Goal | None = None,
    less: bool = True,
) -> None:
    """Tell what something costs as there is more and more of ``grows``: for each of ``at`` its rounds."""
    told = Curve(case=case, measure=measure, grows=grows, at=[*at], unit=unit, ours=[[*rounds] for rounds in ours])
    told.peers, told.peer, told.less, told.goal = [[*rounds] for rounds in peers], peer, less, goal
    _keep(told)
    for name, sides in (("ours", told.ours), (peer, told.peers)):
        if sides:
            points = zip(at, sides, strict=True)
            text = "   ".join(f"{one:,g}: {number(statistics.median(rounds))}" for one, rounds in points)
            _print(_name(case, measure) if name == "ours" else "", f"{name}, {grows}: {text} {unit}", "", "")
    slopes = f"slope {told.slope:.2f}, at its end {told.end_slope:.2f}"
    _print("", f"{slopes}: {meaning(told.end_slope)}", "", _goal(told))


def skip(what: str, reason: str, advice: str = "") -> None:
    """Tell what is left out, and why: a missing program by its name, and the package that has it as the advice."""
    _keep(Skipped(what=what, reason=reason, advice=advice))
    print(f"  {what}: skipped, {reason}{f'; {advice}' if advice else ''}", flush=True)


def missing(package: str, what: str, program: str = "") -> None:
    """Tell that ``what`` is left out because a program of a Debian package is not installed."""
    skip(what, f"{program or package} is not installed", f"on Debian: sudo apt install {package}")


def note(text: str) -> None:
    """Tell under which circumstances the next figures come about, or what was seen beside the last ones."""
    _keep(Note(text=text))
    print(text, flush=True)


def _keep(result: Result) -> None:
    if file := os.environ.get(RESULTS):
        with Path(file).open("ab") as lines:
            lines.write(line_of(result))


def _name(case: str, measure: str) -> str:
    return f"  {measure}" if measure else case


def _ratio(told: Figure) -> str:
    if not told.ratios:
        return ""
    spread = Spread.of(told.ratios)
    range_ = f" (from {spread.least:.2f} to {spread.most:.2f})" if len(told.ratios) > 1 else ""
    return f"ratio {spread.median:6.2f}{range_}"


def _goal(told: Figure | Curve) -> str:
    return f"goal {told.goal.told(told.unit)}: {told.reached}" if told.goal is not None else ""


def _print(name: str, figures: str, spread: str, goal: str) -> None:
    print(f"  {name:44} {figures:56} {spread:32} {goal}".rstrip(), flush=True)
