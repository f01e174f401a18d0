"""Messages that follow from one another: by which hop and after how long one came; all cause and effect of one (pure).

Two messages belong to one chain where they have one id (a module handed it on) or one names the other as its parent (an
answer, an acknowledgement). A module that makes a message of its own without naming a parent begins a new chain.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import NamedTuple

from edgecore.beehive.passages import is_called
from edgecore.beehive.switchboard import Passage

KEPT = 4096
"""So many ids of messages are known, the latest ones."""


class Place(NamedTuple):
    """Where in its chain a message stands."""

    hop: int
    """1 for the first way between two modules, 2 for the ways that follow from that, and so on."""
    micros: int
    """Microseconds since the first."""


class _Chain:
    __slots__ = ("began_at", "hops")

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.hops: dict[str, int] = {}
        """By which hop each module was reached."""


class Chains:
    """Remembers the chains of the latest messages."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._chains: OrderedDict[str, _Chain] = OrderedDict()

    def place(self, passage: Passage) -> Place:
        """Return where ``passage`` stands; to be asked for every passage, in order."""
        header = passage.message.header
        chains = self._chains
        chain = chains.get(header.id)
        if chain is None:
            chain = chains.get(header.parent_id) if header.parent_id else None
            chains[header.id] = chain = chain or _Chain(passage.at)
            if len(chains) > self._kept:
                chains.popitem(last=False)
        hop = chain.hops.get(passage.sender, 0) + 1
        chain.hops[passage.receiver] = max(hop, chain.hops.get(passage.receiver, 0))
        return Place(hop, round((passage.at - chain.began_at) * 1_000_000))


class Following:
    """Chooses of all passages the cause and the effect of one message.

    ``message_id`` may be the beginning of one, or its end. What came before is known from when the following began, as
    far as ``kept`` passages back.
    """

    def __init__(self, message_id: str = "", kept: int = KEPT) -> None:
        self._wanted = message_id
        self._kept = kept
        self._earlier: deque[tuple[Passage, Place]] = deque(maxlen=kept)
        self._causes: OrderedDict[str, None] = OrderedDict()
        self._effects: OrderedDict[str, None] = OrderedDict()

    @property
    def found(self) -> bool:
        """Whether the message has come by."""
        return bool(self._effects)

    def begin(self, passage: Passage) -> None:
        """Follow the message of ``passage``, if none is followed yet."""
        if not self._effects:
            self._add(self._effects, passage.message.header.id)

    def show(self, passage: Passage, place: Place) -> Iterator[tuple[Passage, Place]]:
        """Yield what belongs to the message now that ``passage`` has come: causes that came before, and itself."""
        header = passage.message.header
        if not self._effects and self._wanted and is_called(header.id, self._wanted):
            self._add(self._effects, header.id)
        is_effect = header.id in self._effects or (header.parent_id != "" and header.parent_id in self._effects)
        if not is_effect:
            if header.id in self._causes:
                yield passage, place
            else:
                self._earlier.append((passage, place))
            return
        self._add(self._effects, header.id)
        yield from self._causes_of(header.parent_id)
        yield passage, place

    def _causes_of(self, parent_id: str) -> Iterator[tuple[Passage, Place]]:
        """Yield the earlier passages of the parent, of its parent, and so on, the oldest first."""
        found: list[tuple[Passage, Place]] = []
        while parent_id and parent_id not in self._effects and parent_id not in self._causes:
            self._add(self._causes, parent_id)
            of_it = [one for one in self._earlier if one[0].message.header.id == parent_id]
            found[:0] = of_it
            parent_id = of_it[0][0].message.header.parent_id if of_it else ""
        yield from found

    def _add(self, known: OrderedDict[str, None], message_id: str) -> None:
        known[message_id] = None
        while len(known) > self._kept:
            known.popitem(last=False)
