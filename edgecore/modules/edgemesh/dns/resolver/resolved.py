"""The reply to one asker and how it was come by, and what the resolver is to keep to."""

from typing import NamedTuple

from edgecore.modules.edgemesh.dns.resolver.exchange import Server, Tried

HOW = ("hit", "miss", "joined", "stale", "remembered", "failed", "busy")


class How(NamedTuple):
    """How an answer was come by."""

    outcome: str
    """One of ``HOW``."""
    zone: str = ""
    """The zone whose servers are asked; empty: those for all other names."""
    server: Server | None = None
    """Who said so, now or when the answer was kept."""
    rtt_s: float | None = None
    age_s: float | None = None
    """How old it is, if it was kept."""
    is_prefetched: bool = False
    reason: str = ""
    """Why there is no answer, or only an old one: a fixed snake_case word."""
    tried: tuple[Tried, ...] = ()
    """Who was asked, and what they did, if they were asked for this."""


class Resolved(NamedTuple):
    """The reply to one asker, and how it was come by."""

    reply: bytes
    how: How


class ResolverSettings(NamedTuple):
    """``cache_size``: answers kept. ``stale_s``: how long after their end. ``in_flight_limit``: questions at one time.

    ``client_limit``: askers that wait at one time for one client.
    """

    cache_size: int = 10_000
    max_ttl_s: int = 3600
    stale_s: int = 86_400
    prefetch: bool = True
    in_flight_limit: int = 512
    client_limit: int = 256
