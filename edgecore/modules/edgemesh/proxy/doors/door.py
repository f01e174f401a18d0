"""Where clients come in: one address and port, and who came in by it."""

from dataclasses import dataclass, field
from typing import Protocol

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import Meant

_TIDY_FROM = 64


class Entered(Protocol):
    """A client that came in, whatever it speaks."""

    def leave(self) -> None:
        """Close, after what is being served if there is such."""

    def abort(self) -> None:
        """Close at once."""


@dataclass(eq=False)
class Door:
    """Where clients come in. ``service`` is None for the plain listener."""

    service: ServiceKey | None
    address: Endpoint
    closed: bool = False
    """No more connections; those that are open are closed after the request they serve."""
    clients: set[Entered] = field(default_factory=set)
    host: bytes = field(init=False)
    """As in a Host header: what a client that names no host has spoken to."""

    def __post_init__(self) -> None:
        self.host = str(self.address).encode("ascii")

    def close(self) -> None:
        """Let nobody in any more; clients leave when they are done."""
        self.closed = True
        for client in list(self.clients):
            client.leave()

    def abort(self) -> None:
        """Let nobody in any more, and have everybody out at once."""
        self.close()
        for client in list(self.clients):
            client.abort()


class Doors:
    """The doors behind one listening socket: the one it was opened as, and one for each other address that is meant.

    The others are forgotten once nobody is behind them, so there are no more of them than about twice the clients.
    """

    def __init__(self, front: Door) -> None:
        self.front = front
        self._others: dict[Meant, Door] = {}
        self._tidy_at = _TIDY_FROM

    @property
    def over(self) -> bool:
        """Whether they are closed and the last client has left."""
        return self.front.closed and not any(door.clients for door in self._all())

    def of(self, meant: Meant) -> Door:
        """Return the door for what a connection means."""
        if meant == (self.front.service, self.front.address):
            return self.front
        door = self._others.get(meant)
        if door is None:
            self._tidy()
            door = self._others[meant] = Door(*meant, closed=self.front.closed)
        return door

    def close(self) -> None:
        """Close all of them."""
        for door in self._all():
            door.close()

    def abort(self) -> None:
        """Abort all of them."""
        for door in self._all():
            door.abort()

    def _all(self) -> tuple[Door, ...]:
        return (self.front, *self._others.values())

    def _tidy(self) -> None:
        if len(self._others) >= self._tidy_at:
            self._others = {meant: door for meant, door in self._others.items() if door.clients}
            self._tidy_at = max(_TIDY_FROM, 2 * len(self._others))
