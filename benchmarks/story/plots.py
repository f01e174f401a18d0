"""Plots as SVG, each with a ground of its own, light or dark as the reader's system is; no other program is needed."""

import math
import statistics
from collections.abc import Iterator, Sequence
from html import escape

from rows.results import Curve, Figure, Spread, number

STYLE = """<style>
.ground { fill: #ffffff; stroke: #d0d7de; }
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.quiet { fill: #59636e; } .title { font-weight: 600; font-size: 14px; } .end { text-anchor: end; }
.middle { text-anchor: middle; }
.grid { stroke: #e3e7eb; } .one { stroke: #59636e; stroke-width: 1.5; } .goal { stroke: #9a6700; stroke-width: 2.5; }
.ours { stroke: #0969da; fill: #0969da; } .peer { stroke: #8250df; fill: #8250df; }
.ours.hollow, .peer.hollow { fill: #ffffff; }
.line { fill: none; stroke-width: 2; } .peer.line { stroke-dasharray: 5 3; }
.whisker { stroke-width: 2; opacity: 0.45; }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117; stroke: #30363d; } text { fill: #e6edf3; } .quiet { fill: #9198a1; }
  .grid { stroke: #262c36; } .one { stroke: #9198a1; } .goal { stroke: #d29922; }
  .ours { stroke: #4493f8; fill: #4493f8; } .peer { stroke: #ab7df8; fill: #ab7df8; }
  .ours.hollow, .peer.hollow { fill: #0d1117; } .line { fill: none; }
}
</style>"""
"""Classes that come later win: ``line`` after the colours."""
WIDTH, MARGIN = 860, 16
LABEL, FIGURE = 330, 70
"""The room for names at the left, and for figures at the right."""
ROW, TOP, BOTTOM = 22, 62, 34
CELL_HEIGHT, CELL_LEFT = 250, 62


