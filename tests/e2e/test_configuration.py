"""ConfigMaps and Secrets reach the edge whose pods use them, whichever of both was there first."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge

Json = dict[str, Any]
CONFIG_MAPS = ("by-variable", "by-volume")
SECRETS = ("by-init", "by-projection")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Cloud.start(tmp_path, plain=True, edges=["edge-node1"]) as cloud:
        yield cloud


def config_map(name: str, value: str = "first") -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": value}}


def secret(name: str, value: str = "first") -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": value}}


def pod(name: str = "reader") -> Json:
    """Return a pod that uses what is in ``CONFIG_MAPS`` and ``SECRETS``, and pulls with the secret ``late``."""
    by_variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "by-variable", "key": "k"}}}
    by_init = {"name": "B", "valueFrom": {"secretKeyRef": {"name": "by-init", "key": "k"}}}
    projected = {"sources": [{"secret": {"name": "by-projection"}}, {"configMap": {"name": "by-volume"}}]}
    spec = {
        "initContainers": [{"name": "init", "image": "busybox:1.31", "env": [by_init]}],
        "containers": [{"name": "nginx", "image": "nginx:1.17", "env": [by_variable]}],
        "volumes": [{"name": "both", "projected": projected}],
        "imagePullSecrets": [{"name": "late"}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def data_of(edge: Edge) -> Json:
    """Return what the edge has stored of ConfigMaps and Secrets."""
    rows = edge.store().items()
    return {key: json.loads(row.value)["data"] for key, row in rows if row.type in ("configmap", "secret")}


def rows(value: str = "first", *, of: tuple[str, ...] = (*CONFIG_MAPS, *SECRETS)) -> Json:
    """Return what an edge should have stored."""
    encoded = {"k": b64encode(value.encode()).decode()}
    return {
        **{f"default/configmap/{name}": {"k": value} for name in CONFIG_MAPS if name in of},
        **{f"default/secret/{name}": encoded for name in (*SECRETS, "late") if name in of},
    }


def wait_for_rows(cloud: Cloud, wanted: Json, what: str) -> None:
    [edge] = cloud.edges
    cloud.wait_for(lambda _: data_of(edge) == wanted, what=what)


def test_what_is_older_than_its_pod_arrives_with_it_and_follows_the_cluster(cloud: Cloud) -> None:
    cloud.apply([*map(config_map, CONFIG_MAPS), *map(secret, SECRETS)])
    cloud.wait_for_settled()
    assert data_of(cloud.edge("edge-node1")) == {}
    cloud.apply(pod())
    wait_for_rows(cloud, rows(), "all that was there before")
    cloud.apply([*(config_map(name, "second") for name in CONFIG_MAPS), *(secret(name, "second") for name in SECRETS)])
    wait_for_rows(cloud, rows("second"), "what was changed")
    cloud.delete("ConfigMap", "by-variable")
    cloud.delete("Secret", "by-projection")
    wait_for_rows(cloud, rows("second", of=("by-volume", "by-init")), "what was not deleted")
    cloud.wait_for_settled()
    assert cloud.ledger()["unexplained"] == 0


def test_the_pod_runs_without_and_what_is_made_later_arrives(cloud: Cloud) -> None:
    cloud.apply(pod())
    cloud.wait_for(lambda c: c.get("Pod", "reader")["status"]["phase"] == "Running", what="a running pod")
    missing = cloud.edge("edge-node1").status()["parts"]["edged"]["objects"]
    assert (missing["used"], data_of(cloud.edge("edge-node1"))) == (5, {})
    cloud.apply([*map(config_map, CONFIG_MAPS), *map(secret, (*SECRETS, "late"))])
    wait_for_rows(cloud, rows(of=(*CONFIG_MAPS, *SECRETS, "late")), "what was made after the pod")


def test_what_was_made_while_the_edge_was_away_arrives(cloud: Cloud) -> None:
    edge = cloud.edge("edge-node1")
    cloud.apply([*map(config_map, CONFIG_MAPS), *map(secret, SECRETS), pod()])
    wait_for_rows(cloud, rows(), "all that was there before")
    edge.stop()
    cloud.apply(secret("late"))
    edge.start()
    wait_for_rows(cloud, rows(of=(*CONFIG_MAPS, *SECRETS, "late")), "what was made meanwhile")
    cloud.wait_for(lambda _: edge.status()["parts"]["edged"]["objects"]["missing"] == 0, what="nothing missing")
