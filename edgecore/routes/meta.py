"""What commands can ask a running node about its table ``meta``: ``edgecore meta``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from edgecore.clock import Clock
from edgecore.control.backlog import Backlog
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.metadata.diff import compared, concealed, difference_document
from edgecore.metadata.filters import Filters, filters_of_query
from edgecore.metadata.finding import INFO, Finding
from edgecore.metadata.lint import Report, check_database
from edgecore.metadata.reading import pages
from edgecore.metadata.row import Json, MetaRow, hide, row_document
from edgecore.modules.metamanager.tables import Committed
from edgecore.store.databasefile import DatabaseFile
from edgecore.store.store import Store

WATCH_BACKLOG = 10_000
"""Changes that wait for a slow reader; further ones are left out and counted."""
SECOND_LOOK_S = 1.0
"""After so long what is wrong is looked at again: a node at work is always in the middle of something."""


class Watched(Protocol):
    """The part of ``MetaManager`` that tells of changes."""

    def watch(self, see: Callable[[Committed], None]) -> Callable[[], None]:
        """Have ``see`` called with each change once it is on disk; return what ends that."""


def meta_routes(node: str, store: Store, watched: Watched | None, clock: Clock) -> Routes:
    """Return the routes.

    | route | answer |
    | --- | --- |
    | ``GET /v1/meta`` | a stream: the node and its file, then each row (``row_document``), by key; not one snapshot |
    | ``GET /v1/meta/watch`` | a stream: the same, then each change from now on (``difference_document``) |
    | ``GET /v1/meta/check`` | a stream: the same with the number of rows by type, then each finding |

    The first two take the query of ``Filters``; ``secrets=1`` shows the values of secrets, ``values=0`` leaves out all.
    """
    head = {"node": node, "database": str(store.path)}

    async def show_rows(request: ControlRequest) -> AsyncIterator[Json]:
        return _rows(head, store, _filters(request), request.query)

    async def watch(request: ControlRequest) -> AsyncIterator[Json]:
        if watched is None:
            raise ControlRefused(409, "cannot watch: MetaManager is off; modules.metaManager.enable turns it on")
        return _changes(head, watched, _filters(request), request.query)

    async def check(_request: ControlRequest) -> AsyncIterator[Json]:
        report = await _lasting(store.path, clock)
        return _findings({**head, "rows": report.rows}, report.findings)

    return {
        ("GET", "/v1/meta"): show_rows,
        ("GET", "/v1/meta/watch"): watch,
        ("GET", "/v1/meta/check"): check,
    }


def _filters(request: ControlRequest) -> Filters:
    try:
        return filters_of_query(request.query)
    except ValueError as error:
        raise ControlRefused(400, f"cannot choose rows: {error}") from None


async def _rows(head: Json, store: Store, filters: Filters, query: Mapping[str, str]) -> AsyncIterator[Json]:
    with_secrets, with_values = _wants(query, "secrets"), query.get("values") != "0"
    yield head
    for page in pages(store.rows, filters):
        for row in page:
            yield row_document(row if with_secrets else hide(row), with_value=with_values)
        await asyncio.sleep(0)


async def _changes(head: Json, watched: Watched, filters: Filters, query: Mapping[str, str]) -> AsyncIterator[Json]:
    """Yield each change with ``missed``, the number of those left out before it because the reader was too slow."""
    backlog = Backlog[Committed](WATCH_BACKLOG)

    def see(committed: Committed) -> None:
        if filters.match_key(committed.key, committed.type):
            backlog.put(committed)

    stop = watched.watch(see)
    try:
        yield head
        while True:
            committed, missed = await backlog.next()
            document = change_document(committed, with_secrets=_wants(query, "secrets"))
            if document is not None:
                yield {**document, "missed": missed}
    finally:
        stop()


def change_document(committed: Committed, *, with_secrets: bool) -> Json | None:
    """Return a change as a JSON value: ``difference_document`` with the row as it is now, or was until now."""
    before, after = (_row(committed, value) for value in (committed.before, committed.value))
    difference = compared(before, after)
    if difference is None:
        return None
    if not with_secrets:
        difference = concealed(difference)
    row = difference.after or difference.before
    shown = {} if row is None else {"row": row_document(row)}
    return {**difference_document(difference), "origin": committed.origin._asdict(), **shown}


def _row(committed: Committed, value: str | None) -> MetaRow | None:
    if value is None:
        return None
    data = value.encode(errors="replace")
    return MetaRow(committed.key, committed.type, data, len(data), committed.origin)


async def _lasting(path: Path, clock: Clock) -> Report:
    """Return what is wrong with the file, and still is after a moment."""
    report = await asyncio.to_thread(_checked, path)
    if all(finding.severity == INFO for finding in report.findings):
        return report
    await clock.sleep(SECOND_LOOK_S)
    later = await asyncio.to_thread(_checked, path)
    seen = frozenset(report.findings)
    return later._replace(findings=[one for one in later.findings if one in seen or one.severity == INFO])


def _checked(path: Path) -> Report:
    with DatabaseFile(path, open_here=True) as file, file.snapshot():
        return check_database(file.rows)


async def _findings(head: Json, findings: list[Finding]) -> AsyncIterator[Json]:
    yield head
    for finding in findings:
        yield finding.document()


def _wants(query: Mapping[str, str], name: str) -> bool:
    return query.get(name) == "1"
