"""What the node tells the cloud about itself (pure; spec 9.1-9.3, kubeedge edge/pkg/edged/edged_status.go@v1.3.1)."""

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

KUBELET_VERSION = "v1.17.1-kubeedge-v1.3.1"
KUBELET_PORT = 10350
POD_CAPACITY = 110
"""How many pods a node takes on, as KubeEdge has it (``setInitNode``); also the kubelet's default of ``maxPods``."""
RESERVED_MEMORY_MIB = 100
RESERVED_STORAGE_PERCENT = 10
"""As the kubelet's default of ``evictionHard``."""

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
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    storage_kib: int = 0
    """The size of the file system where the node keeps what it has; 0 if it is not known, and then nothing is said."""


class NodeIdentity(NamedTuple):
    """Who the node is."""

    name: str
    namespace: str
    ip: str
    runtime_version: str
    max_pods: int = POD_CAPACITY
    """How many pods it takes on."""

    @property
    def uid(self) -> str:
        """A uid that only this node has, the same after each start (RFC 9562, version 8).

        upstream: the Go edgecore has one uid for all nodes (D2).
        """
        digits = hashlib.sha256(f"{self.namespace}/{self.name}".encode()).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


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
        "UID": identity.uid,
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
    def resources(memory_mib: int, storage: str) -> Json:
        return {
            "cpu": str(facts.cpus),
            **({"ephemeral-storage": storage} if facts.storage_kib else {}),
            "memory": f"{memory_mib}Mi",
            "pods": str(identity.max_pods),
        }

    usable = facts.storage_kib * 1024 * (100 - RESERVED_STORAGE_PERCENT) // 100
    return {
        "capacity": resources(facts.memory_mib, f"{facts.storage_kib}Ki"),
        "allocatable": resources(max(0, facts.memory_mib - RESERVED_MEMORY_MIB), str(usable)),
    }


def _addresses(identity: NodeIdentity) -> list[Json]:
    return [{"type": "InternalIP", "address": identity.ip}, {"type": "Hostname", "address": identity.name}]


def _node_info(identity: NodeIdentity, facts: HostFacts) -> Json:
    return {
        "machineID": facts.machine_id,
        "systemUUID": facts.system_uuid,
        "bootID": facts.boot_id,
        "kernelVersion": facts.kernel,
        "osImage": facts.os_image,
        "containerRuntimeVersion": f"remote://{identity.runtime_version}",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": facts.operating_system,
        "architecture": facts.architecture,
    }
