"""The schema of a Service and of Endpoints.

Source: kubernetes pkg/apis/core/validation/validation.go@v1.17.0. Other than there, addresses of the loopback network
are endpoints too: here edge nodes live there.
"""

from typing import Any

from cloudhub_stub.cluster.names import label_fault, port_name_fault, subdomain_fault
from cloudhub_stub.cluster.schemas.containers import PROTOCOL
from cloudhub_stub.cluster.schemas.metadata import top
from cloudhub_stub.cluster.schemas.shapes import (
    LABELS,
    Check,
    ListOf,
    Number,
    NumberOrName,
    OneOf,
    Struct,
    Text,
    address,
    below,
    boolean,
    mapping,
    text,
)
from cloudhub_stub.errors import Invalid

NO_ADDRESS = "None"
_PORT_NUMBER = Number(1, 65_535)
_OPTIONAL_LABEL = Text(label_fault, or_empty=True)


def _cluster_ip(value: Any, path: str) -> None:
    text(value, path)
    if value not in ("", NO_ADDRESS):
        address(value, path)


def _is_external(spec: Any) -> bool:
    return bool(spec.get("type") == "ExternalName")


def _ports_fit(spec: Any, path: str) -> None:
    ports = spec.get("ports") or []
    where = below(path, "ports")
    if not ports and spec.get("clusterIP") != NO_ADDRESS and not _is_external(spec):
        raise Invalid(where, "it is missing: only a service without address (clusterIP: None) needs no port")
    names: set[str] = set()
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        name = port.get("name") or ""
        number = (port.get("protocol") or "TCP", port["port"])
        if not name and len(ports) > 1:
            raise Invalid(f"{where}[{index}].name", "it is missing, which all of several ports need")
        if name and name in names:
            raise Invalid(f"{where}[{index}].name", f"{name!r} is the name of another port already")
        if number in numbers:
            raise Invalid(f"{where}[{index}].port", f"{number[1]}/{number[0]} is another port already")
        names.add(name)
        numbers.add(number)


def _address_fits_type(spec: Any, path: str) -> None:
    kind = spec.get("type") or "ClusterIP"
    given = spec.get("clusterIP") or ""
    if _is_external(spec) and given:
        raise Invalid(below(path, "clusterIP"), "a service of type ExternalName has none")
    if _is_external(spec) and not spec.get("externalName"):
        raise Invalid(below(path, "externalName"), "it is missing, which type ExternalName needs")
    if kind in ("NodePort", "LoadBalancer") and given == NO_ADDRESS:
        raise Invalid(below(path, "clusterIP"), f"it is None, but a service of type {kind} has an address")


_SERVICE_PORT = Struct(
    {
        "name": _OPTIONAL_LABEL,
        "protocol": PROTOCOL,
        "port": _PORT_NUMBER,
        "targetPort": NumberOrName(lambda name: port_name_fault(name) if name else "", low=0),
        "nodePort": Number(0, 65_535),
        "appProtocol": text,
    },
    required=("port",),
)

SERVICE: Check = top(
    {
        "spec": Struct(
            {
                "type": OneOf("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
                "clusterIP": _cluster_ip,
                "selector": LABELS,
                "ports": ListOf(_SERVICE_PORT),
                "externalName": Text(subdomain_fault, or_empty=True),
                "externalIPs": ListOf(address),
                "sessionAffinity": OneOf("None", "ClientIP"),
                "sessionAffinityConfig": mapping,
                "publishNotReadyAddresses": boolean,
                "externalTrafficPolicy": OneOf("Cluster", "Local"),
                "healthCheckNodePort": Number(0, 65_535),
                "loadBalancerIP": text,
                "loadBalancerSourceRanges": ListOf(text),
            },
            also=(
                "allocateLoadBalancerNodePorts clusterIPs internalTrafficPolicy ipFamilies ipFamily ipFamilyPolicy "
                "loadBalancerClass topologyKeys trafficDistribution"
            ),
            rules=(_ports_fit, _address_fits_type),
        )
    },
    required=("spec",),
)


def _has_addresses(subset: Any, path: str) -> None:
    if not (subset.get("addresses") or subset.get("notReadyAddresses")):
        raise Invalid(path, "it has neither addresses nor notReadyAddresses")


def _named_ports(subset: Any, path: str) -> None:
    ports = subset.get("ports") or []
    for index, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            raise Invalid(f"{below(path, 'ports')}[{index}].name", "it is missing, which all of several ports need")


_ENDPOINT_ADDRESS = Struct(
    {
        "ip": address,
        "hostname": _OPTIONAL_LABEL,
        "nodeName": Text(subdomain_fault, or_empty=True),
        "targetRef": Struct(
            {
                "kind": text,
                "namespace": text,
                "name": text,
                "uid": text,
                "apiVersion": text,
                "resourceVersion": text,
                "fieldPath": text,
            }
        ),
    },
    required=("ip",),
)
_ENDPOINT_PORT = Struct(
    {"name": _OPTIONAL_LABEL, "port": _PORT_NUMBER, "protocol": PROTOCOL, "appProtocol": text}, required=("port",)
)
_SUBSET = Struct(
    {
        "addresses": ListOf(_ENDPOINT_ADDRESS),
        "notReadyAddresses": ListOf(_ENDPOINT_ADDRESS),
        "ports": ListOf(_ENDPOINT_PORT),
    },
    rules=(_has_addresses, _named_ports),
)

ENDPOINTS: Check = top({"subsets": ListOf(_SUBSET)})
