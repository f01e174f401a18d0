"""One endpoint of one port, as a process that forwards knows it: what it has done lately and what is under way."""

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Protocol

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import Backend

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram's buckets; one more bucket holds what took longer."""


class Draining(Protocol):
    """A connection to a host, or what uses one."""

    def drain(self) -> None:
        """Take note that the host is gone: end when what is under way is done."""

    def abort(self) -> None:
        """End at once."""


class Host:
    """See the module. Whoever forwards changes the figures directly: they are on the way of every request.

    ``idle``, ``users``, ``errors`` and ``latency`` are made when they are first looked at: a node knows many hosts that
    it never sends to.
    """

    __slots__ = (
        "active",
        "backend",
        "check_error",
        "checked",
        "connections",
        "ejected_until",
        "ejections",
        "ejections_lately",
        "endpoint",
        "errors",
        "ewma_s",
        "failures",
        "gone",
        "idle",
        "in_since",
        "last_error",
        "last_error_at",
        "latency",
        "latency_sum_s",
        "requests",
        "users",
        "well_since",
    )

    idle: list[Any]
    """Connections kept for the next request; only whoever put them there takes them."""
    users: set[Draining]
    """What is to be told when the host goes."""
    errors: dict[str, int]
    """Reason to the number of requests that failed here."""
    latency: list[int]
    """Requests by the time to the first byte of the answer: the histogram's buckets, not summed up."""

    def __init__(self, backend: Backend, endpoint: Endpoint) -> None:
        self.backend = backend
        self.endpoint = endpoint
        self.gone = False
        """It is no backend of the port any more: what is under way may end, nothing new begins."""

        self.active = 0
        """Requests, connections of bytes, or flows that are under way."""
        self.ewma_s = 0.0
        """Moving average of the time to the first byte of an answer; 0 before the first."""

        self.failures = 0
        """Failures in a row; 1 when it is back on trial."""
        self.last_error = ""
        """The reason of the failure that came last."""
        self.last_error_at = 0.0
        """When that was, by the monotonic clock."""
        self.ejected_until = 0.0
        """Left out until this moment of the monotonic clock; 0: it is in."""
        self.in_since = 0.0
        """When it came back last, or the cloud had news of it: requests that began before say nothing of it."""
        self.ejections_lately = 0
        """How often it was left out without having been well long since: the next time lasts longer."""
        self.well_since = 0.0
        """When it first served a request after it was left out last; 0: not yet, and one failure is one too many."""
        self.checked: bool | None = None
        """What the active checks say: well or not; ``None``: nothing (yet)."""
        self.check_error = ""
        """Why the last active check failed; empty if it did not."""

        self.requests = 0
        """Requests, connections or flows that were sent here."""
        self.latency_sum_s = 0.0
        self.connections = 0
        """Open connections, idle ones included."""
        self.ejections = 0
        """How often it was left out."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Make what is looked at for the first time."""
            if name == "latency":
                value = [0] * (len(LATENCY_BOUNDS_S) + 1)
            elif name in _EMPTY_AT_FIRST:
                value = _EMPTY_AT_FIRST[name]()
            else:
                raise AttributeError(name, name=name, obj=self)
            setattr(self, name, value)
            return value

    @property
    def on_trial(self) -> bool:
        """Whether it is back from being left out, and nothing has come of it yet."""
        return self.ejections_lately > 0 and not self.well_since and not self.ejected_until

    def took(self, seconds: float) -> None:
        """Enter how long an answer took to begin."""
        self.latency[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        self.latency_sum_s += seconds

    def failed(self, reason: str, now: float) -> None:
        """Count a request that failed here. ``Upstream.failed`` draws the conclusions."""
        self.errors[reason] = self.errors.get(reason, 0) + 1
        self.last_error = reason
        self.last_error_at = now

    def judge_anew(self, now: float) -> None:
        """Forget how well it did: there is newer word of it than our own."""
        self.in_since = now
        self.failures = self.ejections_lately = 0
        self.ejected_until = self.well_since = 0.0
        self.checked = None
        self.check_error = ""

    def absorb(self, other: "Host") -> None:
        """Take over what ``other`` has counted; it counts from 0 again. What is under way there is not touched."""
        self.requests += other.requests
        self.ejections += other.ejections
        self.latency_sum_s += other.latency_sum_s
        self.latency = [old + new for old, new in zip(self.latency, other.latency, strict=True)]
        for reason, number in other.errors.items():
            self.errors[reason] = self.errors.get(reason, 0) + number
        other.requests = other.ejections = 0
        other.latency_sum_s = 0.0
        other.latency = [0] * len(other.latency)
        other.errors.clear()


_EMPTY_AT_FIRST = {"idle": list, "users": set, "errors": dict}
