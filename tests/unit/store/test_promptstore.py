"""A store without a thread."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgecore.errors import StoreError
from edgecore.store.store import Statement, Store, open_store

SCHEMA = ("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY)",)


def insert(number: int) -> Statement:
    return Statement("INSERT INTO t VALUES (?)", (number,))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path / "n.db", SCHEMA, at_once=True)
    yield opened
    await opened.close()


async def test_what_is_submitted_in_one_turn_is_one_commit(store: Store) -> None:
    before = threading.active_count()
    writes = [store.submit(insert(1)), store.submit(insert(2))]
    assert store.statistics().waiting == 2
    for write in writes:
        await write
    statistics = store.statistics()
    assert (statistics.commits, statistics.largest_group, statistics.waiting) == (1, 2, 0)
    assert store.rows("SELECT x FROM t ORDER BY x") == [(1,), (2,)]
    assert threading.active_count() == before


async def test_a_refused_write_takes_no_other_with_it(store: Store) -> None:
    await store.write(insert(1))
    good, bad = store.submit(insert(2)), store.submit(insert(1))
    await good
    with pytest.raises(StoreError):
        await bad
    assert store.rows("SELECT x FROM t ORDER BY x") == [(1,), (2,)]


async def test_what_waits_is_committed_at_the_close(tmp_path: Path) -> None:
    path = tmp_path / "n.db"
    store = open_store(path, SCHEMA, at_once=True)
    write = store.submit(insert(7))
    await store.close()
    assert write.done()
    with pytest.raises(StoreError, match="it is closed"):
        await store.write(insert(8))
    again = open_store(path, SCHEMA, at_once=True)
    assert again.rows("SELECT x FROM t") == [(7,)]
    await again.close()
