"""What a node's file must hold once the first so many steps of a session are stored: a dictionary, and simple rules.

The rules are written anew here, from spec 5.3 to 5.12 and ``docs/fidelity.md`` (M6, MM8), not taken from the plan.
"""

import json
from collections.abc import Sequence
from copy import copy
from typing import Any

from crash.session import Item
from edgecore.beehive.message import Message, content_value
from edgecore.beehive.resource import EDGECONTROLLER

Rows = dict[str, tuple[str, Any]]
"""Key to type and JSON value. Rows of type ``listener`` are EdgeMesh's and not among them."""

_ELEMENTS = {"servicelist": "service", "endpointslist": "endpoints"}
_COMPANIONS = {"pod": "podstatus", "service": "podlist"}


def meaning(row_type: str, value: Any) -> Any:
    """Return ``value`` without what a row need not be rewritten for: the times of the conditions of a node."""
    if row_type != "nodestatus":
        return value
    plain = json.loads(json.dumps(value))
    for condition in plain.get("Status", {}).get("conditions", ()):
        for name in ("lastHeartbeatTime", "lastTransitionTime"):
            condition.pop(name, None)
    return plain


class Expected:
    """Rows, applied ids and messages for the cloud after the first ``steps`` steps."""

    def __init__(self) -> None:
        self.steps = 0
        self.rows: Rows = {}
        self.origins: dict[str, str] = {}
        """Key to the id of the message of the cloud by which the row became what it is."""
        self.applied: tuple[str, ...] = ()
        self.gone_pods: tuple[str, ...] = ()
        """The resources of the pods that edged deleted, of which the cloud must hear."""

    def after(self, item: Item) -> "Expected":
        """Return what is expected after one more step."""
        following = copy(self)
        following.steps += 1
        following.rows, following.origins = dict(self.rows), dict(self.origins)
        if item.applied_id is not None:
            following.applied = (*self.applied, item.applied_id)
        following._store(item.answer or item.message)
        if not item.is_of_the_cloud and item.message.route.operation == "delete":
            following.gone_pods = (*self.gone_pods, item.message.route.resource)
        return following

    def _store(self, message: Message) -> None:
        key, content = message.route.resource, content_value(message)
        namespace, row_type, name = key.split("/")
        if row_type in _ELEMENTS:
            for element in content or ():
                found = element["metadata"]
                self._put(f"{found['namespace']}/{_ELEMENTS[row_type]}/{found['name']}", element, message)
        elif message.route.operation == "delete":
            for gone in (key, f"{namespace}/{_COMPANIONS.get(row_type)}/{name}"):
                self.rows.pop(gone, None)
                self.origins.pop(gone, None)
        else:
            self._put(key, content, message)

    def _put(self, key: str, value: Any, message: Message) -> None:
        row_type = key.split("/")[1]
        row = (row_type, meaning(row_type, value))
        if self.rows.get(key) == row:
            return
        self.rows[key] = row
        if message.route.source == EDGECONTROLLER:
            self.origins[key] = message.header.id


def expectations(items: Sequence[Item]) -> list[Expected]:
    """Return what is expected after no step, after one, and so on to the last."""
    found = [Expected()]
    for item in items:
        found.append(found[-1].after(item))
    return found
