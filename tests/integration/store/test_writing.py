"""Writing and reading the store's file: durable, grouped, in order, and each write by itself."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import peewee
import pytest
from structlog.testing import capture_logs

from edgecore.errors import StoreError
from edgecore.store.store import WAITING_WRITES, Statement, Store

Hold = Callable[[], AbstractContextManager[None]]


def put(key: str, value: Any = "x") -> Statement:
    return Statement("INSERT INTO meta (key, type, value) VALUES (?, 'pod', ?)", (key, value))


def append(text: str) -> Statement:
    return Statement("UPDATE meta SET value = value || ? WHERE key = 'log'", (text,))


def keys(store: Store) -> list[str]:
    return [row[0] for row in store.rows("SELECT key FROM meta ORDER BY key")]


async def test_written_row_is_read(store: Store) -> None:
    await store.write(put("a", "1"))
    assert store.rows("SELECT key, type, value FROM meta WHERE key = ?", ("a",)) == [("a", "pod", "1")]


async def test_written_row_is_seen_by_another_program_at_once(store: Store) -> None:
    await store.write(put("a"))
    with closing(sqlite3.connect(store.path)) as other:
        assert other.execute("SELECT key FROM meta").fetchall() == [("a",)]


async def test_row_that_does_not_exist_is_no_row(store: Store) -> None:
    assert store.rows("SELECT * FROM meta WHERE key = ?", ("nothing",)) == []


async def test_statements_of_a_write_are_executed_in_order(store: Store) -> None:
    await store.write(put("log", ""), append("1"), append("2"), Statement("UPDATE meta SET type = 'x'"), append("3"))
    assert store.rows("SELECT type, value FROM meta") == [("x", "123")]


async def test_statements_that_are_apart_are_executed_behind_the_others_in_their_order(store: Store) -> None:
    apart = [append(text)._replace(apart=table) for text, table in (("1", "b"), ("3", "a"), ("4", "b"))]
    await store.write(put("log", ""), apart[0], append("2"), *apart[1:])
    assert store.rows("SELECT value FROM meta") == [("2314",)]


async def test_statements_that_are_apart_are_of_the_same_write(store: Store) -> None:
    with capture_logs(), pytest.raises(StoreError):
        await store.write(put("a")._replace(apart="meta"), put("b"), put("b"))
    assert keys(store) == []


async def test_rows_that_a_sparing_statement_leaves_as_they_are_are_counted(store: Store) -> None:
    sparing = "UPDATE meta SET value = ? WHERE key = ? AND value IS NOT ?"
    await store.write(put("a", "1"), put("b", "2"))
    await store.write(*(Statement(sparing, ("1", key, "1"), spares=True) for key in ("a", "b", "a")), put("c"))
    assert store.statistics().unchanged == 2
    assert store.rows("SELECT value FROM meta ORDER BY key")[:2] == [("1",), ("1",)]


async def test_write_of_nothing_is_a_commit(store: Store) -> None:
    await store.write()
    assert store.statistics().writes == 1


async def test_writes_are_committed_in_the_order_of_the_calls(store: Store) -> None:
    await store.write(put("log", ""))
    await asyncio.gather(*(store.write(append(f"{number},")) for number in range(300)))
    assert store.rows("SELECT value FROM meta") == [("".join(f"{number}," for number in range(300)),)]


async def test_writes_that_wait_share_one_commit(store: Store, held: Hold) -> None:
    with held():
        writing = [asyncio.ensure_future(store.write(put(str(number)))) for number in range(100)]
        await asyncio.sleep(0.05)  # the first of them are with the writer, which waits for the other program
        assert not any(one.done() for one in writing)
        assert store.statistics().waiting == 100
    await asyncio.gather(*writing)

    figures = store.statistics()
    assert (figures.writes, figures.failed, figures.waiting) == (100, 0, 0)
    assert figures.commits <= 2
    assert figures.largest_group >= 50
    assert len(keys(store)) == 100


async def test_lone_write_is_a_commit_of_its_own(store: Store) -> None:
    for number in range(3):
        await store.write(put(str(number)))
    assert store.statistics() == (3, 3, 0, 0, 1, 0, "")


async def test_rows_do_not_wait_for_the_writer(store: Store, held: Hold) -> None:
    await store.write(put("a"))
    with held():
        writing = asyncio.ensure_future(store.write(put("b")))
        await asyncio.sleep(0.02)
        assert keys(store) == ["a"]
    await writing
    assert keys(store) == ["a", "b"]


async def test_rows_see_what_a_write_has_returned_for(store: Store) -> None:
    for number in range(50):
        await store.write(put(f"{number:02}"))
        assert len(keys(store)) == number + 1


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(put("taken"), id="constraint"),
        pytest.param(Statement("INSERT INTO nothing VALUES (1)"), id="unknown table"),
        pytest.param(Statement("not sql"), id="not SQL"),
        pytest.param(put("x", object()), id="unsupported type"),
        pytest.param(put("x", 2**63), id="number too large"),
        pytest.param(put("x", "\ud800"), id="half a surrogate pair"),
        pytest.param(Statement("INSERT INTO meta (key) VALUES (?)", ()), id="missing parameter"),
        pytest.param(Statement("INSERT INTO meta (key) VALUES ('\0')"), id="null character"),
        pytest.param(Statement("INSERT INTO meta (key) VALUES (?)", 5), id="no sequence"),  # type: ignore[arg-type]
        pytest.param(Statement("SELECT 1"), id="a query"),
    ],
)
async def test_bad_write_fails_by_itself_and_the_writer_goes_on(store: Store, bad: Statement) -> None:
    await store.write(put("taken"))
    with capture_logs() as logs, pytest.raises(StoreError, match=f"^cannot write {store.path}: "):
        await store.write(put("with it"), bad)

    await store.write(put("after"))
    assert keys(store) == ["after", "taken"]
    assert store.statistics().failed == 1
    assert [entry["event"] for entry in logs] == ["write_failed"]


async def test_what_refuses_every_write_is_logged_when_it_begins_and_when_it_is_over(store: Store) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(StoreError):
                await store.write(Statement("INSERT INTO nothing VALUES (1)"))
        with pytest.raises(StoreError):
            await store.write(Statement("not sql"))
        await store.write(put("after"))
        await store.write(put("later"))
    assert [entry["event"] for entry in logs] == ["write_failed", "write_failed", "writes_succeed_again"]
    assert (store.statistics().failed, logs[-1]["failed"]) == (4, 4)


async def test_bad_write_takes_no_other_of_its_group_with_it(store: Store, held: Hold) -> None:
    await store.write(put("7"), put("log", ""))
    with held():
        writing = [
            asyncio.ensure_future(store.write(put(str(number)), append(str(number)), put(f"{number} more")))
            for number in range(10)
        ]
        await asyncio.sleep(0.02)
    with capture_logs():
        outcomes = await asyncio.gather(*writing, return_exceptions=True)

    assert [number for number, outcome in enumerate(outcomes) if outcome is not None] == [7]
    assert "7 more" not in keys(store)
    assert len(keys(store)) == 2 + 9 * 2
    assert store.rows("SELECT value FROM meta WHERE key = 'log'") == [("012345689",)]
    assert (store.statistics().failed, store.statistics().waiting) == (1, 0)


async def test_cancelled_write_is_committed_all_the_same_and_disturbs_nobody(store: Store, held: Hold) -> None:
    with held():
        cancelled = asyncio.ensure_future(store.write(put("a")))
        kept = asyncio.ensure_future(store.write(put("b")))
        await asyncio.sleep(0.02)
        cancelled.cancel()
        await asyncio.sleep(0)
    await kept
    assert cancelled.cancelled()
    assert keys(store) == ["a", "b"]
    assert store.statistics().waiting == 0


async def test_writes_beyond_the_bound_wait_outside_and_go_in_as_others_are_committed(store: Store, held: Hold) -> None:
    count = WAITING_WRITES + 500
    with held():
        writing = [asyncio.ensure_future(store.write(put(str(number)))) for number in range(count)]
        await asyncio.sleep(0.05)
        assert store.statistics().waiting == WAITING_WRITES
    await asyncio.gather(*writing)
    assert store.rows("SELECT count(*) FROM meta") == [(count,)]


async def test_submitted_writes_do_not_widen_the_bound(store: Store, held: Hold) -> None:
    await asyncio.gather(*(store.submit(put(f"before {number}")) for number in range(100)))
    with held():
        writing = [asyncio.ensure_future(store.write(put(str(number)))) for number in range(WAITING_WRITES + 50)]
        await asyncio.sleep(0.05)
        assert store.statistics().waiting == WAITING_WRITES
    await asyncio.gather(*writing)


async def test_submit_returns_before_the_commit_and_its_future_after_it(store: Store, held: Hold) -> None:
    with held():
        committed = store.submit(put("a"))
        await asyncio.sleep(0.02)
        assert not committed.done()
        assert keys(store) == []
    await committed
    assert keys(store) == ["a"]


@pytest.mark.parametrize("sql", ["not sql", "SELECT * FROM nothing", "SELECT ?"])
async def test_query_that_sqlite_refuses_is_an_error_naming_the_file(store: Store, sql: str) -> None:
    with pytest.raises(StoreError, match=f"^cannot read {store.path}: "):
        store.rows(sql)


async def test_query_with_text_that_is_no_text_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError):
        store.rows("SELECT * FROM meta WHERE key = ?", ("\ud800",))


async def test_close_commits_what_waits_and_writes_nothing_more(opened: Callable[[], Store]) -> None:
    store = opened()
    submitted = [store.submit(put(str(number))) for number in range(20)]
    await store.close()
    assert all(one.done() and one.exception() is None for one in submitted)
    with pytest.raises(StoreError, match="it is closed"):
        await store.write(put("late"))
    with pytest.raises(StoreError, match="cannot read"):
        store.rows("SELECT * FROM meta")
    await store.close()

    again = opened()
    assert len(keys(again)) == 20


async def test_write_that_waits_outside_is_refused_when_the_store_is_closed(store: Store, held: Hold) -> None:
    with held():
        writing = [asyncio.ensure_future(store.write(put(str(number)))) for number in range(WAITING_WRITES + 3)]
        await asyncio.sleep(0.05)
        closing_store = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
    await closing_store
    outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert outcomes[:WAITING_WRITES] == [None] * WAITING_WRITES
    assert all(isinstance(outcome, StoreError) for outcome in outcomes[WAITING_WRITES:])


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from edgecore.store.store import Statement, open_store

async def main():
    store = open_store(Path(sys.argv[1]), ["CREATE TABLE IF NOT EXISTS meta (key text PRIMARY KEY, type, value)"])
    for number in range(50):
        await store.write(Statement("INSERT INTO meta (key) VALUES (?)", (f"{number:02}",)))
        print(number, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_write_survives_the_death_of_the_process(path: Path, opened: Callable[[], Store]) -> None:
    process = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=False)
    assert process.stderr == ""
    assert process.returncode == -9
    store = opened()  # its lock died with it
    assert store.rows("SELECT key FROM meta ORDER BY key") == [(f"{number:02}",) for number in range(50)]
    assert store.rows("PRAGMA integrity_check") == [("ok",)]


async def test_commits_are_made_with_full_durability(store: Store) -> None:
    assert store.rows("PRAGMA synchronous") == [(2,)]
    assert store.rows("PRAGMA journal_mode") == [("wal",)]


async def limited_store(path: Path, schema: tuple[str, ...], **pragmas: int) -> Store:
    """Open a store whose file may not grow, or that does not wait for others."""
    database = peewee.SqliteDatabase(
        str(path), pragmas={"journal_mode": "wal", "synchronous": "full", **pragmas}, autoconnect=False, timeout=0.01
    )
    database.connect()
    for text in schema:
        database.execute_sql(text)
    return Store(database, path, path.with_name("lock").open("ab"))


async def test_full_disk_fails_the_writes_that_do_not_fit_and_later_ones_go_on(
    path: Path, schema: tuple[str, ...]
) -> None:
    store = await limited_store(path, schema, max_page_count=40)
    with capture_logs():
        outcomes = await asyncio.gather(
            *(store.write(put(f"{number:02}", "x" * 10_000)) for number in range(30)), return_exceptions=True
        )
    stored = [number for number, outcome in enumerate(outcomes) if outcome is None]

    assert 5 <= len(stored) < 30
    assert {type(outcome) for outcome in outcomes} == {StoreError, type(None)}
    assert all("database or disk is full" in str(outcome) for outcome in outcomes if outcome)
    assert keys(store) == [f"{number:02}" for number in stored]

    await store.write(Statement("DELETE FROM meta"))
    await store.write(put("fits again"))
    assert keys(store) == ["fits again"]
    assert store.rows("PRAGMA integrity_check") == [("ok",)]
    await store.close()


async def test_file_held_by_another_program_fails_the_whole_group_in_one_wait(
    path: Path, schema: tuple[str, ...], held: Hold
) -> None:
    store = await limited_store(path, schema, busy_timeout=50)
    with held(), capture_logs():
        started = asyncio.get_running_loop().time()
        writing = [store.write(put(str(number))) for number in range(200)]
        outcomes = await asyncio.gather(*writing, return_exceptions=True)
        took_s = asyncio.get_running_loop().time() - started
    assert all("database is locked" in str(outcome) for outcome in outcomes)
    assert took_s < 5  # 200 waits would take 10 seconds
    await store.write(put("afterwards"))
    assert keys(store) == ["afterwards"]
    await store.close()


async def test_a_refused_write_is_told_until_one_succeeds(store: Any) -> None:
    with pytest.raises(StoreError):
        await store.write(Statement("INSERT INTO nowhere VALUES (1)"))
    assert "no such table: nowhere" in store.statistics().failing

    await store.write(put("after"))
    assert store.statistics().failing == ""
