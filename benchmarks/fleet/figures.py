"""Figures side by side: medians, the range that they come from, and how ours stands to the peer's."""

import statistics

STUB, PEER = "stub", "peer"


def shown(name: str, figures: list[float], unit: str) -> str:
    """Return a median with the range it comes from."""
    digits = 0 if min(figures) >= 1000 else 3
    middle, least, most = (f"{f(figures):.{digits}f}" for f in (statistics.median, min, max))
    return f"{name} {middle:>7} {unit} (from {least} to {most})"


def compare(what: str, ours: list[float], peers: list[float], unit: str) -> None:
    """Print both, and the ratio of each pair."""
    ratios = [our / peer if peer else 0.0 for our, peer in zip(ours, peers, strict=True)]
    print(
        f"{what:8} {shown('stub', ours, unit)}   {shown('peer', peers, unit)}   ratio {statistics.median(ratios):.2f}"
    )
