"""What the cloud of a soak is told: things that stay, and things that come, change and go, by chance."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

MOVING = 4
"""So many deployments, and services, come and go."""
DEVICE = "lamp"
TWIN = "power"
STILL_SERVICE_PORT = 8000
MODEL: Json = {
    "apiVersion": "devices.kubeedge.io/v1alpha1",
    "kind": "DeviceModel",
    "metadata": {"name": "lamp", "namespace": "default"},
    "spec": {"properties": [{"name": TWIN, "type": {"string": {"accessMode": "ReadWrite", "defaultValue": "0"}}}]},
}


class Still(NamedTuple):
    """A service that is there from the first moment to the last."""

    name: str
    kind: str
    """``http``, ``tcp`` or ``udp``."""
    backends: tuple[int, ...]
    """The ports of its pods."""


def deployment(name: str, ports: Sequence[int], protocol: str = "TCP", *, replicas: int = 1, app: str = "") -> Json:
    """Return a deployment; each of ``ports`` is a port of the node that leads to the pod."""
    labels = {"app": app or name, "part": name, "tier": "moving" if name.startswith("moving") else "still"}
    listed = [
        {"name": f"p{number}", "containerPort": 80 + number, "hostPort": port, "protocol": protocol}
        for number, port in enumerate(ports)
    ]
    container = {"name": "main", "image": "server:1", "ports": listed}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"part": name}},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }


def service(name: str, selector: Mapping[str, str], kind: str = "http", port: int = STILL_SERVICE_PORT) -> Json:
    """Return a service with one port, which is named for its protocol."""
    protocol = "UDP" if kind == "udp" else "TCP"
    ports = [{"name": kind, "port": port, "targetPort": 80, "protocol": protocol}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": dict(selector), "ports": ports},
    }


def device(name: str, node: str, wish: str) -> Json:
    """Return a device at ``node`` of which a value is desired."""
    terms = [{"matchExpressions": [{"key": "", "operator": "In", "values": [node]}]}]
    return {
        "apiVersion": "devices.kubeedge.io/v1alpha1",
        "kind": "Device",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"deviceModelRef": {"name": "lamp"}, "nodeSelector": {"nodeSelectorTerms": terms}},
        "status": {"twins": [{"propertyName": TWIN, "desired": {"value": wish, "metadata": {"type": "string"}}}]},
    }


def still_objects(services: Sequence[Still]) -> list[Json]:
    """Return what is applied once, at the beginning."""
    found = []
    for each in services:
        protocol = "UDP" if each.kind == "udp" else "TCP"
        for number, port in enumerate(each.backends):
            found.append(deployment(f"{each.name}-{number}", [port], protocol, app=each.name))
        found.append(service(each.name, {"app": each.name}, each.kind))
    return found


class Apply(NamedTuple):
    """Somebody applies an object."""

    object: Json


class Delete(NamedTuple):
    """Somebody deletes one, perhaps one that is not there."""

    kind: str
    name: str


class Churn:
    """What happens next to the things that come and go; ``ports`` are those of their pods."""

    def __init__(self, numbers: random.Random, ports: Sequence[int]) -> None:
        self._random = numbers
        self._ports = ports
        self._count = 0

    def next(self) -> Apply | Delete:
        """Return one change."""
        self._count += 1
        number = self._random.randrange(MOVING)
        name = f"moving-{number}"
        match self._random.choices(range(7), (5, 4, 3, 2, 2, 2, 1))[0]:
            case 0:
                selector = self._random.choice(({"part": name}, {"tier": "moving"}, {"part": "nobody"}))
                return Apply(service(name, selector, "http", 8000 + self._random.randrange(3)))
            case 1:
                replicas = self._random.randrange(2)
                return Apply(deployment(name, [self._ports[number]], replicas=replicas))
            case 2:
                data = {"round": str(self._count), "text": "x" * self._random.randrange(2000)}
                return Apply(_named("ConfigMap", f"settings-{number}") | {"data": data})
            case 3:
                return Apply(_named("Secret", f"secret-{number}") | {"stringData": {"round": str(self._count)}})
            case 4:
                return Delete("Service", name)
            case 5:
                return Delete(self._random.choice(("ConfigMap", "Secret")), f"settings-{number}")
            case _:
                return Delete("Deployment", name)


def _named(kind: str, name: str) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}}
