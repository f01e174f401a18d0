"""The description of a pod, and of the template of one."""

from cloudhub_stub.cli.printing.containers import container_rows, volume_rows
from cloudhub_stub.cli.printing.fields import NONE, label_selector, spec_of, status_of
from cloudhub_stub.cli.printing.podstate import pod_state
from cloudhub_stub.cli.printing.sections import (
    Fields,
    Rows,
    annotation_rows,
    label_rows,
    listed,
    map_rows,
    name_rows,
)
from cloudhub_stub.cluster.kinds import Object
from edgecore.control.ages import date


def pod_rows(pod: Object, _related: Fields, _now_ms: int) -> Rows:
    """Return all but the events."""
    spec, status = spec_of(pod), status_of(pod)
    rows: Rows = [*name_rows(pod), ("Priority:", str(spec.get("priority") or 0)), ("Node:", _node(pod))]
    if status.get("startTime"):
        rows.append(("Start Time:", date(status["startTime"])))
    rows += [*label_rows(pod), *_status_rows(pod)]
    rows += container_rows("Init Containers", spec, "initContainers", status.get("initContainerStatuses") or ())
    rows += container_rows("Containers", spec, "containers", status.get("containerStatuses") or ())
    if conditions := status.get("conditions"):
        rows += [("Conditions:",), ("  Type", "Status")]
        rows += [(f"  {each.get('type')}", str(each.get("status"))) for each in conditions]
    rows += volume_rows(spec)
    rows.append(("QoS Class:", str(status.get("qosClass") or "BestEffort")))
    rows += map_rows("Node-Selectors:", spec.get("nodeSelector"))
    rows += _affinity_rows(spec)
    return [*rows, *listed("Tolerations:", sorted(map(_toleration, spec.get("tolerations") or ())))]


def template_rows(template: Fields) -> Rows:
    """Return the template of a deployment's pods, indented."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    rows: Rows = map_rows("  Labels:", metadata.get("labels"))
    if metadata.get("annotations"):
        rows += annotation_rows(metadata["annotations"], "  ")
    rows += container_rows("Init Containers", spec, "initContainers", None, "  ")
    rows += container_rows("Containers", spec, "containers", None, "  ")
    return [*rows, *volume_rows(spec, "  ")]


def _node(pod: Object) -> str:
    name = spec_of(pod).get("nodeName")
    return f"{name}/{status_of(pod).get('hostIP') or ''}" if name else NONE


def _status_rows(pod: Object) -> Rows:
    metadata, status = pod["metadata"], status_of(pod)
    rows: Rows = []
    if metadata.get("deletionTimestamp"):
        rows.append(("Status:", f"Terminating (until {date(metadata['deletionTimestamp'])})"))
        rows.append(("Termination Grace Period:", f"{metadata.get('deletionGracePeriodSeconds') or 0}s"))
    else:
        rows.append(("Status:", str(status.get("phase") or pod_state(pod).status)))
    rows += [(f"{field.capitalize()}:", str(status[field])) for field in ("reason", "message") if status.get(field)]
    unscheduled = [
        each.get("message")
        for each in status.get("conditions") or ()
        if each.get("type") == "PodScheduled" and each.get("status") == "False"
    ]
    rows += [("Unscheduled:", str(message)) for message in unscheduled if message]
    rows.append(("IP:", str(status.get("podIP") or "")))
    addresses = [str(each.get("ip")) for each in status.get("podIPs") or () if each.get("ip")]
    rows += [("IPs:",), *(("  IP:", address) for address in addresses)] if addresses else [("IPs:", NONE)]
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            rows.append(("Controlled By:", f"{owner.get('kind')}/{owner.get('name')}"))
    return rows


def _affinity_rows(spec: Fields) -> Rows:
    """Return the terms that a node must meet, if there are any: one of them is enough."""
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = [
        label_selector({"matchExpressions": [*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ())]})
        for term in required.get("nodeSelectorTerms") or ()
    ]
    return listed("Node-Affinity:", terms) if terms else []


def _toleration(toleration: Fields) -> str:
    text = str(toleration.get("key") or "")
    if toleration.get("value"):
        text += f"={toleration['value']}"
    if toleration.get("effect"):
        text += f":{toleration['effect']}"
    if toleration.get("operator") == "Exists" and not (toleration.get("key") or toleration.get("effect")):
        text = "op=Exists"
    if toleration.get("tolerationSeconds") is not None:
        text += f" for {toleration['tolerationSeconds']}s"
    return text
