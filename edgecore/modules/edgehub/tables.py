"""When this node last had a session with a cloud that must not see it again too soon, so that a restart knows."""

from edgecore.store.store import Statement, Store

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS cloud_session (
        url text NOT NULL PRIMARY KEY, seen_at_ms integer NOT NULL
    )""",
)


def seen(url: str, at_ms: int) -> Statement:
    """Return the statement that notes a session with ``url`` at ``at_ms``, Unix milliseconds."""
    return Statement("INSERT OR REPLACE INTO cloud_session (url, seen_at_ms) VALUES (?, ?)", (url, at_ms))


def forgotten(url: str) -> Statement:
    """Return the statement for a cloud that may see us again at any time."""
    return Statement("DELETE FROM cloud_session WHERE url = ?", (url,))


def last_seen_ms(store: Store, url: str) -> int | None:
    """Return when ``url`` was last spoken with, Unix milliseconds. Raises ``StoreError``."""
    rows = store.rows("SELECT seen_at_ms FROM cloud_session WHERE url = ?", (url,))
    return int(rows[0][0]) if rows else None
