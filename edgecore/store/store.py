"""The node's one SQLite file: one writer thread for the whole node, which commits in groups; reads do not wait for it.

A write is a list of statements that are committed together. Writes that wait while a commit is under way share the
next one: under load one ``fsync`` serves many messages, and a lone message pays for one. ``write`` returns after the
commit with ``synchronous=FULL``: what it has returned for survives a crash of the machine.

Modules bring tables as ``CREATE TABLE IF NOT EXISTS`` texts; none of them opens the file itself.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import peewee
import structlog

from edgecore.clock import Clock
from edgecore.errors import StoreError
from edgecore.store.condition import Condition
from edgecore.store.migrations import MIGRATIONS, Migration
from edgecore.store.opening import open_file

log = structlog.get_logger("store")

WAITING_WRITES = 4096
"""How many writes may wait for their commit before ``write`` itself waits."""
GROUP_WRITES = 1024
"""How many writes one commit takes at most."""
_REFUSALS = (peewee.PeeweeException, sqlite3.Error, ValueError, TypeError, OverflowError)
"""What a statement can raise: the last three are Python's, for parameters that SQLite cannot hold."""


class Statement(NamedTuple):
    """One SQL statement with its parameters."""

    sql: str
    params: Sequence[Any] = ()
    apart: str = ""
    """The one table that it touches, and that only statements touch which say so: it may be executed after the others
    of its transaction. So what each write of a group brings of it becomes one batch."""
    spares: bool = False
    """It changes nothing where the row is so already; how often that was the case is counted."""


_SQL = attrgetter("sql")
_APART = attrgetter("apart")


class Watch(Protocol):
    """Who is shown what is committed, while somebody looks (``recording.watch``)."""

    @property
    def commit(self) -> Callable[[Sequence[tuple[str, Sequence[Any]]]], None] | None:
        """Takes the statements of one transaction; ``None``: nobody looks."""


class StoreStatistics(NamedTuple):
    """What the store did since it was opened."""

    writes: int
    commits: int
    failed: int
    waiting: int
    largest_group: int
    unchanged: int
    """Rows that were not written again, because they were so already."""
    failing: str
    """Why the last write was refused; empty if it was not."""


class _Write(NamedTuple):
    statements: Sequence[Statement]
    committed: asyncio.Future[None]


