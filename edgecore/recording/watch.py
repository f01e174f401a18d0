"""Where the parts of a node show what passes them, so that it can be recorded.

Each of the attributes is ``None`` while nobody looks: what shows something asks for that first, and pays nothing else.
Who looks must be quick, and never raises.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edgecore.recording.entries import Direction, MqttDirection, ProxiedRequest


class ShowFrame(Protocol):
    """Takes one frame of the link to the cloud."""

    def __call__(self, direction: Direction, link: int, payload: bytes) -> None:
        """``link`` counts the connections of this process from 1."""


class ShowConnection(Protocol):
    """Takes what happened to the link to the cloud: ``open``, ``eof`` (one side ended it) or ``error``."""

    def __call__(self, direction: Direction, link: int, event: str, *, tls: str = "", detail: str = "") -> None:
        """See ``ConnectionEvent``."""


class ShowMqtt(Protocol):
    """Takes one message between the node and a broker: what came before it is put on the bus, and what is handed over
    to be published, once for each broker."""

    def __call__(self, direction: MqttDirection, broker: str, topic: str, payload: bytes, message_id: str = "") -> None:
        """See ``MqttMessage``."""


class ShowCommit(Protocol):
    """Takes what one transaction wrote; in the event loop, after the commit."""

    def __call__(self, writes: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Statements with their parameters, in the order in which they were executed."""


class ShowDns(Protocol):
    """Takes one question and its answer."""

    def __call__(self, client: str, transport: str, query: bytes, answer: bytes, took_us: int) -> None:
        """See ``DnsExchange``."""


class ShowLoss(Protocol):
    """Takes what worker processes could not show, because the node was slow to hear it."""

    def __call__(self, lost: int, reason: str) -> None:
        """See ``Loss``."""


class Watch:
    """Who is shown what. One for each node."""

    _followers: tuple[Callable[[], object], ...] = ()

    def __init__(self) -> None:
        self.frame: ShowFrame | None = None
        self.connection: ShowConnection | None = None
        self.mqtt: ShowMqtt | None = None
        self.commit: ShowCommit | None = None
        self.dns: ShowDns | None = None
        self.request: Callable[[ProxiedRequest], None] | None = None
        """Takes one request that is over; ``t_ns`` is when, ``line`` and ``n`` are for who writes it down."""
        self.lost: ShowLoss | None = None

    def follow(self, follower: Callable[[], object]) -> None:
        """Call ``follower`` now and after each change of who looks: for who must begin, or end, to show something."""
        self._followers = (*self._followers, follower)
        follower()

    def __setattr__(self, name: str, value: object) -> None:
        """Set, and tell the followers."""
        super().__setattr__(name, value)
        if not name.startswith("_"):
            for follower in self._followers:
                follower()
