"""Reading a node's SQLite file from outside, while the node writes it or after it has stopped."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgecore.errors import StoreError


def peek(path: Path, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the committed rows of a query, having opened the file read-only.

    Raises ``StoreError`` if the file is not there or SQLite refuses.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(sql, params).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"cannot read database {path}: {error}") from error
