"""Which kinds of entries are recorded, by the words that people use for them (pure)."""

from collections.abc import Iterable

from edgecore.errors import ConfigError

WORDS = {
    "frames": "text",
    "connections": "event",
    "notes": "note",
    "faults": "fault",
    "snapshot": "state",
    "bus": "bus",
    "mqtt": "mqtt",
    "commits": "commit",
    "dns": "dns",
    "requests": "request",
}
"""A word to the key of the lines that it stands for."""

DEFAULT = ("text", "event", "note", "fault", "state")
"""What is recorded where nobody says otherwise: what a replay needs, and what it is compared by."""

ALL = tuple(WORDS.values())


def kinds_of(text: str) -> tuple[str, ...]:
    """Return the keys that a list of words means: ``frames,bus``, ``default,dns``, ``all``.

    Notes are always among them: who makes one wants it there. Raises ``ConfigError``.
    """
    chosen = {"note"}
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        if word in ("all", "default"):
            chosen.update(ALL if word == "all" else DEFAULT)
            continue
        key = WORDS.get(word) or WORDS.get(f"{word}s")
        if key is None:
            known = ", ".join(["all", "default", *WORDS])
            raise ConfigError(
                f"cannot record {word!r}: no such kind of entry; name some of {known}, with commas between"
            )
        chosen.add(key)
    return tuple(key for key in ALL if key in chosen)


def words_of(kinds: Iterable[str]) -> list[str]:
    """Return the words for keys."""
    chosen = set(kinds)
    return [word for word, key in WORDS.items() if key in chosen]
