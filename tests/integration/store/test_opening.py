"""Opening the store's file: who may, what it finds there, and what it refuses."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edgecore.app import SCHEMA as NODE_SCHEMA
from edgecore.errors import StoreError
from edgecore.store import kubeedge
from edgecore.store.migrations import SCHEMA_VERSION
from edgecore.store.store import Statement, Store, open_store

PUT = "INSERT INTO meta (key, type, value) VALUES (?, '', '')"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def refusal(path: Path, schema: tuple[str, ...] = ()) -> str:
    """Return the text with which opening is refused."""
    with pytest.raises(StoreError, match=f"^cannot open database {path}: ") as caught:
        open_store(path, schema)
    return str(caught.value)


async def test_new_file_has_the_tables_and_the_version(store: Store) -> None:
    assert store.rows("SELECT name FROM sqlite_master WHERE type = 'table'") == [("meta",)]
    assert store.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]


async def test_missing_folders_are_made_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "node" / "edgecore.db"
    store = open_store(path, ())
    assert mode(path.parent) == 0o700
    await store.close()


async def test_files_are_for_their_owner_only_whatever_the_umask(path: Path, schema: tuple[str, ...]) -> None:
    umask = os.umask(0)
    try:
        store = open_store(path, schema)
        await store.write(Statement(PUT, ("a",)))
        files = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(umask)
    assert files == dict.fromkeys(("edgecore.db", "edgecore.db-wal", "edgecore.db-shm", "edgecore.db.lock"), 0o600)
    await store.close()


async def test_file_that_others_could_read_is_closed_to_them(path: Path, opened: Callable[[], Store]) -> None:
    path.touch()
    path.chmod(0o644)
    path.with_name("edgecore.db.lock").touch()
    path.with_name("edgecore.db.lock").chmod(0o666)
    opened()
    assert mode(path) == mode(path.with_name("edgecore.db.lock")) == 0o600


async def test_closed_file_is_opened_again_with_its_rows(opened: Callable[[], Store]) -> None:
    first = opened()
    await first.write(Statement(PUT, ("kept",)))
    await first.close()
    second = opened()
    assert second.rows("SELECT key FROM meta") == [("kept",)]


async def test_close_leaves_one_file_with_all_rows(store: Store, path: Path) -> None:
    await store.write(Statement(PUT, ("kept",)))
    await store.close()
    assert {file.name for file in path.parent.iterdir()} == {"edgecore.db", "edgecore.db.lock"}


async def test_second_opener_in_the_same_process_is_refused_and_the_first_goes_on(store: Store, path: Path) -> None:
    text = refusal(path)
    assert "another edgecore uses it" in text
    assert "database.dataSource" in text
    await store.write(Statement(PUT, ("still works",)))
    assert store.rows("SELECT count(*) FROM meta") == [(1,)]


OPENER = """
import asyncio, sys
from pathlib import Path
from edgecore.errors import StoreError
from edgecore.store.store import open_store

async def main():
    try:
        store = open_store(Path(sys.argv[1]), [])
    except StoreError as error:
        print(error)
        return
    print("opened", flush=True)
    sys.stdin.readline()
    await store.close()

