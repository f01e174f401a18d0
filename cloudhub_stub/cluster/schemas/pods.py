"""The schema of a pod, and of its spec in a template.

Source: kubernetes staging/src/k8s.io/api/core/v1/types.go and pkg/apis/core/validation/validation.go@v1.17.0.
"""

from collections.abc import Iterator
from typing import Any

from cloudhub_stub.cluster.names import label_fault, subdomain_fault
from cloudhub_stub.cluster.schemas.containers import CONTAINER
from cloudhub_stub.cluster.schemas.metadata import METADATA, top
from cloudhub_stub.cluster.schemas.selection import AFFINITY, TOLERATION
from cloudhub_stub.cluster.schemas.shapes import (
    INT32_MAX,
    INT64_MAX,
    LABELS,
    Check,
    ListOf,
    Number,
    OneOf,
    Struct,
    Text,
    address,
    below,
    boolean,
    mapping,
    text,
)
from cloudhub_stub.cluster.schemas.volumes import VOLUMES
from cloudhub_stub.errors import Invalid


def _containers(spec: Any, path: str, *names: str) -> Iterator[tuple[str, Any]]:
    for name in names or ("initContainers", "containers"):
        for index, container in enumerate(spec.get(name) or ()):
            yield f"{below(path, name)}[{index}]", container


def _unique_names(spec: Any, path: str) -> None:
    seen: set[str] = set()
    for where, container in _containers(spec, path):
        if container["name"] in seen:
            raise Invalid(f"{where}.name", f"{container['name']!r} is the name of another container already")
        seen.add(container["name"])


def _ports_of_the_host(spec: Any, path: str) -> None:
    """Two containers cannot have one port of the host; on its network, each port is the host's own.

    ``initContainers`` run one after the other, and may.
    """
    seen: set[tuple[str, str, int]] = set()
    for where, container in _containers(spec, path, "containers"):
        for index, port in enumerate(container.get("ports") or ()):
            host_port = port.get("hostPort") or (port["containerPort"] if spec.get("hostNetwork") else 0)
            field = f"{where}.ports[{index}].hostPort"
            if spec.get("hostNetwork") and host_port != port["containerPort"]:
                raise Invalid(field, f"it is {host_port}; with hostNetwork it must be as containerPort")
            key = (port.get("hostIP") or "", port.get("protocol") or "TCP", host_port)
            if host_port and key in seen:
                raise Invalid(field, f"{host_port} is taken by another port of this pod already")
            seen.add(key)


def _mounts_have_volumes(spec: Any, path: str) -> None:
    volumes = {volume["name"] for volume in spec.get("volumes") or ()}
    for where, container in _containers(spec, path):
        for index, mount in enumerate(container.get("volumeMounts") or ()):
            if mount["name"] not in volumes:
                raise Invalid(f"{where}.volumeMounts[{index}].name", f"there is no volume {mount['name']!r}")


_HOST_ALIAS = Struct({"ip": address, "hostnames": ListOf(Text(subdomain_fault))}, required=("ip",))

POD_SPEC: Check = Struct(
    {
        "containers": ListOf(CONTAINER, at_least=1),
        "initContainers": ListOf(CONTAINER),
        "volumes": VOLUMES,
        "restartPolicy": OneOf("Always", "OnFailure", "Never"),
        "terminationGracePeriodSeconds": Number(0, INT64_MAX),
        "activeDeadlineSeconds": Number(1, INT32_MAX),
        "dnsPolicy": OneOf("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "nodeSelector": LABELS,
        "serviceAccountName": Text(subdomain_fault, or_empty=True),
        "serviceAccount": text,
        "automountServiceAccountToken": boolean,
        "nodeName": Text(subdomain_fault, or_empty=True),
        "hostNetwork": boolean,
        "hostPID": boolean,
        "hostIPC": boolean,
        "shareProcessNamespace": boolean,
        "securityContext": mapping,
        "imagePullSecrets": ListOf(Struct({"name": text})),
        "hostname": Text(label_fault, or_empty=True),
        "subdomain": Text(label_fault, or_empty=True),
        "affinity": AFFINITY,
        "schedulerName": text,
        "tolerations": ListOf(TOLERATION),
        "hostAliases": ListOf(_HOST_ALIAS),
        "priorityClassName": text,
        "priority": Number(-INT32_MAX - 1, INT32_MAX),
        "enableServiceLinks": boolean,
    },
    required=("containers",),
    also=(
        "dnsConfig ephemeralContainers hostUsers hostnameOverride os overhead preemptionPolicy readinessGates "
        "resourceClaims resources runtimeClassName schedulingGates setHostnameAsFQDN topologySpreadConstraints "
        "workloadRef"
    ),
    rules=(_unique_names, _ports_of_the_host, _mounts_have_volumes),
)

POD: Check = top({"spec": POD_SPEC}, required=("spec",))
TEMPLATE: Check = Struct({"metadata": METADATA, "spec": POD_SPEC}, required=("spec",))
