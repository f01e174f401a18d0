"""What the node tells the cloud about itself (pure; spec 9.1-9.3, kubeedge edge/pkg/edged/edged_status.go@v1.3.1)."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

NODE_UID = "38796d14-1df3-11e8-8e5a-286ed488f209"
# upstream: the Go edgecore sends this same uid for every node (D2), and clouds ignore it.
KUBELET_VERSION = "v1.17.1-kubeedge-v1.3.1"
KUBELET_PORT = 10350
POD_CAPACITY = 110
"""How many pods a node takes on, as KubeEdge has it (``setInitNode``); also the kubelet's default of ``maxPods``."""
RESERVED_MEMORY_MIB = 100

Json = dict[str, Any]


class HostFacts(NamedTuple):
    """What is known of the machine."""

    cpus: int
    memory_mib: int
    kernel: str
    os_image: str
    operating_system: str
    architecture: str
    """As Go names it: ``amd64``, ``arm64``."""


class NodeIdentity(NamedTuple):
    """Who the node is."""

    name: str
    namespace: str
    ip: str
    runtime_version: str
    max_pods: int = POD_CAPACITY
    """How many pods it takes on."""


def registration(identity: NodeIdentity, facts: HostFacts) -> Json:
    """Return the Node that registers this one. It has no name: the cloud takes it from the resource."""
    return {
        "metadata": {
            "creationTimestamp": None,
            "labels": {
                "kubernetes.io/arch": facts.architecture,
                "kubernetes.io/hostname": identity.name,
                "kubernetes.io/os": facts.operating_system,
                "node-role.kubernetes.io/agent": "",
                "node-role.kubernetes.io/edge": "",
            },
        },
        "spec": {},
        "status": {
            **_resources(identity, facts),
            "addresses": _addresses(identity),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "nodeInfo": _node_info(identity, facts),
        },
    }


def status_request(identity: NodeIdentity, facts: HostFacts, now_ms: int) -> Json:
    """Return the NodeStatusRequest of now: Ready. Its three keys are capitalised, as Go writes them."""
    now = rfc3339(now_ms)
    return {
        "UID": NODE_UID,
        "Status": {
            **_resources(identity, facts),
            "phase": "Running",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                    "reason": "EdgeReady",
                    "message": "edge is posting ready status",
                },
            ],
            "addresses": _addresses(identity),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": _node_info(identity, facts),
        },
        "ExtendResources": None,
    }


def rfc3339(unix_ms: int) -> str:
    """Return an instant as Kubernetes writes it: UTC, to the second."""
    return datetime.fromtimestamp(unix_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _resources(identity: NodeIdentity, facts: HostFacts) -> Json:
    def resources(memory_mib: int) -> Json:
        return {"cpu": str(facts.cpus), "memory": f"{memory_mib}Mi", "pods": str(identity.max_pods)}

    return {
        "capacity": resources(facts.memory_mib),
        "allocatable": resources(max(0, facts.memory_mib - RESERVED_MEMORY_MIB)),
    }


def _addresses(identity: NodeIdentity) -> list[Json]:
    return [{"type": "InternalIP", "address": identity.ip}, {"type": "Hostname", "address": identity.name}]


def _node_info(identity: NodeIdentity, facts: HostFacts) -> Json:
    return {
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
        "kernelVersion": facts.kernel,
        "osImage": facts.os_image,
        "containerRuntimeVersion": f"remote://{identity.runtime_version}",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": facts.operating_system,
        "architecture": facts.architecture,
    }
