"""What edges say of themselves, by its shape: Node and NodeStatusRequest (pure; Kubernetes API core/v1 Node, 1.17)."""

from cloudhub_stub.controllers.conditions import FALSE, TRUE, UNKNOWN
from cloudhub_stub.controllers.shapes import flag, instant, listed, mapped, quantity, record, text, whole, word

_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)
STATUS = record(
    {
        "capacity": mapped(quantity),
        "allocatable": mapped(quantity),
        "phase": text,
        "conditions": listed(
            record(
                {
                    "type": text,
                    "status": word(TRUE, FALSE, UNKNOWN),
                    "lastHeartbeatTime": instant,
                    "lastTransitionTime": instant,
                    "reason": text,
                    "message": text,
                },
                {"type": "", "status": UNKNOWN, "lastHeartbeatTime": None, "lastTransitionTime": None},
            )
        ),
        "addresses": listed(record({"type": text, "address": text}, {"type": "", "address": ""})),
        "daemonEndpoints": record(
            {"kubeletEndpoint": record({"Port": whole}, {"Port": 0})}, {"kubeletEndpoint": {"Port": 0}}
        ),
        "nodeInfo": record(dict.fromkeys(_INFO, text), dict.fromkeys(_INFO, "")),
        "images": listed(record({"names": listed(text), "sizeBytes": whole}, {"names": None})),
        "volumesInUse": listed(text),
        "volumesAttached": listed(record({"name": text, "devicePath": text}, {"name": "", "devicePath": ""})),
    }
)
_TEXTS = mapped(text)
_TAINT = record(
    {"key": text, "value": text, "effect": word("NoSchedule", "PreferNoSchedule", "NoExecute"), "timeAdded": instant},
    {"key": "", "effect": "NoSchedule"},
)
_SPEC = record(
    {
        "podCIDR": text,
        "podCIDRs": listed(text),
        "providerID": text,
        "unschedulable": flag,
        "taints": listed(_TAINT),
    }
)
_METADATA = record({"labels": _TEXTS, "annotations": _TEXTS})
NODE = record({"metadata": _METADATA, "spec": _SPEC, "status": STATUS}, {"metadata": {}, "spec": {}, "status": {}})
EXTENSIONS = mapped(listed(record({"name": text, "type": text, "capacity": quantity})))
ANNOTATED = record({"metadata": _METADATA}, {"metadata": {}})
