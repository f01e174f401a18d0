"""What is left of the file when the power goes: any beginning of its log, with anything behind, is a beginning of the
commits; and whatever was committed before the last byte that reached the disk is there (``synchronous=FULL``).
"""

import shutil
import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecore.store.store import Statement, open_store

SCHEMA = ("CREATE TABLE IF NOT EXISTS meta (key text NOT NULL PRIMARY KEY, type text NOT NULL DEFAULT '', value text)",)
COMMITS = 40
KEYS = 7
Rows = dict[str, str]
PUT = "INSERT OR REPLACE INTO meta (key, type, value) VALUES (?, 'pod', ?)"


class Written(NamedTuple):
    """A file and its log as they lay on the disk, and what each commit came to."""

    database: bytes
    log: bytes
    ends: Sequence[int]
    """How long the log was after the opening, after the first commit, and so on."""
    states: Sequence[Rows]

    def __repr__(self) -> str:
        return f"a log of {len(self.log)} bytes"


def _change(number: int) -> tuple[Statement, ...]:
    """Return what the ``number``-th commit does: several rows, of a few bytes and of several pages, or a delete."""
    key, size = f"key-{number % KEYS}", (10, 3_000, 20_000)[number % 3]
    if number % 5 == 4:
        return (Statement("DELETE FROM meta WHERE key = ?", (key,)), Statement(PUT, ("last", str(number))))
    return (Statement(PUT, (key, f"{number}" * size)), Statement(PUT, ("last", str(number))))


@pytest.fixture
async def written(tmp_path: Path) -> Written:
    """A file with a log of many commits, as they are while the store is open."""
    path = tmp_path / "made" / "edgecore.db"
    log = path.with_name("edgecore.db-wal")
    store = open_store(path, SCHEMA)
    ends, states = [log.stat().st_size if log.exists() else 0], [_read(store.rows("SELECT key, value FROM meta"))]
    for number in range(COMMITS):
        await store.write(*_change(number))
        ends.append(log.stat().st_size)
        states.append(_read(store.rows("SELECT key, value FROM meta")))
    found = Written(path.read_bytes(), log.read_bytes(), ends, states)
    await store.close()
    assert ends == sorted(set(ends)), "the log only grew: none of it was written twice"
    return found


def _read(rows: Sequence[tuple[str, str]]) -> Rows:
    return dict(rows)


TAILS = {
    "nothing": lambda rest: b"",
    "zeros": lambda rest: bytes(len(rest)),
    "noise": lambda rest: bytes((byte * 31 + 7) % 256 for byte in rest),
    "one sector lost": lambda rest: bytes(len(rest[:512])) + rest[512:],
}
"""What may lie behind the place up to which the log reached the disk."""


async def _state_found(folder: Path, database: bytes, log: bytes) -> Rows:
    """Return what a node finds that starts from these bytes, having seen that SQLite finds nothing wrong."""
    path = folder / "torn" / "edgecore.db"
    path.parent.mkdir()
    try:
        path.write_bytes(database)
        path.with_name("edgecore.db-wal").write_bytes(log)
        store = open_store(path, SCHEMA)
        try:
            assert store.rows("PRAGMA integrity_check") == [("ok",)]
            found = _read(store.rows("SELECT key, value FROM meta"))
            await store.write(Statement(PUT, ("after", "the cut")))
        finally:
            await store.close()
        with closing(sqlite3.connect(path)) as file:
            assert dict(file.execute("SELECT key, value FROM meta")) == {**found, "after": "the cut"}
        return found
    finally:
        shutil.rmtree(path.parent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    commit=st.integers(0, COMMITS),
    beyond=st.integers(-60, 60) | st.integers(0, 200_000),
    tail=st.sampled_from(sorted(TAILS)),
)
async def test_a_log_that_reached_the_disk_in_part_is_the_commits_that_reached_it_whole(
    written: Written, tmp_path: Path, commit: int, beyond: int, tail: str
) -> None:
    """The log reached the disk up to so many bytes before or behind the end of a commit."""
    cut = min(max(written.ends[commit] + beyond, written.ends[0]), len(written.log))
    log = written.log[:cut] + TAILS[tail](written.log[cut:])

    found = await _state_found(tmp_path, written.database, log)

    intact = next((at for at in range(cut, len(log)) if log[at] != written.log[at]), len(log))
    assert found == written.states[bisect_right(written.ends, intact) - 1]


async def test_a_log_that_is_whole_holds_every_commit(written: Written, tmp_path: Path) -> None:
    assert await _state_found(tmp_path, written.database, written.log) == written.states[-1]


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 33, 56, 4_000])
async def test_a_log_of_which_hardly_anything_reached_the_disk_holds_nothing(
    written: Written, tmp_path: Path, cut: int
) -> None:
    assert await _state_found(tmp_path, written.database, written.log[:cut]) == {}
