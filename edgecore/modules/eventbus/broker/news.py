"""What the embedded broker's process says, a line each (pure)."""

import msgspec

LINE_LIMIT_BYTES = 64 << 10


class Listening(msgspec.Struct, frozen=True, tag="listening", tag_field="event"):
    """It takes connections."""

    library: str = ""
    python: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field="event"):
    """It is about to end, and says why."""

    reason: str


class Library(msgspec.Struct, frozen=True, tag="library", tag_field="event"):
    """A warning of the library."""

    level: str
    where: str
    words: str


class Counted(msgspec.Struct, frozen=True, tag="counted", tag_field="event"):
    """What it has counted since it started; ``clients`` are those that are connected now."""

    clients: int = 0
    received: int = 0
    sent: int = 0
    dropped: int = 0
    """Messages that a client had no room for."""
    unacknowledged: int = 0
    bad_topics: int = 0
    not_kept: int = 0
    """Retained messages that there was no room for."""
    sessions_forgotten: int = 0
    """Of clients that were away, for others."""
    subscriptions_refused: int = 0
    clients_refused: int = 0
    connections_failed: int = 0
    slow_clients_cut: int = 0


News = Listening | Failed | Library | Counted

_decoder: msgspec.json.Decoder[News] = msgspec.json.Decoder(News)


def heard(line: bytes) -> News | None:
    """Return what a line says; ``None`` for one that is none of its lines (a traceback, a warning of Python)."""
    try:
        return _decoder.decode(line)
    except (ValueError, RecursionError):  # the former also for what is not UTF-8
        return None