class Scale:
    """Logarithmic: from what is measured to where that is in the plot."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, span: float) -> None:
        """``span``: how many times the least the most is, at least, so that what hardly differs looks like that."""
        positive = [value for value in values if value > 0] or [1.0]
        wider = max(1.15, math.sqrt(span * min(positive) / max(positive)))
        self.least, self.most = min(positive) / wider, max(positive) * wider
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        """Return where ``value`` is; what is not above 0 lies at the beginning."""
        part = math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        return round(self._start + part * (self._end - self._start), 1)

    def ticks(self) -> list[float]:
        """Return round values: a few, however far it goes."""
        first, last = math.floor(math.log10(self.least)), math.ceil(math.log10(self.most))
        for steps in ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
            found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
            inside = [each for each in found if self.least <= each <= self.most]
            if len(inside) <= 8:
                return inside
        return inside[:: len(inside) // 8 + 1]


def ratios(title: str, figures: Sequence[Figure]) -> str:
    """Return a row for each figure: the median of its ratios, their range, and the goal."""
    goals = [each.goal.value for each in figures if each.goal is not None and each.goal.of == "ratio"]
    scale = Scale(
        [1.0, *goals, *(ratio for each in figures for ratio in each.ratios)],
        MARGIN + LABEL,
        WIDTH - MARGIN - FIGURE,
        span=4.0,
    )
    height = TOP + ROW * len(figures) + BOTTOM
    return _drawing(height, title, [*_frame(title, scale, height), *_rows(figures, scale)])


def _frame(title: str, scale: Scale, height: int) -> Iterator[str]:
    yield _text(MARGIN, 26, f"{title}: ours beside the peer", "title")
    yield _line(MARGIN + 2, 35, MARGIN + 2, 49, "goal")
    yield _text(
        MARGIN + 10,
        46,
        "the goal; right of 1: better than the peer; hollow: goal missed; bars: from the least to the most",
        "quiet",
    )
    for tick in scale.ticks():
        if tick != 1.0:
            yield _line(scale(tick), TOP - 4, scale(tick), height - BOTTOM, "grid")
            yield _text(scale(tick), height - 14, f"{tick:g}", "quiet middle")
    yield _line(scale(1.0), TOP - 4, scale(1.0), height - BOTTOM, "one")
    yield _text(scale(1.0), height - 14, "1", "middle")


def _rows(figures: Sequence[Figure], scale: Scale) -> Iterator[str]:
    for place, each in enumerate(figures):
        middle = TOP + ROW * place + ROW // 2
        spread = Spread.of(each.ratios)
        name = f"{each.case}, {each.measure}" if each.measure else each.case
        beside = "" if each.peer in name else f" / {each.peer}"
        yield _text(MARGIN, middle + 4, _cut(f"{name}{beside}", 54))
        yield _line(scale(spread.least), middle, scale(spread.most), middle, "ours whisker")
        if each.goal is not None and each.goal.of == "ratio":
            yield _line(scale(each.goal.value), middle - 8, scale(each.goal.value), middle + 8, "goal")
        missed = " hollow" if each.reached == "missed" else ""
        yield f'<circle cx="{scale(spread.median)}" cy="{middle}" r="4.5" stroke-width="2" class="ours{missed}"/>'
        yield _text(WIDTH - MARGIN, middle + 4, number(spread.median), "end")


def curves(title: str, found: Sequence[Curve]) -> str:
    """Return a small plot for each curve, two in a row, both axes logarithmic."""
    lines = math.ceil(len(found) / 2)
    height = 44 + lines * CELL_HEIGHT
    body = [_text(MARGIN, 26, f"{title}: as work grows", "title")]
    for number_, curve in enumerate(found):
        left = MARGIN + number_ % 2 * (WIDTH - 2 * MARGIN) // 2
        body += _cell(curve, left, 44 + number_ // 2 * CELL_HEIGHT)
    return _drawing(height, title, body)


def _cell(curve: Curve, left: int, top: int) -> Iterator[str]:
    right, bottom = left + (WIDTH - 2 * MARGIN) // 2 - 84, top + CELL_HEIGHT - 52
    sides = [("ours", "ours", curve.ours)] + ([("peer", curve.peer, curve.peers)] if curve.peers else [])
    across = Scale(curve.at, left + CELL_LEFT, right, span=1.0)
    upward = Scale([value for _, _, side in sides for rounds in side for value in rounds], bottom, top + 30, span=30.0)
    name = f"{curve.case}, {curve.measure}" if curve.measure else curve.case
    yield _text(left, top + 14, _cut(f"{name}, {curve.unit}", 60))
    for tick in upward.ticks():
        yield _line(left + CELL_LEFT, upward(tick), right, upward(tick), "grid")
        yield _text(left + CELL_LEFT - 6, upward(tick) + 4, f"{tick:,g}", "quiet end")
    for one in curve.at:
        yield _text(across(one), bottom + 18, f"{one:,g}", "quiet middle")
    told = f"{curve.grows} (slope {curve.slope:.2f}, at its end {curve.end_slope:.2f})"
    yield _text((left + CELL_LEFT + right) / 2, bottom + 34, told, "quiet middle")
    ends = _apart([upward(statistics.median(side[-1])) for _, _, side in sides])
    for (kind, word, side), end in zip(sides, ends, strict=True):
        middles = [statistics.median(rounds) for rounds in side]
        points = [(across(one), upward(middle)) for one, middle in zip(curve.at, middles, strict=True)]
        yield f'<polyline points="{" ".join(f"{x},{y}" for x, y in points)}" class="{kind} line"/>'
        for (x, y), rounds in zip(points, side, strict=True):
            yield _line(x, upward(min(rounds)), x, upward(max(rounds)), f"{kind} whisker")
            yield f'<circle cx="{x}" cy="{y}" r="3.5" class="{kind}"/>'
        yield _text(right + 8, end + 4, _cut(word, 13))


def _apart(ends: list[float]) -> list[float]:
    """Return where names at the ends of lines go: not over each other."""
    if len(ends) == 2 and abs(ends[0] - ends[1]) < 14:
        lower = 1 if ends[1] >= ends[0] else 0
        ends[lower] = ends[1 - lower] + 14
    return ends


def _drawing(height: int, title: str, body: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    ground = f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>'
    return "\n".join([f'{head} role="img">', f"<title>{escape(title)}</title>", STYLE, ground, *body, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{named}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
