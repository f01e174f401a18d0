"""Damage that is seen when the file is opened: each is named with a way out, and nothing is changed."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from itertools import count
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edgecore.app import SCHEMA as NODE_SCHEMA
from edgecore.clock import VirtualClock
from edgecore.errors import StoreError
from edgecore.store.databasefile import peek
from edgecore.store.store import Statement, Store, open_store


def refusal(path: Path, schema: tuple[str, ...] = NODE_SCHEMA) -> str:
    """Return the text with which opening is refused."""
    with pytest.raises(StoreError, match=f"^cannot open database {path}: ") as caught:
        open_store(path, schema)
    return str(caught.value)


async def test_a_file_that_is_cut_short_is_refused(made: Path) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[:-5000])
    text = refusal(made, NODE_SCHEMA)
    assert f"it is cut short, {len(whole) - 5000} of {len(whole)} bytes are there" in text
    assert f"`edgecore db repair --db {made}`" in text
    assert made.read_bytes() == whole[:-5000]


async def test_a_file_that_became_empty_is_refused_and_one_that_was_removed_is_made_anew(made: Path) -> None:
    made.write_bytes(b"")
    assert "it is empty, and was not; `edgecore db restore" in refusal(made, NODE_SCHEMA)
    made.unlink()
    await open_store(made, NODE_SCHEMA).close()


async def test_damaged_pages_are_found_at_opening(made: Path) -> None:
    content = bytearray(made.read_bytes())
    content[-8192:] = bytes(8192)
    made.write_bytes(content)
    text = refusal(made, NODE_SCHEMA)
    assert "it is damaged (" in text
    assert "\n" not in text
    assert f"`edgecore db repair --db {made}` saves what can be read" in text
    assert made.read_bytes() == content


async def test_a_check_that_takes_too_long_is_given_up_and_the_file_opened(made: Path) -> None:
    class SlowClock(VirtualClock):
        def __init__(self) -> None:
            super().__init__()
            self.monotonic = map(float, count(0, 10)).__next__  # type: ignore[assignment]

    store = open_store(made, NODE_SCHEMA)
    rows = [Statement("INSERT INTO meta VALUES (?, 'pod', 'x')", (f"more {number}",)) for number in range(5000)]
    await store.write(*rows)
    await store.close()
    with capture_logs() as logs:
        store = open_store(made, NODE_SCHEMA, clock=SlowClock())
    await store.close()
    assert [entry["event"] for entry in logs] == ["database_check_unfinished"]


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
async def test_a_log_without_its_database_is_refused_and_kept(path: Path, left: str) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=False)
    assert process.returncode == -9
    log = path.with_name("edgecore.db-wal")
    content = log.read_bytes()
    path.unlink()
    if left == "an empty file":
        path.touch()
    text = refusal(path)
    assert f"its log {log.name} is there" in text
    assert "move the log away to start with an empty database" in text
    assert log.read_bytes() == content
    log.unlink()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from edgecore.store.store import Statement, open_store

async def main():
    store = open_store(Path(sys.argv[1]), ["CREATE TABLE IF NOT EXISTS meta (key text PRIMARY KEY)"])
    await store.write(Statement("INSERT INTO meta VALUES ('a')"))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("CREATE TABLE meta (name text, value text)", "meta has no column key, type"),
        ("CREATE TABLE meta (key text, type text, value text)", "meta has another primary key"),
        ("CREATE VIEW meta AS SELECT 1 AS key, 2 AS type, 3 AS value", "meta is no table"),
        (
            "CREATE TABLE meta (key text PRIMARY KEY, type text, value text, owner text NOT NULL)",
            "meta wants a column owner that we do not write",
        ),
    ],
)
async def test_tables_of_another_shape_under_our_names_are_refused(path: Path, table: str, why: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute(table)
    before = path.read_bytes()
    assert f"its tables are not those of edgecore: {why};" in refusal(path, NODE_SCHEMA)
    assert path.read_bytes() == before


async def test_a_column_that_others_have_added_is_no_fault(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE meta (key text PRIMARY KEY, type text, value text, added text)")
    await open_store(path, NODE_SCHEMA).close()


async def test_a_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE moz_places (id integer PRIMARY KEY)")
        other.execute("PRAGMA user_version = 57")
    before = path.read_bytes()
    assert "it is another program's, with the tables moz_places; name another file" in refusal(path, NODE_SCHEMA)
    assert path.read_bytes() == before


async def test_a_file_that_another_program_holds_is_refused_with_the_way_out(
    made: Path, held: Callable[[], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecore.store.opening._BUSY_TIMEOUT_MS", 10)
    with held():
        text = refusal(made, (*NODE_SCHEMA, "CREATE TABLE IF NOT EXISTS new (x)"))
    assert "database is locked; another program holds it: end that one" in text


async def test_who_uses_the_file_is_named(store: Store) -> None:
    assert f"another edgecore uses it (process {os.getpid()})" in refusal(store.path)


@pytest.mark.usefixtures("unprivileged")
async def test_a_read_only_file_is_refused_with_the_way_out(made: Path) -> None:
    made.chmod(0o400)
    made.parent.chmod(0o500)
    try:
        text = refusal(made, NODE_SCHEMA)
        assert "Permission denied; make" in text
        assert "writable for the user that runs the node" in text
        assert peek(made, "SELECT count(*) FROM meta") == [(300,)]
    finally:
        made.parent.chmod(0o700)
