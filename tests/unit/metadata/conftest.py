"""A database in memory, with the tables of a node or of a Go edgecore, and rows as MetaManager writes them."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from edgecore.modules.edgemesh import tables as mesh_tables
from edgecore.modules.metamanager import tables
from edgecore.modules.metamanager.tables import Origin, fingerprint

ORIGIN = Origin("m-1", "edgecontroller", "insert", "default/servicelist/all", 1_589_000_000_123)


class Database:
    """Holds rows; ``rows`` is what reads them."""

    def __init__(self, schema: Sequence[str]) -> None:
        self.connection = sqlite3.connect(":memory:")
        for statement in schema:
            self.connection.execute(statement)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, params).fetchall()

    def put(self, key: str, row_type: str, value: Any, origin: Origin | None = None) -> str:
        """Write a row, and where it is from if that is known; return the text of its value."""
        text = value if isinstance(value, str | None | bytes) else json.dumps(value)
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, row_type, text))
        if origin is not None:
            kept = (key, origin.at_ms, *origin[:4], fingerprint(row_type, str(text)))
            self.connection.execute("INSERT OR REPLACE INTO provenance VALUES (?, ?, ?, ?, ?, ?, ?)", kept)
        return str(text)


@pytest.fixture
def database() -> Iterator[Database]:
    """With all tables of a node."""
    database = Database((*tables.SCHEMA, *mesh_tables.SCHEMA))
    yield database
    database.connection.close()


@pytest.fixture
def go_database() -> Iterator[Database]:
    """With the table ``meta`` alone."""
    database = Database(tables.SCHEMA[:1])
    yield database
    database.connection.close()


@pytest.fixture
def origin() -> Origin:
    return ORIGIN


@pytest.fixture
def service() -> Callable[..., dict[str, Any]]:
    """``service(name, namespace, **selector)``."""

    def make(name: str, namespace: str = "default", **selector: str) -> dict[str, Any]:
        spec = {"selector": selector, "ports": [{"port": 80}]}
        return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}

    return make


@pytest.fixture
def pod() -> Callable[..., dict[str, Any]]:
    """``pod(name, namespace, **labels)``."""

    def make(name: str, namespace: str = "default", **labels: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": {"containers": []}}

    return make
