"""A burst of objects, for tests: the manifests, and a reader of what an edge takes in meanwhile."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from cloudhub_stub.testing.edge import Edge

REPLICAS = 3


def manifests(count: int) -> Iterator[dict[str, Any]]:
    """Yield so many services, and a Deployment of three pods for each."""
    for number in range(count):
        name = f"web-{number:04}"
        labels = {"app": name}
        container = {"name": "web", "image": "nginx:1.17", "ports": [{"containerPort": 80}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"name": "http-0", "port": 12345, "targetPort": 80}]},
        }
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template},
        }


class Arrival(NamedTuple):
    """One message about an object, as it came from the cloud."""

    id: str
    versions: dict[str, int]
    """The resource versions in it, by the uid of the object; a list of pods has several."""


class Arrivals:
    """What an edge hears from the cloud, by its bus: read in a thread from ``start`` to ``stop``."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.of: dict[str, list[Arrival]] = defaultdict(list)
        """By resource, in the order of arrival."""
        self.missed = 0
        self.waits_s: list[float] = []
        """How long each status of the node took to be answered."""
        self._asked_at: dict[str, float] = {}
        self._stopped = False
        self._tapping = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"tap of {edge.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._tapping.wait(10)

    def stop(self) -> None:
        """Read no more; the status that a node posts each second ends the waiting for the next message."""
        self._stopped = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        for passage in self.edge.control.stream("GET", "/v1/tap"):
            if self._stopped:
                return
            if "message" in passage:
                self._take(passage)
            else:
                self._tapping.set()

    def _take(self, passage: dict[str, Any]) -> None:
        self.missed += passage["missed"]
        if passage["to"] == "websocket" and "/nodestatus/" in passage["message"]:
            self._asked_at[json.loads(passage["message"])["header"]["msg_id"]] = passage["at"]
        if passage["from"] != "websocket":
            return
        message = json.loads(passage["message"])
        asked_at = self._asked_at.pop(message["header"].get("parent_msg_id", ""), None)
        if asked_at is not None:
            self.waits_s.append(passage["at"] - asked_at)
        elif message["route"]["operation"] in {"insert", "update", "delete"}:
            content = message["content"]
            objects = content if isinstance(content, list) else [content] if content else []
            versions = {each["metadata"]["uid"]: int(each["metadata"]["resourceVersion"]) for each in objects}
            self.of[message["route"]["resource"]].append(Arrival(message["header"]["msg_id"], versions))
