"""The schemas of what belongs to no namespace or holds data of nodes: Node, Namespace, volumes and claims.

Source: kubernetes staging/src/k8s.io/api/core/v1/types.go@v1.17.0.
"""

from cloudhub_stub.cluster.schemas.containers import AMOUNTS
from cloudhub_stub.cluster.schemas.metadata import top
from cloudhub_stub.cluster.schemas.selection import TAINT
from cloudhub_stub.cluster.schemas.shapes import Check, ListOf, OneOf, Struct, Text, boolean, mapping, text

_CONDITION = Struct(
    {
        "type": Text(),
        "status": OneOf("True", "False", "Unknown"),
        "reason": text,
        "message": text,
        "lastHeartbeatTime": text,
        "lastTransitionTime": text,
    },
    required=("type", "status"),
)
_ADDRESS = Struct({"type": Text(), "address": text}, required=("type", "address"))

NODE: Check = top(
    {
        "spec": Struct(
            {
                "unschedulable": boolean,
                "taints": ListOf(TAINT, "key", "effect"),
                "podCIDR": text,
                "podCIDRs": ListOf(text),
                "providerID": text,
            },
            also="configSource externalID",
        ),
        "status": Struct(
            {
                "conditions": ListOf(_CONDITION, "type"),
                "capacity": AMOUNTS,
                "allocatable": AMOUNTS,
                "addresses": ListOf(_ADDRESS),
                "phase": text,
                "daemonEndpoints": mapping,
                "nodeInfo": mapping,
            },
            also="config features images runtimeHandlers volumesAttached volumesInUse",
        ),
    }
)
NAMESPACE: Check = top({"spec": Struct({"finalizers": ListOf(Text())})})
STORAGE: Check = top({"spec": mapping}, required=("spec",))
"""Of PersistentVolume, PersistentVolumeClaim and VolumeAttachment, whose content only edge nodes read."""
