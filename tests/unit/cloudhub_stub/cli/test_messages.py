"""What ``messages`` prints."""

from typing import Any

from cloudhub_stub.cli.messages import MessageTable

ENTRY: dict[str, Any] = {
    "id": "m1",
    "at_ms": 1_589_000_000_123,
    "operation": "insert",
    "resource": "default/pod/web",
    "resource_version": "7",
    "bytes": 1234,
    "lane": "ack",
    "state": "acknowledged",
    "sends": 2,
    "took_ms": 5003,
    "reason": "",
}


def test_messages_are_a_table() -> None:
    sent = {**ENTRY, "resource_version": "", "state": "given_up", "took_ms": None, "reason": "no_ack"}
    head, first, second = MessageTable().lines([ENTRY, sent])
    assert head.split() == [
        *["TIME", "STATE", "OPERATION", "RESOURCE", "VERSION", "BYTES", "LANE", "SENDS", "MS", "REASON"]
    ]
    assert first.split() == [
        *["04:53:20.123", "acknowledged", "insert", "default/pod/web", "7", "1234", "ack", "2", "5003"]
    ]
    assert second.split() == [
        *["04:53:20.123", "given", "up", "insert", "default/pod/web", "-", "1234", "ack", "2", "-", "no_ack"]
    ]


def test_later_pieces_have_no_header_and_the_same_columns() -> None:
    table = MessageTable()
    _, first = table.lines([ENTRY])
    assert table.lines([ENTRY]) == [first]


def test_what_was_too_fast_is_counted() -> None:
    table = MessageTable()
    table.lines([ENTRY])
    assert table.lines([{"missed": 3}]) == ["(3 changes came too fast to be shown)"]
