"""The first 100 bytes of a SQLite file, read without SQLite, which says less where something is wrong (pure).

=======  =====  ==================================================================
offset   bytes  meaning (https://www.sqlite.org/fileformat2.html)
=======  =====  ==================================================================
0        16     ``SQLite format 3\\0``
16       2      page size; 1 is 65,536
18       1      2: the file is in WAL mode
21       3      64, 32, 32: fixed, so they tell a file whose first bytes were lost
24       4      change counter
28       4      pages, if the counter at 92 is that at 24
60       4      ``user_version``
68       4      ``application_id``
92       4      the change counter that the number of pages is of
=======  =====  ==================================================================
"""

import struct
from typing import NamedTuple

HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"
_FIXED = bytes((64, 32, 32))
PAGE_SIZES = (4096, 1024, 512, 2048, 8192, 16_384, 32_768, 65_536)
"""SQLite's own first, then that of its versions before 3.12."""


class Header(NamedTuple):
    """What the first bytes say."""

    page_bytes: int
    pages: int
    """0 where the file does not say."""
    is_wal: bool
    user_version: int
    application_id: int

    @property
    def bytes(self) -> int:
        """How long the file should be at least; 0 where it does not say."""
        return self.page_bytes * self.pages


def parse(first: bytes) -> Header | None:
    """Return the header, or ``None``: this is no SQLite file."""
    if not first.startswith(MAGIC):
        return None
    return without_magic(first)


def without_magic(first: bytes) -> Header | None:
    """Return the header of what was a SQLite file, whatever its first 16 bytes are by now."""
    if len(first) < HEADER_BYTES or first[21:24] != _FIXED:
        return None
    page_bytes = struct.unpack_from(">H", first, 16)[0]
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    if page_bytes not in PAGE_SIZES:
        return None
    changes, pages = struct.unpack_from(">II", first, 24)
    user_version, application_id = struct.unpack_from(">i4xi", first, 60)
    if struct.unpack_from(">I", first, 92)[0] != changes:
        pages = 0
    return Header(page_bytes, pages, first[18] == 2, user_version, application_id)


def rebuilt(page_bytes: int, length: int, *, is_wal: bool) -> bytes:
    """Return a header for a file of ``length`` bytes that has lost its own: what is needed to read it."""
    version = 2 if is_wal else 1
    size = 1 if page_bytes == 65_536 else page_bytes
    counted = struct.pack(">16sHBBB3sII", MAGIC, size, version, version, 0, _FIXED, 1, length // page_bytes)
    # No free pages, schema 1 of format 4, no cache size, no largest root, UTF-8, versions 0.
    rest = struct.pack(">IIIIIIIIII20xII", 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 1, 3_040_001)
    return counted + rest
