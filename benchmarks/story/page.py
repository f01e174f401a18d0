"""The page that tells a run, in Markdown, with plots beside it."""

import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rows.results import Curve, Figure, Note, Skipped, Spread, meaning, number, slope_of

from story.document import Document, Report
from story.plots import curves, ratios

WORDS = ("reached", "acceptable", "missed")
MARKS = {"reached": "reached", "acceptable": "acceptable", "missed": "**missed**", "": ""}
HEAD = """# Benchmarks

What the parts of a node cost, each beside something that does the same, measured in turn in the same run. Made by
`make bench PAGE=docs/benchmarks.md`; the rounds of all figures are in [{json}]({json}).

*Ours* and *peer* are medians of the rounds, with the least and the most. A *ratio* is that of two figures of the same
round; **over 1, ours is better than the peer**. What each case is, and what its peer does, stands at the head of its
script: `python benchmarks/dns.py --help`.
"""


def write_page(document: Document, path: Path) -> None:
    """Write it to ``path``, and its plots into a folder beside it, named as it is; those of before go."""
    plots = path.with_suffix("")
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    for name, text in plots_of(document).items():
        (plots / name).write_text(text)
    path.write_text(page(document, path.with_suffix("").name))


def plots_of(document: Document) -> dict[str, str]:
    """Return the plots by the names of their files."""
    found: dict[str, str] = {}
    for report in document.areas:
        figures = [each for each in report.results if isinstance(each, Figure) and each.ratios]
        shown = [each for each in figures if not each.measure or each.goal is not None]
        if shown:
            found[f"{report.name}.svg"] = ratios(report.title, shown)
        climbing = [each for each in report.results if isinstance(each, Curve)]
        if climbing:
            found[f"{report.name}-curves.svg"] = curves(report.title, climbing)
    return found


def page(document: Document, stem: str) -> str:
    """Return the text; ``stem``: the name of the page and of the folder of its plots."""
    return "\n".join([HEAD.format(json=f"{stem}.json"), *_body(document, stem)]).rstrip() + "\n"


def summary(document: Document) -> str:
    """Return in a few lines, for a terminal, what became of all."""
    lines = ["", "== All"]
    for report in document.areas:
        said = Counter(report.verdicts())
        goals = ", ".join(f"{count} {word}" for word, count in said.items()) or "no goals"
        took = f"{report.took_s:5.0f} s   {report.state:12}"
        lines.append(f"  {report.title:28} {took} {goals}   {report.reason}".rstrip())
    lines += [f"  missed: {text}" for text in _missed(document)]
    lines += [f"  skipped: {text}" for text in _skipped(document)]
    return "\n".join(lines)


def _body(document: Document, stem: str) -> Iterator[str]:
    yield from _machine(document)
    yield from _overview(document)
    plots = plots_of(document)
    for report in document.areas:
        yield f"## {report.title}\n"
        yield from _area(report, stem, plots)


def _machine(document: Document) -> Iterator[str]:
    yield "## Where\n"
    if document.quick:
        yield "Small counts, once each (`--quick`): these figures say little.\n"
    rows = {"measured at": document.made_at} | document.machine
    yield from _table(("", ""), [(name, value) for name, value in rows.items()])
    told = ", ".join(f"{name} {value}" for name, value in document.versions.items())
    yield f"Versions: {told}.\n"


def _overview(document: Document) -> Iterator[str]:
    yield "## Goals\n"
    rows = []
    for report in document.areas:
        said = Counter(report.verdicts())
        counts = [str(said[word] or "") for word in WORDS]
        link = f"[{report.title}](#{_anchor(report.title)})"
        rows.append((link, *counts, f"{report.took_s:.0f} s", "" if report.state == "measured" else report.state))
    said = Counter(word for report in document.areas for word in report.verdicts())
    yield f"{sum(said.values())} goals: {', '.join(f'{said[word]} {word}' for word in WORDS)}.\n"
    yield from _table(("Area", "Reached", "Acceptable", "Missed", "Took", ""), rows)
    for title, found in (("Missed", _missed(document)), ("Left out", _skipped(document))):
        if found:
            yield f"{title}:\n"
            yield "\n".join(f"* {_escaped(each)}" for each in found) + "\n"


