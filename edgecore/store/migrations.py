"""What changes in a file of an earlier version, in order (pure): each migration is one transaction with its version.

The version is kept in ``PRAGMA user_version``:

=======  ===================================================================================================
version  a file of
=======  ===================================================================================================
0        the Go edgecore; or one that was not made yet
1        edgecore: the table ``meta`` in words of our own, tables of ours beside it
2        edgecore: the four tables of the Go program to the letter, and ``provenance``
=======  ===================================================================================================

Tables that are only added need no statement here: those of the schema are made wherever they are missing.
Why there is no library for this: docs/decisions/0004-the-database-file.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from edgecore.store.kubeedge import META

Statements = Callable[[Mapping[str, str]], Sequence[str]]
"""Name and text of the tables that are there, to the statements that change them."""


class Migration(NamedTuple):
    """The way from the version before to ``version``."""

    version: int
    what: str
    statements: Statements


def _nothing(_tables: Mapping[str, str]) -> Sequence[str]:
    return ()


META_OF_VERSION_1 = """CREATE TABLE meta (
        key varchar(256) NOT NULL PRIMARY KEY, type varchar(32) NOT NULL DEFAULT '', value text
    )"""
"""As SQLite kept it."""


def _meta_as_go_has_it(tables: Mapping[str, str]) -> Sequence[str]:
    """Make ``meta`` anew where it has our former text; any other text is the Go program's, and stays."""
    if tables.get("meta") != META_OF_VERSION_1:
        return ()
    return (
        "ALTER TABLE meta RENAME TO meta_of_version_1",
        META,
        "INSERT INTO meta (rowid, key, type, value) SELECT rowid, key, type, value FROM meta_of_version_1",
        "DROP TABLE meta_of_version_1",
    )


FIRST = Migration(1, "the tables of edgecore", _nothing)
MIGRATIONS: tuple[Migration, ...] = (
    FIRST,
    Migration(2, "the Go program's tables to the letter, and where each row came from", _meta_as_go_has_it),
)
"""Those of the node's file."""
SCHEMA_VERSION = MIGRATIONS[-1].version


def pending(version: int, migrations: Sequence[Migration]) -> list[Migration]:
    """Return what is still to be done to a file of ``version``, in order."""
    return [each for each in migrations if each.version > version]
