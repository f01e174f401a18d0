"""Whether figures of a program stay flat while it works (pure): the slope after the warm-up, against a bound.

The slope is Theil and Sen's: the median of the slopes between all pairs of samples. A single high sample, such as one
taken in the middle of something, does not move it. What it adds up to from the end of the warm-up to the last sample is
the growth, and that is what is bounded: by a number, and by a share of what there was.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

WARM_UP = 1 / 3
"""The share of the time that is not judged: caches, pools and books of a fixed size fill."""
MOST_PAIRED = 240
"""Of more samples so many are paired, evenly chosen."""


class Sample(NamedTuple):
    """What a program had at one moment."""

    at_s: float
    figures: Mapping[str, float]


class Bound(NamedTuple):
    """How much a figure may grow after the warm-up."""

    absolute: float
    share: float = 0.0


class Growth(NamedTuple):
    """What became of one figure."""

    name: str
    level: float
    """The median after the warm-up."""
    grown: float
    """The slope times the time that was judged."""
    allowed: float
    least: float
    most: float

    @property
    def is_flat(self) -> bool:
        """Whether it did not grow by more than it may; to shrink is no fault."""
        return self.grown <= self.allowed

    def __str__(self) -> str:
        word = "flat" if self.is_flat else "GROWS"
        span = f"{self.least:,.0f} to {self.most:,.0f}"
        return f"{self.name}: {word}, {self.grown:+,.1f} (allowed {self.allowed:,.1f}) at {self.level:,.0f}, {span}"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope; 0 of fewer than two points."""
    chosen = points[:: max(1, -(-len(points) // MOST_PAIRED))]
    found = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(chosen, 2) if x2 > x1]
    return median(found) if found else 0.0


def growths(samples: Sequence[Sample], bounds: Mapping[str, Bound]) -> list[Growth]:
    """Return what became of each figure that has a bound. There are to be at least two samples."""
    first, last = samples[0].at_s, samples[-1].at_s
    judged = [sample for sample in samples if sample.at_s >= first + (last - first) * WARM_UP]
    found = []
    for name, bound in bounds.items():
        points = [(sample.at_s, sample.figures[name]) for sample in judged if name in sample.figures]
        if not points:
            continue
        values = [value for _, value in points]
        level = median(values)
        grown = slope(points) * (points[-1][0] - points[0][0])
        allowed = bound.absolute + bound.share * level
        found.append(Growth(name, level, grown, allowed, min(values), max(values)))
    return found
