"""Which messages outlive the process, and the rows they lie in."""

from pathlib import Path

import pytest

from edgecore.beehive.message import Header, Message, Route
from edgecore.store import outbox
from edgecore.store.store import Statement, open_store


@pytest.mark.parametrize(
    ("source", "operation", "resource", "durable"),
    [
        ("twin", "update", "device/sensor/twin/edge_updated", True),
        ("twin", "update", "device/sensor/state", True),
        ("twin", "get", "membership/detail", False),
        ("twin", "update", "device/sensor/twin/cloud_updated", False),
        ("edged", "delete", "default/pod/web", True),
        ("edged", "update", "default/podstatus/web", False),
        ("edged", "update", "default/nodestatus/n", False),
        ("edgecontroller", "response", "default/pod/web", False),
        ("", "", "", False),
    ],
)
def test_what_nobody_makes_a_second_time_is_durable(source: str, operation: str, resource: str, durable: bool) -> None:
    assert outbox.is_durable(Message(route=Route(source, "resource", operation, resource))) is durable


async def test_rows_come_back_in_order_each_once_until_they_are_forgotten(tmp_path: Path) -> None:
    store = open_store(tmp_path / "edgecore.db", outbox.SCHEMA)
    try:
        messages = [Message(Header(str(n), "", n), Route("edged", "meta", "delete", "d/pod/p"), "uid") for n in (2, 1)]
        for message in [*messages, messages[0]]:
            await store.write(outbox.keep(message))
        assert [m.header.id for m in outbox.kept(store) if isinstance(m, Message)] == ["2", "1"]
        await store.write(*outbox.forget(["2"]))
        assert (outbox.is_kept(store, "1"), outbox.is_kept(store, "2")) == (True, False)
        (left,) = outbox.kept(store)
        assert isinstance(left, Message)
        assert (left.header, left.route) == (messages[1].header, messages[1].route)
    finally:
        await store.close()


async def test_a_row_that_holds_no_message_is_named_and_can_be_removed(tmp_path: Path) -> None:
    store = open_store(tmp_path / "edgecore.db", outbox.SCHEMA)
    try:
        await store.write(Statement("INSERT INTO outbox (id, message) VALUES ('x', 'no json')"))
        (bad,) = outbox.kept(store)
        assert isinstance(bad, outbox.BadRow)
        await store.write(outbox.forget_row(bad))
        assert outbox.kept(store) == []
    finally:
        await store.close()
