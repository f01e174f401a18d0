"""Whether a node status says anything new (pure).

A node tells the cloud every ten seconds that it is there; that alone is not written to its flash (in Go it is: bug M8).
"""

from typing import Any

import msgspec

_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


def is_heartbeat(before: str | None, now: str) -> bool:
    """Return whether ``now``, a NodeStatusRequest as JSON, is ``before`` but for the times of its heartbeats."""
    if before is None:
        return False
    try:
        old, new = (msgspec.json.decode(text, type=dict[str, Any]) for text in (before, now))
        return _without_heartbeats(old) == _without_heartbeats(new)
    except _UNREADABLE:
        return False


def _without_heartbeats(request: dict[str, Any]) -> dict[str, Any]:
    status = request.get("Status")
    if not isinstance(status, dict) or not isinstance(status.get("conditions"), list):
        return request
    conditions = [
        {key: value for key, value in condition.items() if key != "lastHeartbeatTime"}
        if isinstance(condition, dict)
        else condition
        for condition in status["conditions"]
    ]
    return {**request, "Status": {**status, "conditions": conditions}}
