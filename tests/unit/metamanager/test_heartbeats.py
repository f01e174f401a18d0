"""What of a node status is no more than a sign of life."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity, status_request
from edgecore.modules.metamanager.heartbeats import is_heartbeat


def status(at: str, ready: str = "True", **more: Any) -> str:
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": at, "lastTransitionTime": at}]
    return json.dumps({"UID": "u", "Status": {"conditions": conditions, "phase": "Running", **more}})


def test_the_same_at_another_time_is_a_heartbeat() -> None:
    assert is_heartbeat(status("10:00"), status("10:10"))


def test_what_edged_posts_ten_seconds_later_is_a_heartbeat() -> None:
    facts = HostFacts(2, 4096, "6.1", "Debian", "linux", "amd64")
    identity = NodeIdentity("n", "default", "192.0.2.1", "edgecore-0")
    before, now = (json.dumps(status_request(identity, facts, at_ms)) for at_ms in (0, 10_000))
    assert before != now
    assert is_heartbeat(before, now)


@pytest.mark.parametrize(
    "before",
    [None, status("10:00", "False"), status("10:00", phase="Pending"), "[]", "x", "null", '{"UID":"u"}', "[" * 10_000],
)
def test_anything_else_is_news(before: str | None) -> None:
    assert not is_heartbeat(before, status("10:10"))


@given(st.text(), st.text())
def test_no_text_raises(before: str, now: str) -> None:
    is_heartbeat(before, now)


@given(
    st.recursive(
        st.none() | st.text(max_size=3), lambda inner: st.lists(inner) | st.dictionaries(st.just("conditions"), inner)
    )
)
def test_no_shape_raises(inner: Any) -> None:
    text = json.dumps({"Status": inner})
    assert is_heartbeat(text, text)
