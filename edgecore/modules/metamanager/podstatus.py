"""What the cloud is told of all pods at once, every minute (pure; kubeedge metamanager/process.go:510-555@v1.3.1)."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from edgecore.beehive.message import Route
from edgecore.beehive.resource import GROUP_RESOURCE, METAMANAGER, POD, PODSTATUS, UPDATE, EdgeResource, parse_edge
from edgecore.modules.metamanager.steps import Remove


class Resync(NamedTuple):
    """What the rows of type podstatus come to."""

    gone: tuple[Remove, ...]
    """Those whose pod is not there any more."""
    statuses: dict[str, list[dict[str, Any]]]
    """The PodStatusRequests of the others, by namespace."""
    unreadable: tuple[str, ...]
    """The keys of those that hold no object; they stay, and are not told of."""


def resync(rows: Iterable[tuple[str, str]], stored: Callable[[str], str | None]) -> Resync:
    """Sort the podstatus ``rows``, each a key and a value; ``stored`` returns the value under a key, or ``None``."""
    gone: list[Remove] = []
    statuses: dict[str, list[dict[str, Any]]] = {}
    unreadable: list[str] = []
    for key, value in rows:
        resource = parse_edge(key)
        if resource is None or stored(str(resource._replace(type=POD))) is None:
            gone.append(Remove(key))
            continue
        status = _status(value)
        if status is None:
            unreadable.append(key)
        else:
            statuses.setdefault(resource.namespace, []).append(status)
    return Resync(tuple(gone), statuses, tuple(unreadable))


def report_route(namespace: str) -> Route:
    """Return the route of the message that tells of the pods of ``namespace``."""
    return Route(METAMANAGER, GROUP_RESOURCE, UPDATE, str(EdgeResource(namespace, PODSTATUS)))


def _status(value: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(value, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
