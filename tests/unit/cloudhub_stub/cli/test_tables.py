"""What ``nodes``, ``status``, ``send`` and ``ledger`` print."""

from typing import Any

import pytest

from cloudhub_stub.cli import send
from cloudhub_stub.cli.nodes import table
from cloudhub_stub.cli.status import report

NODE: dict[str, Any] = {
    "name": "edge-1",
    "connected": True,
    "connected_s": 12.6,
    "registered": True,
    "ready": False,
    "received": 5,
    "sent": 4,
    "acknowledged": 3,
    "unacknowledged": 1,
    "queued": 2,
    "malformed": 0,
}

STATUS: dict[str, Any] = {
    "version": "1.0",
    "uptime_s": 61.2,
    "pid": 7,
    "listen": "ws://127.0.0.1:10000",
    "https": None,
    "control": "/s/control.sock",
    "observe": None,
    "nodes_connected": [],
    "nodes_known": 2,
    "cluster": {"Deployment": 1, "Pod": 3},
    "objects_held": 1,
    "objects_held_bytes": 30,
    "queues": {"waiting": {"edge-1": 7}, "given_up": 0, "refused": 0},
    "unexplained": 1,
    "recording": None,
    "bad_input": {"cloudhub/no_http": 2},
}


def test_nodes_are_a_table_with_aligned_columns() -> None:
    gone = {**NODE, "name": "a-longer-name", "connected": False, "connected_s": None}
    head, first, second = table([NODE, gone]).splitlines()
    assert head.split() == [
        "NODE", "CONNECTED", "REGISTERED", "READY", "RECEIVED", "SENT", "ACKED", "UNACKED", "QUEUED", "MALFORMED"
    ]  # fmt: skip
    assert first.split() == ["edge-1", "13", "s", "yes", "no", "5", "4", "3", "1", "2", "0"]
    assert second.split()[:2] == ["a-longer-name", "no"]
    assert head.index("CONNECTED") == first.index("13 s") == second.index("no")


def test_without_nodes_a_sentence_says_so() -> None:
    assert table([]) == "no node has connected yet"


def test_the_status_says_where_to_connect_and_what_was_refused() -> None:
    lines = report(STATUS).splitlines()
    assert lines[0] == "cloudhub-stub 1.0, running for 61 s (process 7)"
    assert "  edges connect to  ws://127.0.0.1:10000" in lines
    assert "  certificates      none: ws:// without TLS" in lines
    assert "  figures           off" in lines
    assert "  connected nodes   none (2 known)" in lines
    assert "  cluster           deployments 1, pods 3" in lines
    assert "  sent by hand      1 objects (30 bytes), by send and replay" in lines
    assert "  waiting           7 messages for edge-1" in lines
    assert "  unexplained       1 messages: see cloudhub-stub ledger" in lines
    assert lines[-1] == "  refused input     cloudhub/no_http: 2"


def test_of_an_empty_cluster_the_status_says_so() -> None:
    lines = report({**STATUS, "cluster": {}, "objects_held": 0}).splitlines()
    assert "  cluster           nothing in it" in lines
    assert not [line for line in lines if "by hand" in line]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"lost": 0, "error": ""}, "/s/a.jsonl, 7 entries"),
        ({"lost": 2, "error": "no space left"}, "/s/a.jsonl, 7 entries, 2 lost; it has ended: no space left"),
    ],
)
def test_a_recording_stands_in_the_status_with_what_is_missing(told: dict[str, Any], text: str) -> None:
    lines = report({**STATUS, "recording": {"path": "/s/a.jsonl", "entries": 7, **told}}).splitlines()
    assert f"  recording         {text}" in lines


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "accepted", "node": "n", "ids": ["1"], "connected": True}, "1 message accepted for n"),
        (
            {"event": "accepted", "node": "n", "ids": ["1"], "connected": False},
            "1 message accepted for n, which is not connected: they wait for it",
        ),
        (
            {"event": "acknowledged", "id": "1", "resource": "r", "reason": "", "ms": 2.5},
            "r  acknowledged after 2.5 ms",
        ),
        (
            {"event": "dropped", "id": "1", "resource": "r", "reason": "no_version", "ms": 1},
            "r  dropped (no_version) after 1 ms",
        ),
        (
            {"event": "given_up", "id": "1", "resource": "r", "reason": "", "ms": 25000},
            "r  given up after 25000 ms; sent again when the node connects anew",
        ),
        (
            {
                "event": "finished",
                "node": "n",
                "acknowledged": 1,
                "delivered": 2,
                "superseded": 3,
                "dropped": 4,
                "given_up": 5,
            },
            "1 acknowledged, 2 delivered, 3 superseded, 4 dropped, 5 given up",
        ),
    ],
)
def test_what_becomes_of_a_message_is_a_line(event: dict[str, Any], line: str) -> None:
    assert send.report(event) == line
