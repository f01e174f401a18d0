"""The MQTT topics of devices: which action a topic stands for, and where answers go (pure; spec 6.4 and 7.1).

``kubeedge edge/pkg/devicetwin/process.go:188-272@v1.3.1``. The id is the fourth part of the topic, whatever it reads
(bug W1: Go looks for the first place where that text stands).
"""

from enum import Enum, auto

_DEVICE = "$hw/events/device"
_NODE = "$hw/events/node"


class Action(Enum):
    """What somebody wants of the devices."""

    MEMBERSHIP_GET = auto()
    MEMBERSHIP_UPDATED = auto()
    MEMBERSHIP_DETAIL = auto()
    TWIN_UPDATE = auto()
    TWIN_GET = auto()
    TWIN_CLOUD_UPDATED = auto()
    STATE_UPDATE = auto()
    ATTRIBUTES_UPDATED = auto()


_OF_NODES = {
    "membership/get": Action.MEMBERSHIP_GET,
    "membership/updated": Action.MEMBERSHIP_UPDATED,
    "membership/detail/result": Action.MEMBERSHIP_DETAIL,
}
_OF_DEVICES = {
    "twin/update": Action.TWIN_UPDATE,
    "twin/get": Action.TWIN_GET,
    "twin/cloud_updated": Action.TWIN_CLOUD_UPDATED,
    "state/update": Action.STATE_UPDATE,
    "updated": Action.ATTRIBUTES_UPDATED,
}


def read_topic(topic: str) -> tuple[Action, str] | None:
    """Return the action of ``topic`` and the id of its device (empty for one of the node); ``None``: it has none."""
    parts = topic.split("/", 4)
    if len(parts) < 5:
        return None
    kind, rest = "/".join(parts[:3]), parts[4]
    if kind == _DEVICE and rest in _OF_DEVICES:
        return _OF_DEVICES[rest], parts[3]
    if kind == _NODE and rest in _OF_NODES:
        return _OF_NODES[rest], ""
    return None


def membership_updated(node: str) -> str:
    """Return where devices that come and go are told."""
    return f"{_NODE}/{node}/membership/updated"


def membership_got(node: str) -> str:
    """Return where the devices of the node are told to who asks."""
    return f"{_NODE}/{node}/membership/get/result"


def state_result(device_id: str) -> str:
    """Return where a device's new state is told."""
    return f"{_DEVICE}/{device_id}/state/update/result"


def attributes_updated(device_id: str) -> str:
    """Return where changed attributes are told."""
    return f"{_DEVICE}/{device_id}/updated"


def twin_got(device_id: str) -> str:
    """Return where the twins of a device are told to who asks."""
    return f"{_DEVICE}/{device_id}/twin/get/result"


def twin_result(device_id: str) -> str:
    """Return where a device is told what became of its update."""
    return f"{_DEVICE}/{device_id}/twin/update/result"


def twin_document(device_id: str) -> str:
    """Return where it is told how twins were and are."""
    return f"{_DEVICE}/{device_id}/twin/update/document"


def twin_delta(device_id: str) -> str:
    """Return where it is told what a device should change."""
    return f"{_DEVICE}/{device_id}/twin/update/delta"
