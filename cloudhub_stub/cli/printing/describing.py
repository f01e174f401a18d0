"""Descriptions: what ``describe`` shows of one object, in the form of ``kubectl describe`` (1.17).

A secret's values are never shown, only how long they are.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from cloudhub_stub.cli.printing.describing_device import device_model_rows, device_rows
from cloudhub_stub.cli.printing.describing_node import node_rows
from cloudhub_stub.cli.printing.describing_pod import pod_rows, template_rows
from cloudhub_stub.cli.printing.fields import (
    NONE,
    UNSET,
    endpoint_list,
    joined,
    label_selector,
    pairs,
    spec_of,
    status_of,
)
from cloudhub_stub.cli.printing.podstate import pod_state
from cloudhub_stub.cli.printing.sections import (
    Fields,
    Rows,
    condition_rows,
    event_rows,
    head_rows,
    label_rows,
    name_rows,
    table_rows,
    text_rows,
)
from cloudhub_stub.cluster.kinds import Object
from edgecore.control.ages import age, date
from edgecore.control.columns import aligned
from edgecore.control.documents import as_yaml

_HEAD_FIELDS = frozenset({"kind", "apiVersion", "metadata"})


def description(answer: Mapping[str, Any], now_ms: int) -> str:
    """Return the answer of ``GET /v1/describe`` for people: the object, what belongs to it, and what happened to it."""
    obj: Object = answer["object"]
    related = answer.get("related") or {}
    rows = _DESCRIBERS.get(obj["kind"], _any_rows)(obj, related, now_ms)
    if obj["kind"] != "Secret":
        rows = [*rows, *event_rows(answer.get("events") or (), now_ms)]
    return aligned(rows)


def _deployment_rows(deployment: Object, related: Fields, now_ms: int) -> Rows:
    spec, status = spec_of(deployment), status_of(deployment)
    numbers = [
        f"{1 if spec.get('replicas') is None else spec['replicas']} desired",
        *(
            f"{status.get(field) or 0} {word}"
            for field, word in (
                ("updatedReplicas", "updated"),
                ("replicas", "total"),
                ("availableReplicas", "available"),
                ("unavailableReplicas", "unavailable"),
            )
        ),
    ]
    strategy = spec.get("strategy") or {}
    rows: Rows = [
        *name_rows(deployment),
        ("CreationTimestamp:", date(deployment["metadata"].get("creationTimestamp"))),
        *label_rows(deployment),
        ("Selector:", label_selector(spec.get("selector"))),
        ("Replicas:", " | ".join(numbers)),
        ("StrategyType:", str(strategy.get("type") or "RollingUpdate")),
        ("MinReadySeconds:", str(spec.get("minReadySeconds") or 0)),
    ]
    if rolling := strategy.get("rollingUpdate"):
        limits = f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge"
        rows.append(("RollingUpdateStrategy:", limits))
    if spec.get("paused"):
        rows.append(("Paused:", "true"))
    rows += [("Pod Template:",), *template_rows(spec.get("template") or {}), *condition_rows(deployment)]
    return [*rows, *_pods_rows(related, now_ms)]


def _pods_rows(related: Fields, now_ms: int) -> Rows:
    """Return the pods that belong to an object."""
    pods = related.get("pods") or ()
    if not pods:
        return [("Pods:", NONE)]
    found = [
        [
            pod["metadata"]["name"],
            f"{state.ready}/{state.containers}",
            state.status,
            str(spec_of(pod).get("nodeName") or NONE),
            age(pod["metadata"].get("creationTimestamp"), now_ms),
        ]
        for pod in pods
        for state in (pod_state(pod),)
    ]
    return [("Pods:",), *table_rows(("Name", "Ready", "Status", "Node", "Age"), found)]


def _service_rows(service: Object, related: Fields, _now_ms: int) -> Rows:
    spec = spec_of(service)
    rows: Rows = [
        *head_rows(service),
        ("Selector:", pairs(spec.get("selector"))),
        ("Type:", str(spec.get("type") or "ClusterIP")),
        ("IP:", str(spec.get("clusterIP") or "")),
    ]
    if spec.get("externalIPs"):
        rows.append(("External IPs:", joined(spec["externalIPs"])))
    if spec.get("externalName"):
        rows.append(("External Name:", str(spec["externalName"])))
    for port in spec.get("ports") or ():
        name, protocol = str(port.get("name") or UNSET), port.get("protocol") or "TCP"
        rows.append(("Port:", name, f"{port.get('port')}/{protocol}"))
        rows.append(("TargetPort:", f"{port.get('targetPort')}/{protocol}"))
        if port.get("nodePort"):
            rows.append(("NodePort:", name, f"{port['nodePort']}/{protocol}"))
        rows.append(("Endpoints:", endpoint_list(_one(related.get("endpoints")), port.get("name") or "")))
    rows.append(("Session Affinity:", str(spec.get("sessionAffinity") or "None")))
    return rows


def _endpoints_rows(endpoints: Object, _related: Fields, _now_ms: int) -> Rows:
    rows: Rows = [*head_rows(endpoints), ("Subsets:",)]
    for subset in endpoints.get("subsets") or ():
        for title, field in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            rows.append((f"  {title}:", joined(each.get("ip") for each in subset.get(field) or ())))
        ports = [
            [str(port.get("name") or UNSET), str(port.get("port")), str(port.get("protocol") or "TCP")]
            for port in subset.get("ports") or ()
        ]
        if ports:
            rows += [("  Ports:",), *table_rows(("Name", "Port", "Protocol"), ports, "    ")]
        rows.append(("",))
    return rows


def _config_map_rows(config_map: Object, _related: Fields, _now_ms: int) -> Rows:
    rows: Rows = [*head_rows(config_map), ("",), ("Data",), ("====",)]
    data = config_map.get("data") or {}
    for name in sorted(data):
        rows += [(f"{name}:",), ("----",), *text_rows(str(data[name]))]
    binary = config_map.get("binaryData") or {}
    for name in sorted(binary):
        rows += [(f"{name}:",), ("----",), (f"{_decoded_bytes(binary[name])} bytes",)]
    return rows


def _secret_rows(secret: Object, _related: Fields, _now_ms: int) -> Rows:
    data = secret.get("data") or {}
    sizes = [(f"{name}:", f"{_decoded_bytes(data[name])} bytes") for name in sorted(data)]
    return [*head_rows(secret), ("",), ("Type:", str(secret.get("type") or "")), ("",), ("Data",), ("====",), *sizes]


def _any_rows(obj: Object, _related: Fields, _now_ms: int) -> Rows:
    """Return a kind of which nothing more is known: its fields as YAML."""
    rows: Rows = [*head_rows(obj), ("Created:", date(obj["metadata"].get("creationTimestamp")))]
    rest = {name: value for name, value in obj.items() if name not in _HEAD_FIELDS}
    return [*rows, *(text_rows(as_yaml(rest).removesuffix("\n")) if rest else ())]


def _decoded_bytes(value: Any) -> int:
    try:
        return len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, TypeError):
        return 0


def _one(value: Any) -> Object | None:
    """Return the object itself where it came as a list of one."""
    if isinstance(value, list):
        return value[0] if value else None
    return value or None


_DESCRIBERS: Mapping[str, Callable[[Object, Fields, int], Rows]] = {
    "Pod": pod_rows,
    "Node": node_rows,
    "Deployment": _deployment_rows,
    "Service": _service_rows,
    "Endpoints": _endpoints_rows,
    "ConfigMap": _config_map_rows,
    "Secret": _secret_rows,
    "Device": device_rows,
    "DeviceModel": device_model_rows,
}
