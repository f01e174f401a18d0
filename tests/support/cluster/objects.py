"""Objects as the registry holds them, for tests."""

from typing import Any

from cloudhub_stub.cluster.kinds import Object

EDGE_LABELS = {"node-role.kubernetes.io/edge": ""}


def _metadata(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "uid": f"uid-{name}", **more}


def pod(
    name: str,
    node: str = "",
    labels: dict[str, str] | None = None,
    *,
    spec: Any = None,
    status: Any = None,
    **metadata: Any,
) -> Object:
    """Return a pod; ``spec`` is added to one with a container and maybe a node."""
    bound = {"nodeName": node} if node else {}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": _metadata(name, labels=labels or {}, **metadata),
        "spec": {"containers": [{"name": "c", "image": "i"}], **bound, **(spec or {})},
        "status": status or {"phase": "Pending"},
    }


def service(name: str, selector: dict[str, str] | None = None, **metadata: Any) -> Object:
    """Return a service with one port."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": _metadata(name, **metadata),
        "spec": {"ports": [{"name": "http-0", "port": 80, "targetPort": 80}], "selector": selector or {"app": name}},
    }


def endpoints(name: str, *ips: str, **metadata: Any) -> Object:
    """Return endpoints with these addresses."""
    subsets = {"subsets": [{"addresses": [{"ip": ip} for ip in ips]}]} if ips else {}
    return {"kind": "Endpoints", "apiVersion": "v1", "metadata": _metadata(name, **metadata), **subsets}


def config(name: str, kind: str = "ConfigMap", **data: str) -> Object:
    """Return a ConfigMap or Secret."""
    return {"kind": kind, "apiVersion": "v1", "metadata": _metadata(name), "data": data}


def node(name: str, *, ready: str = "True", labels: dict[str, str] | None = None) -> Object:
    """Return a node, by default of the edge."""
    metadata = {"name": name, "uid": f"uid-{name}", "labels": EDGE_LABELS if labels is None else labels}
    conditions = [{"type": "Ready", "status": ready}]
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": {},
        "status": {"conditions": conditions},
    }
