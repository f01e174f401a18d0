"""The quick way to a cached answer: from a packet to the bytes of its reply, without making an object of either."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PAYLOAD_BYTES, PLAIN_LIMIT_BYTES
from edgecore.modules.edgemesh.dns.resolver.askers import OPT, OPT_DO, is_plain_opt
from edgecore.modules.edgemesh.dns.resolver.cache import Entry

RECENT_LIMIT = 4096
"""So many questions, each as one asker put it, are remembered with the bytes of their replies."""


class OwnNames(Protocol):
    """What we answer for ourselves."""

    version: int
    """Another one whenever a name comes or goes."""


class CachedReplies:
    """Replies out of ``entries``; a hit moves its entry to their end and is counted as ``hit``.

    ``renew(key, entry, now)`` is asked when an entry's TTLs are to be counted down; it says whether the entry holds.
    """

    def __init__(
        self,
        entries: OrderedDict[bytes, Entry],
        names: OwnNames,
        clock: Clock,
        renew: Callable[[bytes, Entry, float], bool],
        counts: dict[str, int],
    ) -> None:
        self._entries = entries
        self._names = names
        self._monotonic = clock.monotonic
        self._renew = renew
        self._counts = counts
        self._heads = _heads()
        self._recent: dict[bytes, tuple[bytes, float, int, Entry]] = {}

    def reply(self, packet: bytes, *, is_tcp: bool = False) -> bytes | None:
        """Return the reply to a plain question whose answer is kept; ``None``: it takes a closer look.

        What was asked for in the last second, in the same words, gets the same bytes.

        Plain: as ``ReadyAnswers.reply`` has it. What was kept when our own names were others is looked at more closely,
        for one of them may be this one by now.
        """
        recent = self._recent.get(packet[2:])
        if recent is not None:
            rest, until, names_version, known = recent
            if names_version == self._names.version and self._monotonic() < until:
                known.hits += 1
                self._counts["hit"] += 1
                return packet[:2] + rest
            del self._recent[packet[2:]]
        head = self._heads.get(packet[2:HEADER_BYTES])
        if head is None:
            return None
        flags, variant = head
        end = packet.find(0, HEADER_BYTES) + 5
        opt, limit = b"", PLAIN_LIMIT_BYTES
        if variant & 1:
            rest = packet[end:]
            if not is_plain_opt(rest):
                return None
            opt = OPT
            if rest[7] & 0x80:
                flags, variant, opt = flags | 1, 3, OPT_DO
            limit = min(int.from_bytes(rest[3:5], "big"), PAYLOAD_BYTES)
        elif len(packet) != end:
            return None
        # The first zero byte ends the name: one with zero bytes in its labels is kept under another key.
        key = b"".join((packet[HEADER_BYTES : end - 4].lower(), packet[end - 4 : end], bytes((flags,))))
        entry = self._entries.get(key)
        if entry is None or entry.names_version != self._names.version:
            return None
        now = self._monotonic()
        if now >= entry.ready_until and not self._renew(key, entry, now):
            return None
        reply = b"".join((packet[:2], entry.heads[variant], packet[HEADER_BYTES:end], entry.body, opt))
        if len(reply) > limit and not is_tcp and len(reply) > PLAIN_LIMIT_BYTES:
            return None
        entry.hits += 1
        self._entries.move_to_end(key)
        self._counts["hit"] += 1
        if len(reply) <= limit:
            if len(self._recent) >= RECENT_LIMIT:
                self._recent.clear()
            self._recent[packet[2:]] = (reply[2:], entry.ready_until, entry.names_version, entry)
        return reply


def _heads() -> dict[bytes, tuple[int, int]]:
    """Return bytes 2 to 11 of each plain query, with its key's flags and which head of an entry its reply has."""
    heads = {}
    for checking in (0x00, 0x10):
        for authentic in (0x00, 0x20):
            flags = 4 | checking >> 3
            wants = 2 if authentic else 0
            for has_opt in (0, 1):
                packed = bytes((1, checking | authentic)) + b"\0\1\0\0\0\0" + bytes((0, has_opt))
                heads[packed] = (flags, wants | has_opt)
    return heads
