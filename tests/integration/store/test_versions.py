"""Files of earlier and later versions: what is done to them, and what is left of them where it cannot be."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edgecore.app import SCHEMA as NODE_SCHEMA
from edgecore.clock import VirtualClock
from edgecore.errors import StoreError
from edgecore.store import kubeedge
from edgecore.store.migrations import META_OF_VERSION_1, MIGRATIONS, SCHEMA_VERSION, Migration
from edgecore.store.store import open_store


def refusal(path: Path, schema: tuple[str, ...] = NODE_SCHEMA) -> str:
    """Return the text with which opening is refused."""
    with pytest.raises(StoreError, match=f"^cannot open database {path}: ") as caught:
        open_store(path, schema)
    return str(caught.value)


def texts(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as plain:
        return dict(plain.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))


def make_version_1(path: Path) -> None:
    """Make the file as edgecore made it before there were migrations."""
    with closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA journal_mode = wal")
        old.execute(META_OF_VERSION_1)
        old.executemany("INSERT INTO meta VALUES (?, 'pod', '{}')", [(f"default/pod/{number}",) for number in range(3)])
        old.execute("DELETE FROM meta WHERE rowid = 1")
        old.execute("PRAGMA user_version = 1")
        old.commit()


async def test_a_file_of_version_1_is_backed_up_and_brought_to_ours(path: Path, vclock: VirtualClock) -> None:
    make_version_1(path)
    with capture_logs() as logs:
        store = open_store(path, NODE_SCHEMA, clock=vclock)
    backup = path.with_name("edgecore.db.backup-20200509T045320Z")

    assert store.rows("SELECT rowid, key FROM meta") == [(2, "default/pod/1"), (3, "default/pod/2")]
    assert store.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert store.rows("PRAGMA integrity_check") == [("ok",)]
    await store.close()
    assert texts(path)["meta"] == kubeedge.META.replace("IF NOT EXISTS ", "")
    assert texts(backup) == {"meta": META_OF_VERSION_1}
    assert backup.stat().st_mode & 0o777 == 0o600
    assert [entry["event"] for entry in logs] == ["database_backed_up", "database_migrated"]
    assert (logs[1]["before"], logs[1]["now"]) == (1, 2)


async def test_a_file_of_our_version_is_not_backed_up(path: Path) -> None:
    for _ in range(2):
        await open_store(path, NODE_SCHEMA).close()
    assert list(path.parent.glob("*backup*")) == []


async def test_a_migration_that_fails_leaves_the_file_of_the_version_before(path: Path) -> None:
    make_version_1(path)
    steps = (*MIGRATIONS, Migration(3, "breaks", lambda _: ("CREATE TABLE half (x)", "CREATE TABLE half (x)")))
    with pytest.raises(StoreError, match=f"^cannot open database {path}: table half already exists"):
        open_store(path, NODE_SCHEMA, migrations=steps)
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (2,)
        assert "half" not in texts(path)
        assert plain.execute("SELECT count(*) FROM meta").fetchone() == (2,)
    await open_store(path, NODE_SCHEMA).close()


async def test_a_newer_file_is_refused_with_the_backups_that_can_be_put_back(path: Path, vclock: VirtualClock) -> None:
    make_version_1(path)
    await open_store(path, NODE_SCHEMA, clock=vclock).close()
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    text = refusal(path, NODE_SCHEMA)
    assert "it is of a newer edgecore (schema 7, known up to 2); run that edgecore" in text
    assert f"`edgecore db restore FILE --db {path}`; beside it lie" in text
    assert "edgecore.db.backup-20200509T045320Z (schema 1)" in text
    assert path.read_bytes() == before
