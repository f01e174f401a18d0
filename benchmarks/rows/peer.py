"""The Go way: each row in a transaction of its own, with the rollback journal. At its best: no bus, nothing decoded."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Self

from edgecore.beehive.message import Message

_PUT = "INSERT OR REPLACE INTO meta (key, type, value) VALUES (?, ?, ?)"
_TABLE = "CREATE TABLE meta (key varchar(256) NOT NULL PRIMARY KEY, type varchar(32), value text)"
GO_WAY = "sqlite3, the Go way"
Row = tuple[str, str, str]


class Peer:
    """A file with the table ``meta``."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=DELETE")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_TABLE)
        self._leaving = closing(self._database)

    def __enter__(self) -> Self:
        self._leaving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.__exit__(None, None, None)

    def put(self, row: Row) -> None:
        """Store a row; it is durable when this returns."""
        self._database.execute(_PUT, row)

    def put_all(self, rows: Iterable[Row]) -> None:
        """Store one row after the other."""
        for row in rows:
            self._database.execute(_PUT, row)


def row(message: Message) -> Row:
    """Return the row of a message."""
    key = message.route.resource
    return key, key.split("/")[1], bytes(message.content).decode()
