"""The description of a node."""

from cloudhub_stub.cli.printing.fields import node_roles, spec_of, status_of
from cloudhub_stub.cli.printing.podstate import pod_state
from cloudhub_stub.cli.printing.sections import Fields, Rows, condition_rows, label_rows, listed, name_rows, table_rows
from cloudhub_stub.cluster.kinds import Object
from edgecore.control.ages import age, date

_INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)
_FINISHED = ("Succeeded", "Failed")


def node_rows(node: Object, related: Fields, now_ms: int) -> Rows:
    """Return all but the events."""
    spec, status = spec_of(node), status_of(node)
    info = status.get("nodeInfo") or {}
    rows: Rows = [
        *name_rows(node),
        ("Roles:", node_roles(node)),
        *label_rows(node),
        ("CreationTimestamp:", date(node["metadata"].get("creationTimestamp"))),
        *listed("Taints:", map(_taint, spec.get("taints") or ())),
        ("Unschedulable:", "true" if spec.get("unschedulable") else "false"),
        *condition_rows(node, with_times=True),
    ]
    if status.get("addresses"):
        rows.append(("Addresses:",))
        rows += [(f"  {each.get('type')}:", str(each.get("address"))) for each in status["addresses"]]
    for title, field in (("Capacity", "capacity"), ("Allocatable", "allocatable")):
        if quantities := status.get(field):
            rows += [(f"{title}:",), *((f"  {name}:", str(quantities[name])) for name in sorted(quantities))]
    rows += [("System Info:",), *((f"  {title}:", str(info.get(field) or "")) for title, field in _INFO)]
    return [*rows, *_pod_rows(related, now_ms)]


def _pod_rows(related: Fields, now_ms: int) -> Rows:
    pods = [pod for pod in related.get("pods") or () if status_of(pod).get("phase") not in _FINISHED]
    rows: Rows = [("Non-terminated Pods:", f"({len(pods)} in total)")]
    found = [
        [
            str(pod["metadata"].get("namespace", "")),
            pod["metadata"]["name"],
            pod_state(pod).status,
            age(pod["metadata"].get("creationTimestamp"), now_ms),
        ]
        for pod in pods
    ]
    return [*rows, *(table_rows(("Namespace", "Name", "Status", "Age"), found) if found else ())]


def _taint(taint: Fields) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"
