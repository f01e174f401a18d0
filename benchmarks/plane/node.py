"""A whole node of ours as it ships, in mode intercept, in the namespace of this process, and a cloud beside it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from naming.cores import SERVER as SERVER_CORE
from naming.cores import pin

from cloudhub_stub.testing.cloud import Cloud
from plane.namespaces import SERVER

PORTS = {"drain": (5001, "TCP"), "greet": (5002, "TCP"), "echo": (5003, "UDP"), "sink": (5004, "UDP")}
"""What serves, where, as each service has it and as its pod has it."""
SERVICES = {"kernel": {}, "proxied": {"edgemesh.kubeedge.io/plane": "proxy"}}
"""The planes, as services with their annotations."""
PATIENCE_S = 60.0


class Node(NamedTuple):
    """The node's process, and the fake IP of each service."""

    pid: int
    fake_ips: dict[str, str]
    planes: dict[str, list[str]]
    """Who moves the bytes of each port of each service."""


def manifests() -> dict[str, Any]:
    """Return the services, and the deployment whose one pod is what serves on the other machine."""
    labels = {"app": "load"}
    listed = [
        {"containerPort": port, "hostPort": port, "protocol": protocol, "name": name}
        for name, (port, protocol) in PORTS.items()
    ]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "load", "ports": listed}]}}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    served = [
        {"name": f"{protocol.lower()}-{name}", "port": port, "targetPort": port, "protocol": protocol}
        for name, (port, protocol) in PORTS.items()
    ]
    metadata = {"name": "load", "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment},
            *(
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": name, "namespace": "default", "annotations": annotations},
                    "spec": {"ports": served, "selector": labels},
                }
                for name, annotations in SERVICES.items()
            ),
        ],
    }


@contextmanager
def node() -> Iterator[Node]:
    """Run the node, on the processor that the server has."""
    with tempfile.TemporaryDirectory(prefix="edgecore-plane-") as directory:
        settings = {"modules": {"edgeMesh": {"mode": "intercept"}, "edged": {"nodeIP": SERVER}}}
        with Cloud.start(Path(directory), edges=1, settings=settings) as cloud:
            cloud.apply(manifests())
            cloud.wait_for_deployment("load", timeout_s=PATIENCE_S)
            edge = cloud.edges[0]

            def found() -> dict[str, Any]:
                services = {name: edge.service(name) for name in SERVICES}
                ready = all(one["ready"] and one["fake_ip"] for one in services.values())
                listening = all(port["state"] == "listening" for one in services.values() for port in one["ports"])
                return services if ready and listening else {}

            services = cloud.wait_for(lambda _: found(), PATIENCE_S, "services served")
            assert edge.pid is not None
            for pid in (edge.pid, cloud.stub.pid):
                if pid is not None:
                    pin(pid, SERVER_CORE)
            yield Node(
                edge.pid,
                {name: service["fake_ip"] for name, service in services.items()},
                {name: [port.get("plane", "proxy") for port in one["ports"]] for name, one in services.items()},
            )
