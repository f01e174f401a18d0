"""What a running store says of its file: damage that shows later, and a file that is taken away."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edgecore.app import SCHEMA
from edgecore.errors import StoreError
from edgecore.store.store import Statement, Store, open_store

PUT = Statement("INSERT OR REPLACE INTO meta VALUES ('default/pod/new', 'pod', '{}')")


@pytest.fixture
async def running(made: Path) -> AsyncIterator[Store]:
    store = open_store(made, SCHEMA)
    yield store
    await store.close()


def spoil(path: Path) -> None:
    """Overwrite every page but the first, as a dying flash does, behind the back of SQLite."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (path.stat().st_size - 4096))


async def test_a_file_that_is_as_it_was_gives_no_reason(running: Store) -> None:
    await running.write(PUT)
    assert list(running.condition.reasons()) == []
    assert not running.condition.troubles


async def test_damage_that_a_read_meets_is_counted_told_and_logged_once(running: Store) -> None:
    spoil(running.path)
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(StoreError, match=r"malformed.*`edgecore db repair"):
                running.rows("SELECT count(*), sum(length(value)) FROM meta")
    [reason] = running.condition.reasons()
    assert reason.startswith(f"database {running.path} is damaged (cannot read {running.path}: ")
    assert running.condition.troubles == {"damaged": 3}
    assert [entry["event"] for entry in logs] == ["database_damaged"]


async def test_damage_that_a_write_meets_fails_the_write_and_is_told(running: Store) -> None:
    spoil(running.path)
    with capture_logs(), pytest.raises(StoreError, match=r"malformed.*`edgecore db repair"):
        await running.write(PUT)
    assert running.condition.troubles["damaged"] >= 1
    assert list(running.condition.reasons())


async def test_a_statement_that_is_wrong_says_nothing_of_the_file(running: Store) -> None:
    with pytest.raises(StoreError, match="no such table"):
        running.rows("SELECT * FROM nowhere")
    assert not running.condition.troubles


@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_a_file_that_was_deleted_is_told_and_logged_once(running: Store, suffix: str) -> None:
    path = Path(f"{running.path}{suffix}")
    path.rename(path.with_name("gone"))
    with capture_logs() as logs:
        told = [list(running.condition.reasons()) for _ in range(3)]
    assert told[0] == told[2]
    assert f"{path} was deleted under the running node: what it stores is gone when it stops" in told[0][0]
    assert [entry["event"] for entry in logs] == ["database_file_lost"]
    path.with_name("gone").rename(path)
    assert list(running.condition.reasons()) == []


async def test_a_file_that_was_replaced_is_told(running: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE meta (x)")
    aside = running.path.with_name("aside")
    running.path.rename(aside)
    (tmp_path / "other").rename(running.path)
    [reason] = running.condition.reasons()
    assert "was replaced by another file under the running node" in reason
    aside.replace(running.path)
