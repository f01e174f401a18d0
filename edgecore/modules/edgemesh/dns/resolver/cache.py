"""What upstream servers answered, for as long as it holds and somewhat longer (pure; times are ``Clock.monotonic``'s).

::

    stored                          refresh_at   expires_at                                  stale_until
      ├── fresh ─────────────────────────┼─ fresh ───┼── stale ───────────────────────────────────┤
                                         popular ones                given only if no server answers
                                         are asked for again

Bounded in entries and in bytes: what was asked for longest ago goes first.
"""

from collections import OrderedDict

from msgspec import Struct

from edgecore.modules.edgemesh.dns.resolver.findings import Finding

ENTRY_BYTES = 700
"""What an entry takes besides its key and its records."""
REFRESH_SHARE = 0.1
"""The last part of its life in which an entry that is asked for is asked for again, if it is popular."""
POPULAR_HITS = 3
REFRESH_MIN_S = 5
"""An answer of a shorter life is not asked for ahead: it would be, all the time."""
FAILURE_MIN_S, FAILURE_MAX_S = 1.0, 30.0
"""How long a failure is remembered: at least 1 s, at most 5 min (RFC 9520 section 3.2); doubled each time."""
FAILURES_LIMIT = 1024


class Source(Struct, frozen=True, gc=False):
    """Where a finding comes from."""

    server: tuple[str, int] | None = None
    rtt_s: float | None = None
    is_prefetched: bool = False


class Entry(Struct):
    """One finding, and what of a reply is ready in advance."""

    finding: Finding
    source: Source
    stored_at: float
    refresh_at: float
    expires_at: float
    size_bytes: int
    heads: tuple[bytes, bytes, bytes, bytes] = (b"", b"", b"", b"")
    """Bytes 2 to 11 of a reply: plain, with OPT, with AD, with both."""
    body: bytes = b""
    """The records with their TTLs as they are until ``ready_until``."""
    ready_until: float = 0.0
    hits: int = 0
    names_version: int = -1
    """The version of our own names at which this one was found to be none of them."""

    def age_s(self, now: float) -> float:
        """Return how long ago it was stored."""
        return now - self.stored_at

    @property
    def is_popular(self) -> bool:
        """Whether it was asked for often enough to be kept fresh."""
        return self.hits >= POPULAR_HITS


class Failure(Struct, frozen=True, gc=False):
    """A question that was not answered a short while ago."""

    finding: Finding
    reason: str
    until: float
    lasts_s: float


class Cache:
    """``limit``: entries; 0 keeps nothing. ``stale_s``: how long an entry stays after its end."""

    def __init__(self, limit: int, *, stale_s: float, limit_bytes: int | None = None) -> None:
        self._limit = limit
        self._limit_bytes = max(1 << 20, 1024 * limit) if limit_bytes is None else limit_bytes
        self._stale_s = stale_s
        self.entries: OrderedDict[bytes, Entry] = OrderedDict()
        """By ``Question.key``; the last one was asked for last. For reading, and ``move_to_end``."""
        self.bytes = 0
        self.evicted = 0
        """Entries that went to make room."""
        self._failures: OrderedDict[bytes, Failure] = OrderedDict()

    def __len__(self) -> int:
        return len(self.entries)

    def fresh(self, key: bytes, now: float) -> Entry | None:
        """Return the entry that holds now, and count that it was asked for."""
        entry = self.entries.get(key)
        if entry is None or now >= entry.expires_at:
            return None
        self.entries.move_to_end(key)
        entry.hits += 1
        return entry

    def stale(self, key: bytes, now: float) -> Entry | None:
        """Return the entry that held once and may still be given."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        if now >= entry.expires_at + self._stale_s:
            self._remove(key)
            return None
        return entry

    def put(self, key: bytes, finding: Finding, source: Source, now: float) -> Entry | None:
        """Keep ``finding`` if it may be kept, instead of what was there; return its entry."""
        if finding.is_failure or finding.is_truncated or self._limit == 0:
            return None
        if finding.keep_s <= 0:
            old = self.entries.get(key)
            if old is not None and now >= old.expires_at and finding.counts[:2] == b"\0\0":  # what there was is gone
                self._remove(key)
            return None
        self._failures.pop(key, None)
        size = len(key) + 2 * len(finding.tail) + ENTRY_BYTES
        hits = self._remove(key) // 2
        if size > self._limit_bytes // 8:
            return None
        keep_s = finding.keep_s
        refresh_at = now + keep_s * (1 - REFRESH_SHARE) if keep_s >= REFRESH_MIN_S else float("inf")
        entry = Entry(finding, source, now, refresh_at, now + keep_s, size, _heads(finding, key), hits=hits)
        self.entries[key] = entry
        self.bytes += size
        while len(self.entries) > self._limit or self.bytes > self._limit_bytes:
            _, oldest = self.entries.popitem(last=False)
            self.bytes -= oldest.size_bytes
            self.evicted += 1
        return entry

    def make_ready(self, entry: Entry, now: float) -> bool:
        """Count the TTLs of a fresh entry down; return whether it is due to be asked for again, which is said once."""
        age = int(now - entry.stored_at)
        entry.body = entry.finding.aged(age)
        is_due = now >= entry.refresh_at and entry.is_popular
        if is_due:
            entry.refresh_at = float("inf")
        next_look = entry.refresh_at if entry.refresh_at > now else entry.expires_at
        entry.ready_until = min(entry.stored_at + age + 1, entry.expires_at, next_look)
        return is_due

    def fail(self, key: bytes, finding: Finding, reason: str, now: float) -> None:
        """Remember that nobody answers, twice as long as the last time if that was not long ago."""
        before = self._failures.pop(key, None)
        is_first = before is None or now >= before.until + FAILURE_MAX_S
        lasts_s = FAILURE_MIN_S if is_first or before is None else min(2 * before.lasts_s, FAILURE_MAX_S)
        self._failures[key] = Failure(finding, reason, now + lasts_s, lasts_s)
        if len(self._failures) > FAILURES_LIMIT:
            self._failures.popitem(last=False)

    def failed(self, key: bytes, now: float) -> Failure | None:
        """Return the failure that is remembered."""
        failure = self._failures.get(key)
        return failure if failure is not None and now < failure.until else None

    def forgive(self) -> None:
        """Forget the failures: a server is back."""
        self._failures.clear()

    def _remove(self, key: bytes) -> int:
        """Remove an entry and return how often it was asked for."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return 0
        self.bytes -= entry.size_bytes
        return entry.hits


def _heads(finding: Finding, key: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    recursion, checking = key[-1] >> 2 & 1, key[-1] >> 1 & 1
    first = bytes((0x80 | recursion,))
    plain = 0x80 | checking << 4 | finding.rcode
    seconds = (plain, plain, plain | finding.is_authentic << 5, plain | finding.is_authentic << 5)
    opts = (b"\0\0", b"\0\1", b"\0\0", b"\0\1")
    one, two, three, four = (
        first + bytes((second,)) + b"\0\1" + finding.counts + opt for second, opt in zip(seconds, opts, strict=True)
    )
    return one, two, three, four
