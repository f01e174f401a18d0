"""What the tests of the store share: a file, and a store that is closed with the test."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from edgecore.app import SCHEMA as NODE_SCHEMA
from edgecore.store.store import Statement, Store, open_store

SCHEMA = ("CREATE TABLE IF NOT EXISTS meta (key text NOT NULL PRIMARY KEY, type text NOT NULL DEFAULT '', value text)",)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "edgecore.db"


@pytest.fixture
def schema() -> tuple[str, ...]:
    return SCHEMA


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[Callable[[], Store]]:
    """Open the file as often as asked; close what is still open at the end."""
    stores: list[Store] = []

    def begin() -> Store:
        stores.append(open_store(path, SCHEMA))
        return stores[-1]

    yield begin
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Callable[[], Store]) -> Store:
    return opened()


@pytest.fixture
def held(path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Hold the file against writers, as another program might: what is written meanwhile waits in the queue."""

    @contextmanager
    def hold() -> Iterator[None]:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")

    return hold


@pytest.fixture
async def made(path: Path) -> Path:
    """A node's file with rows in three tables, closed."""
    store = open_store(path, NODE_SCHEMA)
    values = (f'{{"name": "{"x" * (number % 7 * 400)}"}}' for number in range(300))
    await store.write(
        *(
            Statement("INSERT INTO meta VALUES (?, 'pod', ?)", (f"default/pod/p-{number:03}", value))
            for number, value in enumerate(values)
        ),
        *(
            Statement(
                "INSERT INTO provenance VALUES (?, 1, 'm', 'edgecontroller', 'insert', 'r', 7)",
                (f"default/pod/p-{n:03}",),
            )
            for n in range(300)
        ),
        *(Statement("INSERT INTO applied (id) VALUES (?)", (f"id-{number}",)) for number in range(2000)),
        *(
            Statement("INSERT INTO edgemesh_address VALUES (?, 'default', ?, NULL)", (f"127.251.0.{n}", f"s-{n}"))
            for n in range(100)
        ),
    )
    await store.close()
    return path


GO_DATABASE = Path(__file__).parents[2] / "data" / "b_edgecore_db.txt"


@pytest.fixture
def go_database(tmp_path: Path) -> Callable[..., Path]:
    """``go_database()``: make the file of the Go edgecore from its dump, and return its path."""

    def make(path: Path = tmp_path / "go.db") -> Path:
        text = GO_DATABASE.read_text()
        tables = [part for part in text[: text.index("-- table")].split(";\n") if "sqlite_sequence" not in part]
        with closing(sqlite3.connect(path)) as go:
            go.executescript(";\n".join(tables))
            go.executemany("INSERT INTO meta VALUES (?, ?, ?)", go_rows())
            go.commit()
        return path

    return make


def go_rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table ``meta`` of that file."""
    text = GO_DATABASE.read_text()
    lines = text[text.index("-- table meta:") :].splitlines()[1:]
    return [tuple(json.loads(line)) for line in lines if line.startswith("[")]
