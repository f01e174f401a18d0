"""What comes of playing one recording, before it is judged."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from edgecore.recording import frames as f
from edgecore.recording.entries import Entry, MqttMessage, Note
from edgecore.recording.frames import Frame
from edgecore.recording.selection import Selection
from edgecore.recording.session import Recording


class Replayed(NamedTuple):
    """What was played, and what our node did."""

    name: str
    recording: Recording
    """What was played, as it was after selection and mapping."""
    session: Recording
    """Our node's session, of version 2: frames both ways, connections, MQTT, and its state at the end."""
    sent: tuple[Frame, ...] = ()
    """The cloud's messages that our node got, in order."""
    lost: tuple[Frame, ...] = ()
    """Those that neither it nor the recorded node got: the connection was cut."""
    missing: tuple[str, ...] = ()
    """Recorded messages of the edge that ours did not send in time."""
    unasked: Mapping[str, int] = MappingProxyType({})
    """Answers that it did not get, by the kind of the request that it did not make."""
    said: frozenset[str] = frozenset()
    """The ids that our node had sent before this recording."""
    took_s: float = 0.0
    filters: Selection = Selection()
    """By which the recording was filtered: so is our session before it is compared."""
    is_before: bool = False
    """Whether it was played for what came of it in the node; see ``ReplayOptions.after``."""

    def __repr__(self) -> str:
        return f"Replayed({self.name!r})"  # whoever prints the task that returns it does not mean all of it

    @property
    def compared(self) -> Recording:
        """Our session, as far as it is compared."""
        if not self.filters.filters:
            return self.session
        return Recording(self.session.name, tuple(self.filters.select(self.session.entries)))

    @property
    def is_without_devices(self) -> bool:
        """Whether the recorded node reported of devices, ours did not, and nothing that a device said was played."""
        theirs, ours = (
            sum(f.kind_of(frame) == f.TWIN and frame.resource.startswith("device/") for frame in each)
            for each in (self.recording.edge, self.session.edge)
        )
        return theirs > ours and not any(
            isinstance(one, MqttMessage) or (isinstance(one, Note) and one.payload) for one in self.recording.entries
        )

    @property
    def ours(self) -> tuple[Entry, ...]:
        """The entries of our node's session."""
        return self.session.entries
