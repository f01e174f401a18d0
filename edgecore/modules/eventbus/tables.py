"""The table ``sub_topics``, as KubeEdge makes it from 1.6 on: what modules and the cloud subscribed at run time."""

from edgecore.store.kubeedge import SUB_TOPICS
from edgecore.store.store import Statement, Store

SCHEMA = (SUB_TOPICS,)


def subscribed(topic: str) -> Statement:
    """Return the statement that keeps a subscription."""
    return Statement("INSERT OR IGNORE INTO sub_topics (topic) VALUES (?)", (topic,))


def unsubscribed(topic: str) -> Statement:
    """Return the statement that forgets a subscription."""
    return Statement("DELETE FROM sub_topics WHERE topic = ?", (topic,))


def subscriptions(store: Store, most: int) -> list[str]:
    """Return the subscriptions that were kept, in the order in which they were made. Raises ``StoreError``."""
    return [str(row[0]) for row in store.rows("SELECT topic FROM sub_topics ORDER BY rowid LIMIT ?", (most,))]
