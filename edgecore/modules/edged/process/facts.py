"""What a container can ask of its pod: the downward API (pure; kubernetes pkg/fieldpath, pkg/api/v1/resource)."""

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import NamedTuple

from edgecore.modules.edged.podspec import FieldRef, PodToRun, ResourceRef

_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]{1,2})?)([numkMGTPE]|[KMGTPE]i)?")
_LONGEST_QUANTITY = 40
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    **{letter: Decimal(1000**power) for power, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Decimal(1024**power) for power, letter in enumerate("KMGTPE", 1)},
}


class Wrong(NamedTuple):
    """Why a container cannot be made: a word as the kubelet has it, and a text for people."""

    reason: str
    message: str


CONFIG_ERROR = "CreateContainerConfigError"


class NodeFacts(NamedTuple):
    """What a pod can ask of its node."""

    name: str
    ip: str
    pod_ip: str
    cpus: int
    memory_bytes: int


def field_value(pod: PodToRun, ref: FieldRef, node: NodeFacts) -> str | Wrong:
    """Return a field of the pod as text."""
    metadata, spec = pod.metadata, pod.spec
    keyed = _KEYED.fullmatch(ref.field_path)
    if keyed is not None:
        return (metadata.labels if keyed[1] == "labels" else metadata.annotations).get(keyed[2], "")
    fields: Mapping[str, str] = {
        "metadata.name": metadata.name,
        "metadata.namespace": metadata.namespace,
        "metadata.uid": metadata.uid,
        "metadata.labels": _pairs(metadata.labels),
        "metadata.annotations": _pairs(metadata.annotations),
        "spec.nodeName": spec.node_name or node.name,
        "spec.serviceAccountName": spec.service_account_name,
        "status.hostIP": node.ip,
        "status.podIP": node.pod_ip,
        "status.podIPs": node.pod_ip,
    }
    if ref.field_path not in fields:
        return Wrong(CONFIG_ERROR, f"unsupported fieldPath: {ref.field_path[:200]}")
    return fields[ref.field_path]


def resource_value(pod: PodToRun, container: str, ref: ResourceRef, node: NodeFacts) -> str | Wrong:
    """Return a request or limit in units of the divisor, rounded up; a limit that is not set is what the node has."""
    name = ref.container_name or container
    found = next((each for each in pod.spec.containers + pod.spec.init_containers if each.name == name), None)
    which, _, resource = ref.resource.partition(".")
    if found is None or which not in ("limits", "requests") or resource not in ("cpu", "memory", "ephemeral-storage"):
        return Wrong(CONFIG_ERROR, f"unsupported container resource: {ref.resource[:200]} of {name[:200]}")
    limits = found.resources.limits.get(resource)
    told = limits if which == "limits" else found.resources.requests.get(resource, limits)
    if told is None and which == "limits":
        told = {"cpu": node.cpus, "memory": node.memory_bytes}.get(resource)
    amount, divisor = quantity(0 if told is None else told), quantity(ref.divisor or 1)
    if amount is None or divisor is None or divisor <= 0:
        return Wrong(CONFIG_ERROR, f"{ref.resource} of {name} or its divisor is no quantity")
    return str((amount / divisor).to_integral_value(ROUND_CEILING))


def quantity(value: object) -> Decimal | None:
    """Return the number of a Kubernetes quantity such as ``500m`` or ``1Gi``; ``None`` if it is none."""
    text = str(value)
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_QUANTITY else None
    try:
        return None if found is None else Decimal(found[1]) * _FACTORS.get(found[2] or "", Decimal(1))
    except InvalidOperation:
        return None


def _pairs(texts: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(texts.items()))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
