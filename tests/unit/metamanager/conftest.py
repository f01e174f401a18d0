"""Messages as MetaManager gets them, and the file it keeps its rows in."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.resource import EDGECONTROLLER
from edgecore.modules.metamanager.tables import SCHEMA
from edgecore.store.store import Store, open_store


@pytest.fixture(scope="session")
def message() -> Callable[..., Message]:
    """message(operation, resource, content=None, source="edgecontroller"): with id ``m-1``."""

    def make(operation: str, resource: str, content: Any = None, source: str = EDGECONTROLLER) -> Message:
        return Message(Header("m-1", timestamp_ms=1), Route(source, "resource", operation, resource), content)

    return make


REFUSAL = (
    "CREATE TRIGGER IF NOT EXISTS refuse BEFORE INSERT ON meta WHEN new.key LIKE '%/refused' "
    "BEGIN SELECT raise(ABORT, 'refused by the test'); END"
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A real file with the ``meta`` table; a row whose key ends in ``/refused`` cannot be stored."""
    opened = open_store(tmp_path / "edgecore.db", (*SCHEMA, REFUSAL))
    yield opened
    await opened.close()


@pytest.fixture
def commits_held(store: Store) -> Callable[[], AbstractContextManager[None]]:
    """``with commits_held():`` nothing that is written is committed before the end of the block."""

    @contextmanager
    def hold() -> Iterator[None]:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    return hold
