"""What is committed is shown to who looks: in the event loop, after the commit."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgecore.errors import StoreError
from edgecore.recording.watch import Watch
from edgecore.store.store import Statement, Store, open_store

SCHEMA = ("CREATE TABLE IF NOT EXISTS t (x integer NOT NULL)", "CREATE TABLE IF NOT EXISTS u (x integer NOT NULL)")
T, U = "INSERT INTO t VALUES (?)", "INSERT INTO u VALUES (?)"


class Seen:
    """Looks at the commits of a node, and at what the file says at that moment."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.commits: list[list[tuple[str, Sequence[Any]]]] = []
        self.rows: list[int] = []
        self.store: Store

    def look(self) -> None:
        self.watch.commit = self._take

    def _take(self, writes: Sequence[tuple[str, Sequence[Any]]]) -> None:
        self.commits.append([(sql, tuple(params)) for sql, params in writes])
        self.rows.append(self.store.rows("SELECT count(*) FROM t")[0][0])


@pytest.fixture(params=[False, True], ids=["thread", "at once"])
async def seen(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Seen]:
    seen = Seen()
    seen.store = open_store(tmp_path / "edgecore.db", SCHEMA, watch=seen.watch, at_once=request.param)
    yield seen
    await seen.store.close()


async def test_a_commit_is_shown_with_its_statements_once_it_is_on_disk(seen: Seen) -> None:
    seen.look()

    await seen.store.write(Statement(T, (1,)), Statement(T, (2,)))

    assert seen.commits == [[(T, (1,)), (T, (2,))]]
    assert seen.rows == [2]


async def test_writes_that_share_a_commit_are_shown_as_one_in_the_order_in_which_they_were_executed(seen: Seen) -> None:
    seen.look()
    writes = [seen.store.submit(Statement(U, (n,), apart="u"), Statement(T, (n,))) for n in range(3)]
    for write in writes:
        await write

    shown = [write for commit in seen.commits for write in commit]
    assert sorted(shown) == sorted([(T, (n,)) for n in range(3)] + [(U, (n,)) for n in range(3)])
    for commit in seen.commits:
        assert [sql for sql, _ in commit] == sorted(sql for sql, _ in commit)  # u is apart: behind t
    assert len(seen.commits) == seen.store.statistics().commits


async def test_what_is_refused_is_not_shown(seen: Seen) -> None:
    seen.look()
    writes = [seen.store.submit(Statement(T, (n,))) for n in (1, None, 3)]

    await writes[0]
    with pytest.raises(StoreError):
        await writes[1]
    await writes[2]

    assert [write for commit in seen.commits for write in commit] == [(T, (1,)), (T, (3,))]


async def test_nothing_is_shown_while_nobody_looks(seen: Seen) -> None:
    await seen.store.write(Statement(T, (1,)))
    seen.look()
    await seen.store.write(Statement(T, (2,)))
    seen.watch.commit = None
    await seen.store.write(Statement(T, (3,)))

    assert seen.commits == [[(T, (2,))]]
