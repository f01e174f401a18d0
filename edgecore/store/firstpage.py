"""The first page of a database, made anew where it is lost: it says where each table begins.

A file in which the tables were made in the order of a schema has them where any other such file has them. So the first
page of a new one stands for the lost one; whether it does, the rows tell.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

from edgecore.store.header import HEADER_BYTES, rebuilt

PAGE_BYTES = 4096


def first_pages(schemas: Sequence[Sequence[str]], length: int, *, is_wal: bool) -> Iterator[bytes]:
    """Yield, for each schema, the first page of a file of ``length`` bytes that was made with it."""
    for schema in schemas:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            for text in schema:
                connection.execute(text)
            page = connection.serialize()[:PAGE_BYTES]
        yield rebuilt(PAGE_BYTES, length, is_wal=is_wal) + page[HEADER_BYTES:]
