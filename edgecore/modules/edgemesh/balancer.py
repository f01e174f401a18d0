"""Choosing one endpoint out of several: round robin (kubeedge ``lbStrategy: RoundRobin``)."""

from collections.abc import Callable
from itertools import cycle

from edgecore.modules.edgemesh.names import Endpoint


class RoundRobin:
    """Takes the endpoints of one port of one service in turn.

    Choosing is one call of a C iterator over a ready tuple, and creates nothing.
    """

    __slots__ = ("_last", "_next", "endpoints")

    def __init__(self) -> None:
        self.endpoints: tuple[Endpoint, ...] = ()
        self._last: Endpoint | None = None
        self._next: Callable[[], Endpoint] = cycle(()).__next__

    def replace(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Choose from ``endpoints`` from now on.

        The turn goes on behind the endpoint that was chosen last, if it stays: many updates do not favour the first.
        """
        if endpoints == self.endpoints:
            return
        self.endpoints = endpoints
        start = endpoints.index(self._last) + 1 if self._last in endpoints else 0
        self._next = cycle(endpoints[start:] + endpoints[:start]).__next__

    def choose(self) -> Endpoint | None:
        """Return the endpoint whose turn it is; ``None`` if there are none."""
        try:
            self._last = chosen = self._next()
        except StopIteration:
            return None
        return chosen
