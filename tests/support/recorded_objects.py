"""Objects that the Go cloud was recorded to send, as a cluster holds them."""

import json
from pathlib import Path
from typing import Any

from cloudhub_stub.cluster.kinds import KINDS, Object

_DATA = Path(__file__).parents[1] / "data"
_SESSIONS = ("b_services_endpoints_pods", "b2_deletes", "b3_service_endpoints_delete", "c_configmap_secret_pod")


def recorded_objects() -> list[Object]:
    """Return every whole object in the messages of the recorded sessions, oldest first."""
    lines = [line for name in _SESSIONS for line in (_DATA / f"{name}.jsonl").read_bytes().splitlines()]
    return [obj for line in lines for obj in _objects(json.loads(line))]


def _objects(entry: dict[str, Any]) -> list[Object]:
    if entry.get("dir") != "cloud->edge" or "text" not in entry:
        return []
    message = json.loads(entry["text"])
    content = message["content"]
    wire_type = message["route"]["resource"].split("/")[1]
    kind = next((kind for kind in KINDS.values() if kind.wire_type == wire_type), None)
    if kind is None or not isinstance(content, dict) or "resourceVersion" not in content["metadata"]:
        return []
    return [{"kind": kind.name, "apiVersion": kind.api_version, **content}]
