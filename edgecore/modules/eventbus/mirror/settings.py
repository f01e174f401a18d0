"""What the mirror and the way in may do."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Json = dict[str, Any]


class MirrorSettings(NamedTuple):
    """Of ``modules.eventBus.mirror`` and ``inject``."""

    mirrors: bool = False
    injects: bool = False
    rate: int = 100
    burst: int = 500
    share: float = 0.01
    """The part of the node's time that mirroring may take."""
    watched_rate: int = 5000
    watched_burst: int = 10_000
    watched_share: float = 0.1
    longest: int = 65_536
    redacts: bool = True
    version: str = "auto"
    state_every_s: float = 1.0
    inject_rate: int = 20
    inject_longest: int = 1_048_576

    @property
    def is_on(self) -> bool:
        """Whether brokers are spoken to at all."""
        return self.mirrors or self.injects


class Sights(NamedTuple):
    """What there is to see of the node; nothing of a module that does not run."""

    link: Callable[[], Json] = dict
    services: Callable[[], Iterable[Json]] = tuple
    """In short, as ``ServiceView.every`` has them."""
    pods: Callable[[], Iterable[Json]] = tuple
    """As ``pod_rows`` has them."""
