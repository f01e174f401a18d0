"""Where the rows come from: a running node, or a database file."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from edgecore.cli.target import client_of
from edgecore.control.client import ControlClient
from edgecore.errors import ControlError
from edgecore.metadata.filters import Filters
from edgecore.metadata.reading import all_rows
from edgecore.metadata.row import MetaRow, hide, row_of_document
from edgecore.store.databasefile import DatabaseFile

Head = dict[str, Any]


class Source(Protocol):
    """Rows to be asked for."""

    head: Head
    """What they are of: ``database``, the path, and ``node``. A running node tells it before its first row."""

    def rows(self, filters: Filters, *, secrets: bool, values: bool = True) -> Iterator[MetaRow]:
        """Yield the rows that are meant, by key. Raises ``StoreError`` or ``ControlError``."""


class RunningNode:
    """The rows of a node that runs."""

    def __init__(self, client: ControlClient) -> None:
        self.client = client
        self.head: Head = {}

    def rows(self, filters: Filters, *, secrets: bool, values: bool = True) -> Iterator[MetaRow]:
        """See ``Source``."""
        query = {**filters.query(), "secrets": str(int(secrets)), "values": str(int(values))}
        for document in self.stream("/v1/meta", query):
            yield _row(document)

    def stream(self, path: str, query: dict[str, str], told: Callable[[Head], object] | None = None) -> Iterator[Any]:
        """Yield what the node answers, but for the first item, which becomes the head and is ``told``."""
        items = self.client.stream("GET", f"{path}?{urlencode(query)}")
        head = next(items, None)
        if not isinstance(head, dict) or "database" not in head:
            raise ControlError(
                f"cannot understand the node at {self.client.path}: it does not say which file it has; "
                "is it older than this program? Look into its file instead: --db FILE"
            )
        self.head = head
        if told is not None:
            told(head)
        yield from items


class File:
    """The rows of a file, all of one moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head: Head = {"database": str(path)}

    def rows(self, filters: Filters, *, secrets: bool, values: bool = True) -> Iterator[MetaRow]:
        """See ``Source``."""
        with DatabaseFile(self.path) as file, file.snapshot():
            for row in all_rows(file.rows, filters):
                yield row if secrets else hide(row)


def source_of(args: argparse.Namespace) -> "RunningNode | File":
    """Return what the flags name. Raises ``ControlError`` or ``ConfigError``."""
    return File(args.db) if args.db is not None else RunningNode(client_of(args))


def where(head: Head) -> str:
    """Return the head as words: ``node edge-1 (/var/lib/kubeedge/edgecore.db)``."""
    return f"node {head['node']} ({head['database']})" if "node" in head else str(head.get("database", "the node"))


def _row(document: Any) -> MetaRow:
    try:
        return row_of_document(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ControlError(
            f"cannot understand the node: a row without {error}; use the commands of its version"
        ) from error
