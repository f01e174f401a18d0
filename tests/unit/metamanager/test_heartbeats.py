"""What of a node status is no more than a sign of life."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.metamanager.heartbeats import is_heartbeat


def status(at: str, ready: str = "True", **more: Any) -> str:
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": at, "lastTransitionTime": "2026-01-01"}]
    return json.dumps({"UID": "u", "Status": {"conditions": conditions, "phase": "Running", **more}})


def test_the_same_at_another_time_is_a_heartbeat() -> None:
    assert is_heartbeat(status("10:00"), status("10:10"))


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