def _area(report: Report, stem: str, plots: dict[str, str]) -> Iterator[str]:
    yield f"`{report.command}`\n"
    if report.state != "measured":
        yield f"Not all of it: {report.state}; {_escaped(report.reason)}.\n"
    notes = [each.text for each in report.results if isinstance(each, Note)]
    if notes:
        yield "\n".join(f"* {_escaped(text)}" for text in notes) + "\n"
    for name, what in ((f"{report.name}.svg", "ratios"), (f"{report.name}-curves.svg", "curves")):
        if name in plots:
            yield f"![{report.title}: {what}]({stem}/{name})\n"
    figures = [each for each in report.results if isinstance(each, Figure)]
    if figures:
        yield from _table(("Case", "Ours", "Peer", "Ratio", "Goal", ""), _rows(figures))
    found = [each for each in report.results if isinstance(each, Curve)]
    for curve in found:
        yield from _curve(curve)


def _rows(figures: list[Figure]) -> Iterator[tuple[str, ...]]:
    before = None
    for each in figures:
        name = f"… {each.measure}" if each.case == before and each.measure else _name(each)
        before = each.case
        goal = _goal(each)
        peer = f"{each.peer}: {_spread(each.peers)}" if each.peers else ""
        ours, ratio = f"{_spread(each.ours)} {each.unit}", _spread(each.ratios, bold=True)
        yield name, ours, peer, ratio, goal, MARKS[each.reached]


def _curve(curve: Curve) -> Iterator[str]:
    head = ("", *(f"{one:,g} {curve.grows}" for one in curve.at), "Slope", "At its end", "")
    sides = [("ours", curve.ours)] + ([(curve.peer, curve.peers)] if curve.peers else [])
    rows = [_points(name, curve, side) for name, side in sides]
    goal = f"; goal {_goal(curve)}: {MARKS[curve.reached]}" if curve.goal is not None else ""
    yield f"{_name(curve)} ({curve.unit}){goal}:\n"
    yield from _table(head, rows)


def _points(name: str, curve: Curve, side: list[list[float]]) -> tuple[str, ...]:
    middles = [statistics.median(rounds) for rounds in side]
    whole, end = slope_of(curve.at, middles), slope_of(curve.at[-2:], middles[-2:])
    return (name, *(_spread(rounds) for rounds in side), f"{whole:.2f}", f"{end:.2f}", meaning(end))


def _spread(values: list[float], *, bold: bool = False) -> str:
    if not values:
        return ""
    middle = f"**{number(statistics.median(values))}**" if bold else number(statistics.median(values))
    found = Spread.of(values)
    return middle if len(values) == 1 else f"{middle} ({number(found.least)}-{number(found.most)})"


def _missed(document: Document) -> list[str]:
    found = []
    for report in document.areas:
        judged = [each for each in report.results if isinstance(each, Figure | Curve) and each.reached == "missed"]
        found += [f"{report.title}, {_name(each)}: {_is(each)}, goal {_goal(each)}" for each in judged]
    return found


def _name(each: Figure | Curve) -> str:
    return f"{each.case}, {each.measure}" if each.measure else each.case


def _goal(each: Figure | Curve) -> str:
    return each.goal.told(each.unit) if each.goal is not None else ""


def _is(each: Figure | Curve) -> str:
    """Return what the goal is judged by."""
    if isinstance(each, Curve):
        return f"slope {each.slope:.2f}, at its end {each.end_slope:.2f}"
    values = each.ratios if each.goal is not None and each.goal.of == "ratio" else each.ours
    return number(statistics.median(values))


def _skipped(document: Document) -> list[str]:
    found = []
    for report in document.areas:
        if report.state != "measured":
            found.append(f"{report.title}: {report.state}; {report.reason}")
        told = [each for each in report.results if isinstance(each, Skipped)]
        whys = ("; ".join(filter(None, (each.reason, each.advice))) for each in told)
        found += [f"{report.title}, {each.what}: {why}" for each, why in zip(told, whys, strict=True)]
    return found


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> Iterator[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    yield "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("\n", " ")


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")