asyncio.run(main())
"""


@pytest.mark.usefixtures("store")
async def test_second_opener_in_another_process_is_refused(path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", OPENER, path], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert f"cannot open database {path}: another edgecore uses it" in process.stdout


async def test_file_in_use_by_another_process_is_refused_until_that_ends(
    path: Path, opened: Callable[[], Store]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPENER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "opened\n"
        assert "another edgecore uses it" in refusal(path)
        process.communicate("\n")
    opened()


async def test_refused_opening_gives_the_lock_back(path: Path, opened: Callable[[], Store]) -> None:
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    refusal(path)
    path.unlink()
    opened()


@pytest.mark.parametrize("content", [b"plain text", b"SQLite format 4\0" + bytes(4096), b"\xff" * 5000])
async def test_file_that_is_no_database_is_refused_with_a_way_out_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    text = refusal(path)
    assert "file is not a database" in text
    assert "move the file away" in text
    assert path.read_bytes() == content


async def test_empty_file_is_a_new_database(path: Path, opened: Callable[[], Store]) -> None:
    path.touch()
    assert opened().rows("SELECT count(*) FROM meta") == [(0,)]


async def test_database_of_a_newer_edgecore_is_refused_and_kept(path: Path, schema: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert f"newer edgecore (schema {SCHEMA_VERSION + 1}, known up to {SCHEMA_VERSION})" in refusal(path, schema)
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


async def test_schema_that_fails_leaves_nothing_of_it(path: Path, schema: tuple[str, ...]) -> None:
    refusal(path, (*schema, "CREATE TABLE broken ("))
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT name FROM sqlite_master").fetchall() == []
        assert plain.execute("PRAGMA user_version").fetchone() == (0,)


async def test_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refusal(tmp_path / "file" / "edgecore.db")
    refusal(tmp_path / "file" / "deeper" / "edgecore.db")


async def test_path_of_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    assert "it is a directory; name the file in it" in refusal(path)


@pytest.mark.usefixtures("unprivileged")
async def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert "Permission denied" in refusal(folder / "edgecore.db")
    assert "Permission denied" in refusal(folder / "deeper" / "edgecore.db")


@pytest.mark.usefixtures("unprivileged")
async def test_file_that_cannot_be_written_is_refused(path: Path) -> None:
    path.touch(mode=0o000)
    assert "Permission denied" in refusal(path)


async def test_folder_that_does_not_take_files_is_refused() -> None:
    refusal(Path("/proc/self/edgecore.db"))


async def test_database_of_the_go_edgecore_is_opened_with_its_rows_and_left_as_it_is(
    go_database: Callable[..., Path],
) -> None:
    path = go_database()
    with closing(sqlite3.connect(path)) as go:
        rows = go.execute("SELECT * FROM meta ORDER BY rowid").fetchall()
        before = go.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    assert len(rows) == 41
    assert {name for name, sql in before if sql and not name.startswith("sqlite_")} == set(kubeedge.TABLES)

    store = open_store(path, NODE_SCHEMA)
    assert store.rows("SELECT key, type, value FROM meta ORDER BY rowid") == rows
    await store.write(
        Statement("INSERT OR REPLACE INTO meta (key, type, value) VALUES (?, ?, ?)", ("default/pod/x", "pod", "{}")),
    )
    await store.close()

    with closing(sqlite3.connect(path)) as go:
        after = dict(go.execute("SELECT name, sql FROM sqlite_master"))
        assert after["outbox"]
        assert {name: after[name] for name, _ in before} == dict(before)
        assert go.execute("SELECT count(*) FROM meta").fetchone() == (42,)
        assert go.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_new_file_has_the_tables_of_the_go_edgecore_to_the_letter(
    path: Path, go_database: Callable[..., Path]
) -> None:
    await open_store(path, NODE_SCHEMA).close()
    ours, theirs = texts(path), texts(go_database())
    assert {name: ours[name] for name in kubeedge.TABLES} == {name: theirs[name] for name in kubeedge.TABLES}


async def test_tables_of_later_versions_and_of_others_are_left_alone(go_database: Callable[..., Path]) -> None:
    path = go_database()
    with closing(sqlite3.connect(path)) as go:
        go.executescript("CREATE TABLE sub_topics (`topic` text PRIMARY KEY); INSERT INTO sub_topics VALUES ('a/b');")
    store = open_store(path, NODE_SCHEMA)
    assert store.rows("SELECT topic FROM sub_topics") == [("a/b",)]
    await store.close()
    assert texts(path)["sub_topics"] == "CREATE TABLE sub_topics (`topic` text PRIMARY KEY)"


def texts(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as plain:
        return dict(plain.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
