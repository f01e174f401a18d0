"""Which messages of the cloud were applied already, by id: the cloud sends one again until it sees the ack (pure).

=========  ======================================================  ==================================================
state      meaning                                                 the same message once more
=========  ======================================================  ==================================================
``TAKEN``  planned; its rows may be on their way                   waits behind it, then does what it came to
``STORED`` its rows are committed, the rest is being done          the same
``DONE``   stored and handed on                                    is acknowledged
``UNDONE`` rows committed, but a neighbour took nothing: no ack    if it waits behind: hands on and acknowledges
``LOST``   nothing of it was stored, or nobody knows               if it waits behind: nothing, the cloud sends again
=========  ======================================================  ==================================================

A message that is not known is done in full; so is one that came to ``UNDONE`` or ``LOST`` with nobody waiting behind.
"""

from collections.abc import Iterable
from enum import Enum

from edgecore.modules.metamanager.tables import add_applied, trim_applied
from edgecore.store.store import Statement

KEPT = 8192
"""How many ids are remembered. A cloud has one object under way to a node, and the lists of a few sessions."""
TRIM_EVERY = 1024
"""How many ids the table may hold beyond that, before the oldest are removed all at once."""


class State(Enum):
    """How far a message came; see above."""

    TAKEN = "taken"
    STORED = "stored"
    DONE = "done"
    UNDONE = "undone"
    LOST = "lost"


class Progress:
    """One message, on its way or done."""

    __slots__ = ("behind", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.behind = 0
        """How many of the same id wait behind it."""


class AppliedIds:
    """The newest ids, in the order in which their messages came."""

    def __init__(self, kept: int = KEPT, trim_every: int = TRIM_EVERY) -> None:
        self._kept = kept
        self._trim_every = trim_every
        self._known: dict[str, Progress] = {}
        self._untrimmed = 0

    def __len__(self) -> int:
        return len(self._known)

    def load(self, ids: Iterable[str]) -> None:
        """Remember what the table holds."""
        for message_id in ids:
            self._remember(message_id, Progress(State.DONE))
        self._untrimmed = self._trim_every  # what a process wrote before it ended was perhaps never trimmed

    def find(self, message_id: str) -> Progress | None:
        """Return how far the message of this id came; ``None`` if it is to be done in full."""
        return self._known.get(message_id)

    def take(self, message_id: str) -> Progress:
        """Note that a message is to be done in full, and will be acknowledged. One without an id is never known."""
        progress = Progress(State.TAKEN)
        if message_id:
            self._remember(message_id, progress)
        return progress

    def statements(self, message_id: str) -> tuple[Statement, ...]:
        """Return what is to be written with the rows of a message; now and then that trims the table as well."""
        if not message_id:
            return ()
        self._untrimmed += 1
        if self._untrimmed < self._trim_every:
            return (add_applied(message_id),)
        self._untrimmed = 0
        return (add_applied(message_id), trim_applied(self._kept))

    def settle(self, message_id: str, progress: Progress, *, done: bool) -> None:
        """Note how the doing of a message ended."""
        if done:
            progress.state = State.DONE
            return
        progress.state = State.UNDONE if progress.state in (State.STORED, State.UNDONE) else State.LOST
        nobody_takes_over = progress.state is State.LOST or not progress.behind
        if nobody_takes_over and self._known.get(message_id) is progress:
            del self._known[message_id]

    def _remember(self, message_id: str, progress: Progress) -> None:
        if message_id in self._known:
            del self._known[message_id]
        self._known[message_id] = progress
        if len(self._known) > self._kept:
            del self._known[next(iter(self._known))]
