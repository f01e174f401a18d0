"""Service and pods to Endpoints (pure; ``kubernetes pkg/controller/endpoint`` and ``pkg/api/v1/endpoints``, 1.17).

| pod | where |
| --- | --- |
| without IP, or finished | nowhere |
| terminating | nowhere; ``addresses`` where the service has ``publishNotReadyAddresses`` |
| ready, or the service has ``publishNotReadyAddresses`` | ``addresses`` |
| else | ``notReadyAddresses`` |

Two things differ: ``targetRef`` has no ``resourceVersion``, so that an Endpoints object changes only when an address
does; and ports and subsets are in the order of their names and numbers, where Kubernetes takes a hash of its own
memory layout.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import ENDPOINTS_KIND, POD_KIND, Object, key_of
from cloudhub_stub.cluster.registry import labels_of
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.controllers.conditions import is_ready

HEADLESS_LABEL = "service.kubernetes.io/headless"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_FINISHED = frozenset({"Succeeded", "Failed"})


class _Port(NamedTuple):
    """One port of Endpoints."""

    name: str
    number: int
    protocol: str


class _Member(NamedTuple):
    """One pod in Endpoints; in this order Kubernetes sorts them, IP addresses as text."""

    ip: str
    uid: str
    ready: bool


def subsets(service: Object, pods: Iterable[Object]) -> list[Object]:
    """Return the subsets of the Endpoints of ``service``, whose selector chose ``pods``; the order of these is all one.

    A subset is a set of pods and the ports that all of them have; a named target port is looked up in each pod. A
    headless service need not have ports: then there is one subset without any.
    """
    addresses: dict[tuple[str, str], Object] = {}
    members_by_port: dict[_Port | None, set[_Member]] = defaultdict(set)
    for pod in pods:
        if not _belongs(service, pod):
            continue
        member = _Member(pod["status"]["podIP"], pod["metadata"]["uid"], _publishes_all(service) or is_ready(pod))
        addresses[member[:2]] = _address(service, pod)
        for port in _ports(service, pod):
            members_by_port[port].add(member)
    ports_by_members: dict[frozenset[_Member], list[_Port]] = defaultdict(list)
    for port, members in members_by_port.items():
        ports_by_members[frozenset(members)].extend([] if port is None else [port])
    packed = sorted((sorted(ports), sorted(members)) for members, ports in ports_by_members.items())
    return [_subset(ports, members, addresses) for ports, members in packed]


def plan(service: Object | None, endpoints: Object | None, pods: Iterable[Object]) -> list[Write]:
    """Return what must be written so that ``endpoints`` is as ``service`` and its ``pods`` demand.

    Both objects are of the same name, ``None`` where there is none. Nothing is done for a service without selector or
    of type ExternalName: its Endpoints are the user's. Endpoints whose service is gone are deleted unless a user made
    them (Kubernetes deletes all of those at its start).
    """
    if service is None:
        if endpoints is None or not _is_made_here(endpoints):
            return []
        return [Delete(key_of(endpoints), endpoints["metadata"]["uid"])]
    if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
        return []
    wanted, labels = subsets(service, pods), _labels(service)
    if endpoints is None:
        identity = {name: service["metadata"][name] for name in ("name", "namespace")}
        new = {"kind": ENDPOINTS_KIND.name, "apiVersion": ENDPOINTS_KIND.api_version, "metadata": identity}
        return [Create(_with(new, labels, wanted))]
    if (endpoints.get("subsets") or []) == wanted and labels_of(endpoints) == labels:
        return []
    return [Replace(_with(endpoints, labels, wanted))]


def _belongs(service: Object, pod: Object) -> bool:
    status = pod.get("status", {})
    if not status.get("podIP") or status.get("phase") in _FINISHED:
        return False
    return _publishes_all(service) or "deletionTimestamp" not in pod["metadata"]


def _publishes_all(service: Object) -> bool:
    return bool(service["spec"].get("publishNotReadyAddresses"))


def _is_headless(service: Object) -> bool:
    return service["spec"].get("clusterIP", "") in {"None", ""}


def _ports(service: Object, pod: Object) -> Iterator[_Port | None]:
    """Return the ports that ``pod`` has of those of the service; one that is none for a headless service without."""
    ports = service["spec"].get("ports") or ()
    if not ports and _is_headless(service):
        yield None
    for port in ports:
        protocol = port.get("protocol") or "TCP"
        target = port.get("targetPort") or port["port"]
        number = target if isinstance(target, int) else _port_named(pod, target, protocol)
        if number is not None:
            yield _Port(port.get("name") or "", number, protocol)


def _port_named(pod: Object, name: str, protocol: str) -> int | None:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == name and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _address(service: Object, pod: Object) -> Object:
    """Return the address of a pod. It has the pod's host name where a name server of a cluster would answer to it."""
    metadata, spec = pod["metadata"], pod["spec"]
    address: Object = {"ip": pod["status"]["podIP"]}
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        address["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        address["nodeName"] = spec["nodeName"]
    identity = {name: metadata[name] for name in ("namespace", "name", "uid")}
    return {**address, "targetRef": {"kind": POD_KIND.name, **identity}}


def _subset(ports: list[_Port], members: list[_Member], addresses: Mapping[tuple[str, str], Object]) -> Object:
    ready = [addresses[member[:2]] for member in members if member.ready]
    unready = [addresses[member[:2]] for member in members if not member.ready]
    return {
        **({"addresses": ready} if ready else {}),
        **({"notReadyAddresses": unready} if unready else {}),
        **({"ports": list(map(_port, ports))} if ports else {}),
    }


def _port(port: _Port) -> Object:
    return {**({"name": port.name} if port.name else {}), "port": port.number, "protocol": port.protocol}


def _labels(service: Object) -> dict[str, str]:
    """Return the labels of the Endpoints: the service's, and one that tells a headless service."""
    labels = {name: value for name, value in labels_of(service).items() if name != HEADLESS_LABEL}
    return labels | ({HEADLESS_LABEL: ""} if _is_headless(service) else {})


def _with(endpoints: Object, labels: Mapping[str, str], wanted: list[Object]) -> Object:
    """Return ``endpoints`` with these labels and subsets; both are left out where there are none."""
    metadata: dict[str, Any] = {name: value for name, value in endpoints["metadata"].items() if name != "labels"}
    rest = {name: value for name, value in endpoints.items() if name not in {"metadata", "subsets"}}
    return {
        **rest,
        "metadata": {**metadata, **({"labels": dict(labels)} if labels else {})},
        **({"subsets": wanted} if wanted else {}),
    }


def _is_made_here(endpoints: Object) -> bool:
    """Say whether Endpoints are the work of this controller: no manifest wrote them, and all that they name is pods."""
    if LAST_APPLIED in (endpoints["metadata"].get("annotations") or {}):
        return False
    return all(
        (address.get("targetRef") or {}).get("kind") == POD_KIND.name
        for subset in endpoints.get("subsets") or ()
        for address in (*(subset.get("addresses") or ()), *(subset.get("notReadyAddresses") or ()))
    )
