"""Which containers a lab runs for what the cloud says of pods."""

from typing import Any

from edgecore.lab.pods import LIMIT, Container, wanted

NODES = ("edge-node-a", "edge-node-b")


def pod(name: str = "nginx-1", **spec: Any) -> dict[str, Any]:
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": "edge-node-b", "containers": [{"name": "nginx", "ports": ports}], **spec},
        "status": {"phase": "Running", "podIP": "172.17.0.2"},
    }


def test_a_running_pod_gets_a_server_at_its_address_and_its_host_ports() -> None:
    assert wanted([pod()], NODES) == {
        Container("edge-node-b", "nginx-1", "172.17.0.2", (80,), ((8080, 80),), on_host=False)
    }


def test_a_pod_with_the_network_of_its_host_is_there_already() -> None:
    (found,) = wanted([pod(hostNetwork=True)], NODES)
    assert found.on_host
    assert found.published == ()


def test_pods_that_do_not_run_here_get_none() -> None:
    pending, without_address, going = pod(), pod(), pod()
    pending["status"]["phase"] = "Pending"
    del without_address["status"]["podIP"]
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    elsewhere = pod(nodeName="edge-node-z")
    assert wanted([pending, without_address, going, elsewhere, {}, {"spec": None, "status": []}], NODES) == frozenset()


def test_there_is_an_end_to_containers() -> None:
    assert len(wanted([pod(f"nginx-{number}") for number in range(LIMIT + 10)], NODES)) == LIMIT
