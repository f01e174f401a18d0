"""A whole node of ours as it ships, with a cloud that tells it a service whose pod is the origin."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from naming.cores import LOAD, SERVER, pin

from cloudhub_stub.testing.cloud import Cloud
from forwarding.peers import HOST
from forwarding.places import Place, free_port, serves, until

SERVICE = "web"
WEB, BYTES = 8080, 8081
PATIENCE_S = 60.0


def manifests(origin_port: int) -> dict[str, Any]:
    """Return the service, and the deployment whose one pod has the origin for its host port."""
    labels = {"app": SERVICE}
    ports = [{"containerPort": 80, "hostPort": origin_port, "protocol": "TCP"}]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx", "ports": ports}]}}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    served = [
        {"name": "http-0", "port": WEB, "targetPort": 80},
        {"name": "tcp-0", "port": BYTES, "targetPort": 80},
    ]
    metadata = {"name": SERVICE, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"ports": served, "selector": labels},
            },
        ],
    }


@contextmanager
def node(
    origin_port: int, name: str = "ours", *, subnet: int = 214, free: bool = False, **traffic: Any
) -> Iterator[Place]:
    """Run a node on a processor of its own; ``free``: on any. ``traffic`` are settings of that section."""
    with tempfile.TemporaryDirectory(prefix="edgecore-proxy-") as directory:
        mesh = {
            "rootlessSubNet": f"127.{subnet}.0.0/16",
            "dns": {"listen": f"{HOST}:{free_port()}"},
            **({"traffic": traffic} if traffic else {}),
        }
        settings = {"modules": {"edgeMesh": mesh, "edged": {"nodeIP": HOST}}}
        with Cloud.start(Path(directory), edges=1, settings=settings) as cloud:
            cloud.apply(manifests(origin_port))
            cloud.wait_for_deployment(SERVICE, timeout_s=PATIENCE_S)
            edge = cloud.edges[0]
            address = cloud.wait_for(lambda _: edge.service(SERVICE)["fake_ip"], PATIENCE_S)
            until(lambda: serves(address, WEB), "the node")
            assert edge.pid is not None
            place = Place(name, edge.pid, address, WEB, BYTES if serves(address, BYTES) else 0)
            if cloud.stub.pid is not None:
                pin(cloud.stub.pid, LOAD)
            if not free:
                pin(place.pid, SERVER)
            yield place