class Store:
    """The open file. Made by ``open_store``; used from one event loop."""

    def __init__(
        self, database: peewee.SqliteDatabase, path: Path, lock: IO[bytes], watch: Watch | None = None
    ) -> None:
        self.path = path
        self._watch = watch
        self.condition = Condition(path)
        self._database = database
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(WAITING_WRITES)
        self._waiting = 0
        self._accepted = self._commits = self._failed = self._largest_group = self._unchanged = 0
        self._failing = ""
        self._closed = False
        self._thread = threading.Thread(target=self._write_groups, name="store writer", daemon=True)
        self._begin()

    def _begin(self) -> None:
        self._thread.start()

    async def write(self, *statements: Statement) -> None:
        """Execute ``statements`` in order, all or none, and return once they are committed.

        Writes are committed in the order of these calls. Raises ``StoreError`` where SQLite refuses, naming the file;
        nothing of this write is stored then.
        """
        async with self._room:
            await self.submit(*statements)

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        """Do as ``write`` does, without waiting: return a future that is done once the statements are committed.

        Its caller bounds the number under way; ``write`` does it by itself.
        """
        committed: asyncio.Future[None] = self._loop.create_future()
        if self._closed:
            committed.set_exception(StoreError(f"cannot write {self.path}: it is closed"))
            return committed
        self._waiting += 1
        self._accepted += 1
        self._writes.put(_Write(statements, committed))
        return committed

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the committed rows of a query, at once, from a connection of its own.

        Raises ``StoreError`` where SQLite refuses.
        """
        try:
            cursor: sqlite3.Cursor = self._database.cursor()  # peewee's execute_sql would cost twice as much
            return cursor.execute(sql, params).fetchall()
        except _REFUSALS as error:
            raise self.condition.refused("read", error) from error

    def statistics(self) -> StoreStatistics:
        """Return what was done so far."""
        return StoreStatistics(
            self._accepted,
            self._commits,
            self._failed,
            self._waiting,
            self._largest_group,
            self._unchanged,
            self._failing,
        )

    async def close(self) -> None:
        """Commit what is waiting, close the file, and let others open it."""
        if self._closed:
            return
        self._closed = True
        self._writes.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._database.close()
        self._lock.close()

    # The writer thread.

    def _write_groups(self) -> None:
        closing = False
        while not closing:
            group: list[_Write] = []
            first = self._writes.get()
            if first is None:
                break
            group.append(first)
            while len(group) < GROUP_WRITES:
                try:
                    following = self._writes.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    closing = True
                    break
                group.append(following)
            outcomes = self._commit(group)
            self._loop.call_soon_threadsafe(self._settle, group, outcomes)
        self._database.close()

    def _commit(self, group: list[_Write]) -> list[StoreError | None]:
        """Commit ``group`` in one transaction; if that fails, each write in one of its own, so that one bad write
        takes no other with it."""
        try:
            self._transact([statement for write in group for statement in write.statements])
        except _REFUSALS as error:
            failure = self.condition.refused("write", error)
            if len(group) == 1 or "database is locked" in str(error):  # somebody else holds it: each would wait as long
                return [failure] * len(group)
            return [outcome for write in group for outcome in self._commit([write])]
        self._commits += 1
        self._largest_group = max(self._largest_group, len(group))
        return [None] * len(group)

    def _transact(self, statements: list[Statement]) -> None:
        self._database.connect(reuse_if_open=True)
        connection: sqlite3.Connection = self._database.connection()
        unchanged = 0
        connection.execute("BEGIN IMMEDIATE")
        try:
            for sql, same in groupby(_in_batches(statements), key=_SQL):
                batch, changed_before = list(same), connection.total_changes
                connection.executemany(sql, [statement.params for statement in batch])
                if batch[0].spares:
                    unchanged += len(batch) - (connection.total_changes - changed_before)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()  # nothing happens where SQLite did so itself, as it does when the disk is full
            raise
        self._unchanged += unchanged

    def _settle(self, group: list[_Write], outcomes: list[StoreError | None]) -> None:
        self._waiting -= len(group)
        if self._watch is not None and self._watch.commit is not None:
            _show(self._watch.commit, group, outcomes)
        for write, error in zip(group, outcomes, strict=True):
            self._note("" if error is None else str(error))
            if write.committed.done():
                continue
            if error is None:
                write.committed.set_result(None)
            else:
                write.committed.set_exception(error)

    def _note(self, error: str) -> None:
        """Note how a write ended, and log it where it is news: a full disk refuses every write until there is room."""
        before, self._failing = self._failing, error
        if error:
            self._failed += 1
            if _reason(error) != _reason(before):
                log.error("write_failed", error=error)
        elif before:
            log.info("writes_succeed_again", failed=self._failed)


def _reason(error: str) -> str:
    """Return what a ``StoreError`` says without its advice, in which figures change."""
    return error.partition("; ")[0]


def _show(
    commit: Callable[[Sequence[tuple[str, Sequence[Any]]]], None],
    group: Sequence[_Write],
    outcomes: Sequence[StoreError | None],
) -> None:
    """Show the transactions: one for all, or, where that failed, one for each that was not refused."""
    stored = [write.statements for write, error in zip(group, outcomes, strict=True) if error is None]
    one = [[statement for statements in stored for statement in statements]]
    for statements in one if len(stored) == len(group) else stored:
        commit([(statement.sql, statement.params) for statement in _in_batches(statements)])


def _in_batches(statements: Sequence[Statement]) -> list[Statement]:
    """Return ``statements`` in their order, those that are apart behind the others, table by table."""
    return sorted(statements, key=_APART)  # which keeps the order of what is alike


class PromptStore(Store):
    """A store without a thread: the event loop writes, so that all that happens has always the same order.

    What is submitted in one turn of the loop is committed in its next one, together. Nothing waits for the disk: what
    is written so may be lost when the machine goes down.
    """

    def _begin(self) -> None:
        self._due = False
        self._database.execute_sql("PRAGMA synchronous = off")

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        """See ``Store``."""
        committed = super().submit(*statements)
        if not self._due and not self._closed:
            self._due = True
            self._loop.call_soon(self._write_waiting)
        return committed

    async def close(self) -> None:
        """See ``Store``."""
        if self._closed:
            return
        self._write_waiting()
        self._closed = True
        self._database.close()
        self._lock.close()

    def _write_waiting(self) -> None:
        self._due = False
        group: list[_Write] = []
        while not self._writes.empty():
            write = self._writes.get_nowait()
            if write is not None:
                group.append(write)
        if group and not self._closed:
            self._settle(group, self._commit(group))


def open_store(
    path: Path,
    schema: Sequence[str],
    *,
    migrations: Sequence[Migration] = MIGRATIONS,
    clock: Clock | None = None,
    at_once: bool = False,
    watch: Watch | None = None,
) -> Store:
    """Open, or make, the file at ``path`` (mode 0600), with the tables of ``schema``. To be called in the event loop.

    ``migrations`` are the node's, unless the file is another's. ``at_once``: see ``PromptStore``. ``watch`` is shown
    what is committed. Raises ``StoreError``, naming the file and the way out: see ``opening.py``.
    """
    opened = open_file(path, schema, migrations, clock)
    return (PromptStore if at_once else Store)(opened.database, path, opened.lock, watch)
