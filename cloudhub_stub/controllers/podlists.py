"""The pods of a service, as EdgeMesh gets them (pure; ``kubeedge .../controller/downstream.go@v1.3.1``, spec 10.1)."""

from collections.abc import Iterable

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.registry import labels_of

MOST_PODS = 100
"""How many pods the Go cloud asks for."""


def podlist(service: Object, pods: Iterable[Object]) -> list[Object] | None:
    """Return the pods that ``service`` selects among ``pods``, by name, the first hundred.

    ``None`` where there are none, which is sent as ``null``. All count, of every node and in every phase: the edge
    sees for itself which of them run. A service that selects nothing has none; for Go an empty selector means all.
    """
    wanted = (service["spec"].get("selector") or {}).items()
    namespace = service["metadata"]["namespace"]
    found = [
        pod for pod in pods if wanted and pod["metadata"]["namespace"] == namespace and wanted <= labels_of(pod).items()
    ]
    found.sort(key=lambda pod: str(pod["metadata"]["name"]))
    return found[:MOST_PODS] or None
