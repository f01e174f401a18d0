"""Rounds with something and without it, side by side."""

import statistics

Runs = dict[bool, list[tuple[float, float]]]
"""With it, and without: of each round the messages a second, and the microseconds of processor for each."""


def show_ratios(runs: Runs, done: str, goal: float) -> None:
    """Print the ratios of rounds that follow each other: 1 is free of cost, less is dearer; ``goal`` is one of them."""
    pairs = list(zip(runs[True], runs[False], strict=True))
    for at, what in ((0, "messages a second"), (1, "us of processor for each")):
        ratios = sorted((on[at] / off[at]) if at == 0 else (off[at] / on[at]) for on, off in pairs)
        on, off = (statistics.median(one[at] for one in runs[way]) for way in (True, False))
        print(
            f"{what:25} not {done} {off:7.0f}   {done} {on:7.0f}   ratio {statistics.median(ratios):5.3f} "
            f"(from {ratios[0]:.3f} to {ratios[-1]:.3f})   goal {goal}",
            flush=True,
        )
