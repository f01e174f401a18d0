"""What is injected: a message, or a word for what is wrong with it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock
from edgecore.modules.eventbus.mirror.injection import Refused, injected


def of(payload: bytes | Any, longest: int = 1000) -> Message:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return injected(data, lambda: "new", VirtualClock(start_ms=7), longest)


def test_a_route_and_a_content_will_do() -> None:
    message = of({"route": {"operation": "delete", "resource": "default/service/web"}, "content": {"a": 1}})

    assert message.header == Header("new", "", 7)
    assert message.route == Route("inject", "", "delete", "default/service/web")
    assert bytes(message.content) == b'{"a": 1}'


def test_a_whole_message_keeps_its_header_but_nobody_waits_for_its_answer() -> None:
    message = of(
        {
            "header": {"msg_id": "1", "parent_msg_id": "0", "timestamp": 5, "resourceversion": "9", "sync": True},
            "route": {"source": "edgecontroller", "group": "resource", "operation": "insert", "resource": "a/b/c"},
        }
    )

    assert message.header == Header("1", "0", 5, "9", False)
    assert message.route == Route("edgecontroller", "resource", "insert", "a/b/c")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "inject_malformed_json"),
        (b"\xff", "inject_not_utf8"),
        (b"[]", "inject_wrong_shape"),
        (b"{}", "inject_without_route"),
        ({"route": {"operation": "insert"}}, "inject_without_route"),
        ({"route": {"operation": "ping", "resource": "x"}}, "inject_of_transport"),
        (b"x" * 1001, "inject_too_large"),
    ],
)
def test_what_is_no_message_is_refused_with_a_word(payload: Any, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        of(payload)

    assert refused.value.reason == reason


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(payload: bytes) -> None:
    with suppress(Refused):
        of(payload)
