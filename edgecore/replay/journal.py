"""What the replayed node did, kept as a session of version 2: numbered, each entry with what it follows from."""

from edgecore import __version__
from edgecore.clock import Clock
from edgecore.recording.entries import (
    VERSION,
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    MqttDirection,
    MqttMessage,
    Note,
    SessionHead,
    Snapshot,
)
from edgecore.recording.frames import Frame, read_frame

KINDS = ("text", "event", "mqtt", "note", "state")


class Journal:
    """Of one recording after the other: ``begin`` forgets the one before."""

    def __init__(self, clock: Clock, node: str) -> None:
        self._clock = clock
        self._node = node
        self._entries: list[Entry] = []
        self._by_id: dict[str, int] = {}
        self._is_open = True
        self.link = 0

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, in order."""
        return tuple(self._entries)

    def begin(self) -> None:
        """Begin a session."""
        self._entries.clear()
        self._by_id.clear()
        head = SessionHead(1, self._t_ns, VERSION, f"edgecore {__version__}", self._node, KINDS, n=1)
        self._entries.append(head)

    def opened(self, link: int) -> None:
        """The node has connected."""
        self.link = link
        self._add(ConnectionEvent(*self._place, Direction.TO_CLOUD, link, "open", "", n=self._next))

    def ended(self, link: int, why: str) -> None:
        """A connection is over."""
        self._add(ConnectionEvent(*self._place, Direction.TO_EDGE, link, "eof", "", why, n=self._next))

    def to_edge(self, text: str, message_id: str, parent: str) -> None:
        """The cloud has said something."""
        self._frame(Direction.TO_EDGE, text, message_id, parent)

    def to_cloud(self, payload: str) -> Frame:
        """The node has said something: return it."""
        frame = read_frame(payload, self._next)
        self._frame(Direction.TO_CLOUD, payload, frame.id, frame.parent)
        return frame

    def mqtt(self, direction: MqttDirection, broker: str, topic: str, payload: bytes) -> None:
        """A message went between node and broker."""
        self._add(MqttMessage(*self._place, direction, broker, topic, payload, n=self._next))

    def note(self, text: str, topic: str = "", payload: str = "") -> None:
        """Something that the recording says of that moment."""
        self._add(Note(*self._place, text, topic, payload, "", n=self._next))

    def state(self, state: dict[str, object]) -> None:
        """What the node knows now."""
        self._add(Snapshot(*self._place, state, n=self._next))

    @property
    def _next(self) -> int:
        return len(self._entries) + 1

    @property
    def _t_ns(self) -> int:
        return self._clock.now_ms() * 1_000_000

    @property
    def _place(self) -> tuple[int, int]:
        return self._next, self._t_ns

    def _frame(self, direction: Direction, text: str, message_id: str, parent: str) -> None:
        number = self._next
        cause = self._by_id.get(message_id) or self._by_id.get(parent)
        self._by_id.setdefault(message_id, number)
        causes = (cause,) if cause else ()
        self._add(CloudFrame(*self._place, direction, self.link, text, n=number, causes=causes))

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
