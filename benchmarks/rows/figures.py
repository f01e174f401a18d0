"""Figures of ours and of a peer, side by side."""

import statistics
from collections.abc import Sequence


def beside(
    what: str, ours: Sequence[float], peers: Sequence[float], unit: str, *, goal: str, less: bool = False
) -> None:
    """Print the medians of both and of the ratios of the pairs; over 1 is better than the peer.

    ``less``: the smaller figure is the better one.
    """
    ratios = sorted(peer / our if less else our / peer for our, peer in zip(ours, peers, strict=True))
    both = f"ours {number(statistics.median(ours)):>8}   peer {number(statistics.median(peers)):>8} {unit:10}"
    spread = f"(from {ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"  {what:38} {both} ratio {statistics.median(ratios):6.2f} {spread:24} {goal}", flush=True)


def alone(what: str, ours: Sequence[float], unit: str, *, goal: str = "") -> None:
    """Print a median and the range it comes from."""
    spread = f"(from {number(min(ours))} to {number(max(ours))})"
    print(f"  {what:38} ours {number(statistics.median(ours)):>8}   {unit:10} {spread:30} {goal}", flush=True)


def number(value: float) -> str:
    """Return ``value`` with three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"
