"""What one process counts of its queries: plain numbers, for sums over all processes that answer."""

from collections.abc import Iterable

OUTCOMES = (
    "answered",
    "nodata",
    "nxdomain",
    "cached",  # what an upstream server answered before
    "forwarded",
    "failed",  # no upstream server answered: SERVFAIL
    "busy",  # too many queries in flight: SERVFAIL
    "refused",
    "notimp",
    "badvers",
    "formerr",
    "dropped",
)

Figures = dict[str, dict[str, int]]
"""Family to label to number."""


class Tally:
    """Counts since the process began."""

    def __init__(self) -> None:
        self.queries = dict.fromkeys(OUTCOMES, 0)
        """Outcome to the number of queries that had it."""
        self.bad_packets: dict[str, int] = {}
        self.surplus: dict[str, int] = {"client_share": 0}
        """Why queries were not even looked at, or got SERVFAIL: others would have had to wait for them."""
        self.replies = {"unsent": 0, "ignored": 0, "come_by_tcp": 0}
        """Those that no socket took; upstream packets that answer nothing; those cut short (``Allowance``)."""
        self.connections = dict.fromkeys(("accepted", "refused", "idle", "slow_reader", "no_query", "full"), 0)
        """TCP: accepted; refused at once; ended by us, by reason."""

    def figures(self) -> Figures:
        """Return all of them: the values are copies."""
        return {name: dict(counts) for name, counts in vars(self).items()}


def added(all_figures: Iterable[Figures]) -> Figures:
    """Return the sums."""
    sums: Figures = {}
    for figures in all_figures:
        for family, counts in figures.items():
            into = sums.setdefault(family, {})
            for label, count in counts.items():
                into[label] = into.get(label, 0) + count
    return sums
