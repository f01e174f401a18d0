"""The bus: mailboxes, synchronous requests, groups, taps, statistics.

A module gets a ``Port`` when it is registered; everything it sends or receives goes through it, so the bus always knows
from whom. All modules are registered before any is started (bug B7).

What holds (and does not in Go: bugs B2 to B6):

* A mailbox is bounded; a sender waits for room until the send deadline, then gets ``MailboxFull``. A module that sends
  to its own full mailbox gets it at once, for nobody could make room.
* Messages of one sender reach one receiver in the order sent, whether by name or by group.
* A reply finds its slot however quick it is. A late or unasked one is counted, logged and dropped, and blocks nobody.
* Cancelling any wait leaves nothing behind and loses no message that was accepted.
"""

from collections.abc import Iterator

from edgecore.beehive.mailbox import Mailbox, MailboxStatistics
from edgecore.beehive.port import Port
from edgecore.beehive.switchboard import Switchboard
from edgecore.clock import Clock
from edgecore.errors import BusClosed, BusError, UnknownModule
from edgecore.ids import NewId

MAILBOX_CAPACITY = 1024
SEND_TIMEOUT_S = 30.0


class Bus(Switchboard):
    """The modules of one node and the messages between them. To be made inside the event loop that will run it."""

    def __init__(
        self,
        clock: Clock,
        new_id: NewId,
        *,
        capacity: int = MAILBOX_CAPACITY,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        super().__init__(clock, new_id, send_timeout_s)
        self.capacity = capacity
        self._ports: dict[str, Port] = {}

    def register(self, name: str, group: str, *, capacity: int | None = None) -> "Port":
        """Make the mailbox of module ``name``, a member of ``group``, and return its port.

        Raises ``BusError`` if the name is taken.
        """
        if name in self.mailboxes:
            raise BusError(f"cannot register module {name}: the name is taken")
        mailbox = Mailbox(name, group, self.capacity if capacity is None else capacity)
        self.mailboxes[name] = mailbox
        self.groups[group] = (*self.groups.get(group, ()), mailbox)
        port = self._ports[name] = Port(self, mailbox)
        return port

    def withdraw(self, name: str) -> None:
        """Take module ``name`` off the bus: what is sent to it from now on is dropped, as for a name nobody has."""
        mailbox = self.mailboxes.pop(name, None)
        if mailbox is None:
            return
        members = tuple(member for member in self.groups[mailbox.group] if member is not mailbox)
        if members:
            self.groups[mailbox.group] = members
        else:
            del self.groups[mailbox.group]
        mailbox.fail(UnknownModule(f"module {name} was withdrawn"))

    def readmit(self, name: str) -> None:
        """Put a module that was withdrawn on the bus again, with what lay in its mailbox then."""
        if self.closed or name in self.mailboxes:
            return
        mailbox = self._ports[name].mailbox
        self.mailboxes[name] = mailbox
        self.groups[mailbox.group] = (*self.groups.get(mailbox.group, ()), mailbox)

    def statistics(self) -> dict[str, MailboxStatistics]:
        """Return the figures of every module, by name."""
        return {name: port.statistics() for name, port in self._ports.items()}

    def boxes(self) -> Iterator[Mailbox]:
        """Yield the mailbox of every module, those that are withdrawn included."""
        return (port.mailbox for port in self._ports.values())

    def count_drop(self, module: str, reason: str) -> None:
        """Count a message of ``module`` that somebody took out of a mailbox."""
        dropped = self._ports[module].dropped
        dropped[reason] = dropped.get(reason, 0) + 1

    def close(self) -> None:
        """End every wait with ``BusClosed``, accept no more messages; what lies in a mailbox can still be taken out."""
        if self.closed:
            return
        self.closed = True
        error = BusClosed("the bus is closed")
        for mailbox in self.mailboxes.values():
            mailbox.fail(error)
        self.pending.fail(error)
        self.mailboxes.clear()
        self.groups.clear()
