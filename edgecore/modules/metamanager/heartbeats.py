"""Whether a node status says anything new (pure).

A node tells the cloud every ten seconds that it is there; that alone is not written to its flash (in Go it is: bug M8).
"""

from typing import Any

import msgspec

_TIMES = frozenset(("lastHeartbeatTime", "lastTransitionTime"))
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


def is_heartbeat(before: str | None, now: str) -> bool:
    """Return whether ``now``, a NodeStatusRequest as JSON, is ``before`` but for the times of its conditions.

    A time of transition tells nothing while the status stays the same; edged, as in Go, writes that of the heartbeat.
    """
    if before is None:
        return False
    try:
        old, new = (msgspec.json.decode(text, type=dict[str, Any]) for text in (before, now))
        return _without_times(old) == _without_times(new)
    except _UNREADABLE:
        return False


def _without_times(request: dict[str, Any]) -> dict[str, Any]:
    status = request.get("Status")
    if not isinstance(status, dict) or not isinstance(status.get("conditions"), list):
        return request
    conditions = [
        {key: value for key, value in condition.items() if key not in _TIMES}
        if isinstance(condition, dict)
        else condition
        for condition in status["conditions"]
    ]
    return {**request, "Status": {**status, "conditions": conditions}}
