"""How a replay is shown."""

import io
from typing import Any

import pytest

from cloudhub_stub.cli.progress import Progress

SUMMARY = {"node": "n", "messages": 2, "sent": 2, "acked": 1, "skipped_answers": 3, "seconds": 0.25}
EVENTS: list[dict[str, Any]] = [
    {"event": "planned", "file": "r.jsonl", "messages": 2, "skipped_answers": 3},
    {"event": "waiting", "node": None, "wait_s": 30.0},
    {"event": "started", "node": "n"},
    {"event": "acked", "entry": 2, "operation": "insert", "resource": "d/service/a", "number": 1, "ms": 1.25},
    {"event": "sent", "entry": 5, "operation": "update", "resource": "membership", "number": 2, "ms": 0.1},
    {"event": "finished", **SUMMARY},
]


def shown(events: list[dict[str, Any]], *, live: bool) -> str:
    out = io.StringIO()
    progress = Progress(out, live=live)
    for event in events:
        progress.show(event)
    return out.getvalue()


def test_each_message_is_a_line_where_nobody_watches() -> None:
    assert shown(EVENTS, live=False).splitlines() == [
        "2 messages to send, 3 answers left out",
        "waiting for a node to connect, 30 s at most",
        "playing to n",
        "      1/2  line 2: insert d/service/a  acknowledged after 1.25 ms",
        "      2/2  line 5: update membership  sent in 0.1 ms",
        "2 of 2 messages sent, 1 acknowledged, 3 answers left out, 0.25 s",
    ]


def test_on_a_terminal_one_line_is_written_over_and_cleared() -> None:
    text = shown(EVENTS, live=True)
    assert text.count("\n") == 4
    assert text.count("\r\x1b[K") == 3
    assert text.endswith("\r\x1b[K2 of 2 messages sent, 1 acknowledged, 3 answers left out, 0.25 s\n")


def test_a_live_line_never_wraps() -> None:
    event = {**EVENTS[3], "resource": "d/service/" + "a" * 300}
    live = shown([event], live=True).removeprefix("\r\x1b[K")
    assert len(live) == 100


def test_a_failure_shows_how_far_it_came() -> None:
    assert shown([{"event": "failed", **SUMMARY, "sent": 1, "text": "why"}], live=False).startswith("1 of 2 messages")


@pytest.mark.parametrize("live", [True, False])
def test_the_named_node_is_waited_for_by_name(live: bool) -> None:
    assert shown([{"event": "waiting", "node": "edge-1", "wait_s": 5.0}], live=live).startswith(
        "waiting for node edge-1"
    )
