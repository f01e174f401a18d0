"""The conditions in the status of nodes and pods: which is there, and a list with one changed (pure)."""

from collections.abc import Iterable

from cloudhub_stub.cluster.kinds import Object

READY = "Ready"
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


def condition_of(obj: Object, kind: str) -> Object | None:
    """Return the condition of that type, if the object has one."""
    conditions: list[Object] = obj.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), None)


def is_ready(obj: Object) -> bool:
    """Say whether a node or a pod is ready; one that says nothing of it is not."""
    found = condition_of(obj, READY)
    return found is not None and found["status"] == TRUE


def with_condition(conditions: Iterable[Object] | None, changed: Object) -> list[Object]:
    """Return the conditions with ``changed`` in the place of the one of its type, or at the end."""
    held = list(conditions or ())
    if any(each["type"] == changed["type"] for each in held):
        return [changed if each["type"] == changed["type"] else each for each in held]
    return [*held, changed]


def with_status(obj: Object, **fields: object) -> Object:
    """Return the object with these fields of its status changed; ``obj`` stays as it is."""
    return {**obj, "status": {**obj.get("status", {}), **fields}}
