"""The stub's file in memory: real SQL, and commits that take their time, fail, or are lost when the process ends."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from cloudhub_stub.store.cluster import CLUSTER_SCHEMA
from cloudhub_stub.store.tables import SCHEMA, StoredRows
from edgecore.clock import Clock
from edgecore.errors import StoreError
from edgecore.store.store import Statement, Store


class _Write(NamedTuple):
    future: asyncio.Future[None]
    statements: Sequence[Statement]


class StubDisk:
    """What outlives the processes of the stub. ``latency_s`` is how long a commit takes; ``failing`` is how many of
    the next ones fail."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.latency_s = 0.0
        self.failing = 0
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        for statement in (*SCHEMA, *CLUSTER_SCHEMA):
            self.database.execute(statement)

    def close(self) -> None:
        self.database.close()


class OpenDisk:
    """The file as one process has it open. Once that has crashed, what waits is lost, and nobody hears of it."""

    def __init__(self, disk: StubDisk) -> None:
        self._disk = disk
        self._waiting: deque[_Write] = deque()
        self._is_set = False
        self._crashed = False

    @property
    def is_idle(self) -> bool:
        return not self._waiting

    def crash(self) -> None:
        self._crashed = True
        self._waiting.clear()

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._crashed:
            self._waiting.append(_Write(future, statements))
            self._set()
        return future

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._disk.database.execute(sql, params).fetchall()

    def _set(self) -> None:
        """Commit what waits now, a moment later."""
        if self._is_set or not self._waiting:
            return
        self._is_set = True
        size = len(self._waiting)
        clock, latency_s = self._disk.clock, self._disk.latency_s
        if latency_s:
            clock.call_at(clock.monotonic() + latency_s, lambda: self._commit(size))
        else:
            asyncio.get_running_loop().call_soon(self._commit, size)

    def _commit(self, size: int) -> None:
        self._is_set = False
        if self._crashed:
            return
        group = [self._waiting.popleft() for _ in range(size)]
        if self._disk.failing:
            self._disk.failing -= 1
            for write in group:
                write.future.set_exception(StoreError("cannot write: the disk is full"))
        else:
            for write in group:
                self._execute(write.statements)
                write.future.set_result(None)
        self._set()

    def _execute(self, statements: Sequence[Statement]) -> None:
        database = self._disk.database
        database.execute("BEGIN")
        for statement in statements:
            database.execute(statement.sql, statement.params)
        database.execute("COMMIT")


class StubRows(StoredRows):
    """The stub's own rows, in such a file."""

    def __init__(self, disk: StubDisk) -> None:
        super().__init__(Path("in-memory"))
        self.disk = OpenDisk(disk)
        self._opened = cast("Store", self.disk)
