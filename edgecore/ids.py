"""The node's one source of unique ids (house rule: made in ``app.py``, handed down).

A message id is a UUID version 4 in lower case (``kubeedge BH/core/model/message.go:169@v1.3.1``). Asking the system for
16 random bytes for each message costs more than sending it, so ids come in blocks: 110 random bits, then a counter of
4,096 steps. Within a block ids are consecutive; across blocks and processes they collide no more than random ones.
"""

import os
import random
from collections.abc import Callable, Iterator
from itertools import chain

_SUFFIXES = tuple(f"{number:03x}" for number in range(4096))

NewId = Callable[[], str]
"""Returns a fresh UUID version 4, as text."""


def _prefixes(random_bytes: Callable[[int], bytes]) -> Iterator[str]:
    """Yield the first 33 characters of a UUID: version 4 (RFC 9562 section 5.4), variant 10xx."""
    while True:
        digits = random_bytes(16).hex()
        variant = "89ab"[int(digits[16], 16) & 3]
        yield f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:29]}"


def _ids(random_bytes: Callable[[int], bytes]) -> NewId:
    blocks = (map(prefix.__add__, _SUFFIXES) for prefix in _prefixes(random_bytes))
    return chain.from_iterable(blocks).__next__


def random_ids() -> NewId:
    """Return a source of ids from the system's random numbers."""
    return _ids(os.urandom)


def seeded_ids(seed: int) -> NewId:
    """Return a source that gives the same ids for the same seed, for replay and tests."""
    return _ids(random.Random(seed).randbytes)  # noqa: S311 - repeatability is the point here


def random_key() -> bytes:
    """Return 32 bytes that nobody can guess."""
    return os.urandom(32)


def random_query_id() -> int:
    """Return a number from 0 to 65535 that nobody can guess: the id of a DNS query (RFC 5452 section 4.3)."""
    return int.from_bytes(os.urandom(2), "big")
