"""The SQLite file of a Go edgecore, made again of what a recording says of it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
_INTERNAL = "sqlite_sequence"
"""SQLite makes this one itself."""


def write_go_database(path: Path, dump: Path) -> None:
    """Make the file at ``path`` of ``dump`` (``*_edgecore_db.txt``): the same schema, text for text, and the same rows.

    Its journal is the one of the Go program: deleted after each commit.
    """
    schema, *parts = dump.read_text("utf-8").split("-- table ")
    with closing(sqlite3.connect(path)) as connection:
        for statement in schema.split(";\n"):
            if statement.strip() and _INTERNAL not in statement:
                connection.execute(statement)
        for part in parts:
            head, *lines = part.splitlines()
            name = head.partition(":")[0]
            rows = [json.loads(line) for line in lines if line.startswith("[")]
            if rows and name != _INTERNAL:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        connection.commit()
