"""Devices as the registry holds them, for tests."""

from typing import Any

from cloudhub_stub.cluster.kinds import DEVICE_KIND, Object


def device(
    name: str = "led-1",
    *,
    node: str = "edge-node1",
    version: str = "389",
    desired: dict[str, str | tuple[str, str]] | None = None,
    protocol: Any = None,
    **metadata: Any,
) -> Object:
    """Return the device of the recording; ``desired`` has property to value, or to value and type."""
    twins = []
    for key, wanted in (desired or {}).items():
        value, value_type = (wanted, "string") if isinstance(wanted, str) else wanted
        twins.append({"propertyName": key, "desired": {"value": value, "metadata": {"type": value_type}}})
    selector = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "", "operator": "In", "values": [node]}]}]}
    labels = {"description": "LEDLight", "model": "led-light"}
    spec: dict[str, Any] = {"deviceModelRef": {"name": "led-light"}}
    return {
        "kind": DEVICE_KIND.name,
        "apiVersion": DEVICE_KIND.api_version,
        "metadata": {"name": name, "namespace": "default", "resourceVersion": version, "labels": labels, **metadata},
        "spec": spec | ({"nodeSelector": selector} if node else {}) | ({"protocol": protocol} if protocol else {}),
        "status": {"twins": twins},
    }
