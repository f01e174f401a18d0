"""Where a process is killed: by itself, with SIGKILL, at a commit or an acknowledgement that was chosen before.

SQLite's connections are watched from outside: nothing of the node knows of it, and what is killed is what runs.
"""

import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Moment(StrEnum):
    """A moment in the life of a commit or of an acknowledgement."""

    BEFORE_BEGIN = "before_begin"
    BEFORE_COMMIT = "before_commit"
    """All statements are executed."""
    AFTER_COMMIT = "after_commit"
    """Nobody has heard of it: neither the event loop, nor a neighbour, nor the cloud."""
    BEFORE_ACK = "before_ack"
    """Handed to the link, and lost with it."""
    AFTER_ACK = "after_ack"
    """The cloud has it."""


AT_COMMITS = (Moment.BEFORE_BEGIN, Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT)
AT_ACKS = (Moment.BEFORE_ACK, Moment.AFTER_ACK)


class Point(NamedTuple):
    """The ``number``-th commit or acknowledgement of a process, counted from 1, and the moment there."""

    moment: Moment
    number: int


class Reaper:
    """Counts, and kills this process at ``point``."""

    def __init__(self, point: Point | None) -> None:
        self._point = point
        self.begun = self.commits = self.acks = 0

    def pass_by(self, moment: Moment, number: int) -> None:
        """End here, if this is the point."""
        if self._point == (moment, number):
            os.kill(os.getpid(), signal.SIGKILL)

    def execute(self, execute: Callable[..., Any], sql: str, params: Sequence[Any]) -> Any:
        """Execute a statement, passing by where a transaction begins or ends."""
        verb = sql.lstrip().partition(" ")[0].upper()
        if verb == "BEGIN":
            self.begun += 1
            self.pass_by(Moment.BEFORE_BEGIN, self.begun)
        if verb != "COMMIT":
            return execute(sql, *params)
        self.commits += 1
        self.pass_by(Moment.BEFORE_COMMIT, self.commits)
        result = execute(sql, *params)
        self.pass_by(Moment.AFTER_COMMIT, self.commits)
        return result

    def watch_connections(self) -> None:
        """Have every connection that is opened from now on pass by."""
        reaper = self

        class Cursor(sqlite3.Cursor):
            def execute(self, sql: str, *params: Any) -> Any:
                return reaper.execute(super().execute, sql, params)

        class Connection(sqlite3.Connection):
            def cursor(self, factory: Any = Cursor) -> Any:
                return super().cursor(factory)

            def execute(self, sql: str, *params: Any) -> Any:
                return reaper.execute(super().execute, sql, params)

            def commit(self) -> None:
                reaper.execute(lambda _sql: super(Connection, self).commit(), "COMMIT", ())

        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Connection, **kwargs)  # type: ignore[assignment]
