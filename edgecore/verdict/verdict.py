"""What comes of a replay: what changed, where exactly, what was compared, and which known differences were met."""

from collections import Counter
from typing import Any

import msgspec

from edgecore.recording.frames import Json

MESSAGE = "message"
"""The path of a difference that is a whole message: missing, or too many."""
WHOLE = "whole"
"""The path of a difference that is a whole row, service, answer or device."""
ORDER = "order"
"""The path of a difference that is no field, but an order."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is not what it was, a message that is missing or too many, or an order that changed."""

    kind: str
    """The kind of message, or the part of the state: ``acknowledgement``, ``row service``, ``dns`` …"""
    what: str
    """Which one, for people: the route of a message, the key of a row."""
    path: str
    """The exact field, as ``content.Status.conditions[0].reason``; or ``message``, ``whole``, ``order``."""
    recorded: Json
    ours: Json
    recorded_entry: int | None = None
    """The number of the entry in the recording (in version 1, its line)."""
    our_entry: int | None = None
    """The same in the session of the replay."""

    def __str__(self) -> str:
        places = [f"recorded entry {self.recorded_entry}"] if self.recorded_entry is not None else []
        places += [f"our entry {self.our_entry}"] if self.our_entry is not None else []
        where = f" ({', '.join(places)})" if places else ""
        return f"{self.kind}, {self.what}{where}, {self.path}: recorded {self.recorded!r}, ours {self.ours!r}"


class Verdict(msgspec.Struct, kw_only=True):
    """What came of one recording."""

    recording: str
    differences: list[Difference] = []
    """Those that nothing explains."""
    used: Counter[str] = msgspec.field(default_factory=Counter)
    """Known differences that were met, by the id of their line in ``docs/fidelity.md``."""
    compared: Counter[str] = msgspec.field(default_factory=Counter)
    """What was recorded and compared, by kind."""
    equal: Counter[str] = msgspec.field(default_factory=Counter)
    explained: Counter[str] = msgspec.field(default_factory=Counter)
    """Those that differ, but only where a known difference says so."""
    repeated: int = 0
    """Recorded messages that were sent again under their ids."""
    theirs_alone: int = 0
    """Recorded messages that our node does not send, for a reason that is known."""
    passed_over: Counter[str] = msgspec.field(default_factory=Counter)
    """What could not be compared, by why: its cause lies outside the recording."""

    @property
    def is_equal(self) -> bool:
        """Whether the replay did what was recorded, but for what is known."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, fit for JSON."""
        return {"is_equal": self.is_equal, **msgspec.to_builtins(self)}
