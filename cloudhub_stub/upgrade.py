"""Who connects: the headers of the websocket upgrade request, read and judged."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_NODE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
"""At most 253 characters, as in Kubernetes; upper case is let pass, since CloudHub never looks."""


def is_node_name(text: str) -> bool:
    """Whether a node may call itself that."""
    return _NODE_NAME.fullmatch(text) is not None


class Upgrade(NamedTuple):
    """An acceptable upgrade request."""

    node: str
    project: str
    agent: str = ""
    """How the program of the edge names itself (``User-Agent``)."""


class UpgradeRefused(NamedTuple):
    """Why a request is answered with 400: a fixed snake_case word for the counter, and a text for people."""

    reason: str
    text: str


def read_upgrade(headers: Iterable[tuple[str, str]]) -> Upgrade | UpgradeRefused:
    """Judge the headers of an upgrade request; the path says nothing, identity is in the headers alone.

    Names are compared without case, since Go writes ``Node_id`` for ``node_id``. Of a repeated header the first value
    counts: the Go edge adds one more ``ConnectionUse`` with every attempt (``kubeedge VD/client/ws.go:43@v1.3.1``).
    Another use than ``msg`` is refused, where cloudcore accepts the connection and then never reads from it.
    """
    first: dict[str, str] = {}
    for name, value in headers:
        first.setdefault(name.lower(), value.strip())
    node = first.get("node_id", "")
    if not node:
        return UpgradeRefused(
            "no_node_id", "the header Node_id is missing: it names the edge node that connects (Node_id: edge-node)"
        )
    if not is_node_name(node):
        return UpgradeRefused(
            "bad_node_id",
            f"the header Node_id is no node name: {node[:80]!r}; letters, digits, '-', '_' and '.' are allowed",
        )
    use = first.get("connectionuse", "")
    if use != "msg":
        found = f"it is {use[:80]!r}" if use else "it is missing"
        return UpgradeRefused("bad_connection_use", f"the header ConnectionUse must be msg: {found}")
    return Upgrade(node, first.get("project_id", ""), first.get("user-agent", "")[:80])
