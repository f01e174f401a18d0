"""Everything in which our frames may differ from the recorded ones, and why: fields by rule, messages by name."""

import re
from collections.abc import Callable
from typing import NamedTuple

from fidelity import frames as f

EVERY = "*"
ABSENT = "(absent)"
"""Stands for the value of a key that is not there."""


class Check(NamedTuple):
    """What a value that is not compared has to be all the same, on both sides."""

    name: str
    accepts: Callable[[object], bool]


def _text(pattern: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


ID = Check("any id", _text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"))
TIME_MS = Check("time", lambda value: type(value) is int and value > 1_000_000_000_000)
EVENT = Check("any id", _text(r"123|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"))
LOCAL_TIME = Check("time", _text(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"))
TIME = Check("time", _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"))
VERSION = Check("version", _text(r"\d+"))
MACHINE_COUNT = Check("machine", _text(r"[1-9]\d*"))
MACHINE_MEMORY = Check("machine", _text(r"[1-9]\d*Mi"))
MACHINE_STORAGE = Check("machine", _text(r"[1-9]\d*Ki"))
MACHINE_WORD = Check("machine", _text(r".+"))
RUNTIME = Check("machine", _text(r"remote://.+"))
ADDRESS = Check("address", _text(r"\d+\.\d+\.\d+\.\d+"))
ADDRESSES = Check("address", lambda value: isinstance(value, list) and all(ADDRESS.accepts(one["ip"]) for one in value))
CONTAINER = Check("runtime", _text(r"\w+://\w+"))
IMAGE = Check("runtime", _text(r"\S+"))
WORD = Check("word", _text(r"\w[\w-]*"))
TEXT = Check("text", _text(r".+"))
OBJECT = Check("object", lambda value: isinstance(value, dict))
NOTHING = Check("nothing", lambda value: value in (None, "", ABSENT))


class Rule(NamedTuple):
    """One field of one kind that is looked at by a check instead of compared.

    ``[*]`` is any element of a list, ``twin.*`` any twin.
    """

    kind: str
    path: str
    check: Check
    why: str


def _machine(kind: str, status: str) -> tuple[Rule, ...]:
    """Return the rules for what a node says of its machine, below ``status``."""
    size = "the recorded machine is not the one that runs the tests"
    return (
        Rule(kind, f"{status}.capacity.cpu", MACHINE_COUNT, size),
        Rule(kind, f"{status}.capacity.memory", MACHINE_MEMORY, size),
        Rule(kind, f"{status}.allocatable.cpu", MACHINE_COUNT, size),
        Rule(kind, f"{status}.allocatable.memory", MACHINE_MEMORY, size),
        Rule(kind, f"{status}.nodeInfo.kernelVersion", MACHINE_WORD, size),
        Rule(kind, f"{status}.nodeInfo.osImage", MACHINE_WORD, size),
        Rule(kind, f"{status}.nodeInfo.operatingSystem", MACHINE_WORD, size),
        Rule(kind, f"{status}.nodeInfo.architecture", MACHINE_WORD, size),
        Rule(kind, f"{status}.nodeInfo.containerRuntimeVersion", RUNTIME, "another runtime, in its own version"),
    )


def _pod(kind: str, status: str) -> tuple[Rule, ...]:
    """Return the rules for what a node says of a pod that runs, below ``status``."""
    container = f"{status}.containerStatuses[*]"
    return (
        Rule(kind, f"{status}.startTime", TIME, "the time at which the node took it on"),
        Rule(kind, f"{status}.podIP", ADDRESS, "the node gives its pods addresses of its own choice"),
        Rule(kind, f"{status}.podIPs[*].ip", ADDRESS, "the node gives its pods addresses of its own choice"),
        Rule(kind, f"{container}.state.running.startedAt", TIME, "the time of its start"),
        Rule(kind, f"{container}.containerID", CONTAINER, "another runtime"),
        Rule(kind, f"{container}.image", IMAGE, "another runtime: what it made of the image's name"),
        Rule(kind, f"{container}.imageID", IMAGE, "another runtime"),
    )


def _event(kind: str, content: str) -> tuple[Rule, ...]:
    """Return the rules for what every word about a device begins with."""
    return (
        Rule(kind, f"{content}.event_id", EVENT, "each word about a device has an id of its own"),
        Rule(kind, f"{content}.timestamp", TIME_MS, "the time of the word"),
    )


RULES = (
    Rule(EVERY, "header.msg_id", ID, "each message has an id of its own"),
    Rule(EVERY, "header.timestamp", TIME_MS, "the time of sending"),
    *_machine(f.REGISTRATION, "content.status"),
    Rule(f.REGISTRATION, "content.metadata.labels.kubernetes.io/arch", MACHINE_WORD, "the machine's"),
    Rule(f.REGISTRATION, "content.metadata.labels.kubernetes.io/os", MACHINE_WORD, "the machine's"),
    *_machine(f.NODE_STATUS, "content.Status"),
    Rule(f.NODE_STATUS, "content.Status.conditions[*].lastHeartbeatTime", TIME, "the time of the status"),
    Rule(f.NODE_STATUS, "content.Status.conditions[*].lastTransitionTime", TIME, "the time of the status"),
    *_pod(f.POD_STATUS, "content.Status"),
    *_pod(f.POD_STATUS_LIST, "content[*].Status"),
    Rule(f.POD_END, "content.Status.startTime", TIME, "the time at which the node took it on"),
    Rule(f.POD_END, "content.Status.conditions[*].lastTransitionTime", TIME, "the time of its end"),
    *_event(f.TWIN, "content"),
    *_event(f.TWIN, f"content.{f.TEXT_OF}"),
    Rule(f.TWIN, "content.twin.*.expected.metadata.timestamp", TIME_MS, "the time at which the value came"),
    Rule(f.TWIN, "content.twin.*.actual.metadata.timestamp", TIME_MS, "the time at which the value came"),
    Rule(f.TWIN, f"content.{f.TEXT_OF}.device.last_online", LOCAL_TIME, "the time at which the device said so"),
    Rule(f.CLOUD_ANSWER, "header.resourceversion", VERSION, "the cloud counts on its own"),
)
"""Every field that is not compared. Everything else of a frame is, by value and by type."""


def pattern_of(path: str) -> str:
    """Return the path as rules write it."""
    return re.sub(r"\[\d+\]", "[*]", re.sub(r"^content\.twin\.[^.]+", "content.twin.*", path))


def rule_for(kind: str, path: str) -> Rule | None:
    """Return the rule that says how the field at ``path`` is looked at, or ``None`` if it is compared."""
    pattern = pattern_of(path)
    return next((rule for rule in RULES if rule.path == pattern and rule.kind in (EVERY, kind)), None)


class NamedField(NamedTuple):
    """A field that says something else than the recorded one, under the id of its line in ``docs/fidelity.md``."""

    ledger: str
    kind: str
    path: str
    recorded: Check
    ours: Check


_CONDITION = "Status.conditions[*]"
_CONTAINER = "content.Status.containerStatuses[*]"


def _ids_and_storage(kind: str, status: str) -> tuple[NamedField, ...]:
    """Return what our node says of its machine and the Go edgecore leaves out, below ``status``."""
    ids = ("machineID", "systemUUID", "bootID")
    return (
        *(NamedField("ED9", kind, f"{status}.nodeInfo.{name}", NOTHING, MACHINE_WORD) for name in ids),
        NamedField("ED9", kind, f"{status}.capacity.ephemeral-storage", NOTHING, MACHINE_STORAGE),
        NamedField("ED9", kind, f"{status}.allocatable.ephemeral-storage", NOTHING, MACHINE_COUNT),
    )


NAMED_FIELDS = (
    NamedField("DT1", f.TWIN, "content.twin.*.actual.metadata", NOTHING, OBJECT),
    NamedField("D2", f.NODE_STATUS, "content.UID", ID, ID),
    *_ids_and_storage(f.REGISTRATION, "content.status"),
    *_ids_and_storage(f.NODE_STATUS, "content.Status"),
    NamedField("ED5", f.POD_STATUS, f"content.{_CONDITION}.lastTransitionTime", NOTHING, TIME),
    NamedField("ED5", f.POD_STATUS_LIST, f"content[*].{_CONDITION}.lastTransitionTime", NOTHING, TIME),
    NamedField("ED5", f.POD_END, f"content.{_CONDITION}.lastTransitionTime", NOTHING, TIME),
    NamedField("ED5", f.POD_STATUS, "content.Status.podIPs", NOTHING, ADDRESSES),
    NamedField("ED5", f.POD_END, "content.Status.hostIP", NOTHING, ADDRESS),
    NamedField("ED5", f.POD_END, "content.Status.podIP", NOTHING, ADDRESS),
    NamedField("ED5", f.POD_END, "content.Status.podIPs", NOTHING, ADDRESSES),
    NamedField("ED5", f.POD_END, "content.Status.qosClass", NOTHING, WORD),
    NamedField("ED5", f.POD_END, f"content.{_CONDITION}.message", TEXT, NOTHING),
    NamedField("ED5", f.POD_END, f"content.{_CONDITION}.reason", WORD, WORD),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.name", NOTHING, WORD),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.image", NOTHING, IMAGE),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.imageID", NOTHING, IMAGE),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.containerID", NOTHING, CONTAINER),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.state.terminated.containerID", NOTHING, CONTAINER),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.state.terminated.startedAt", NOTHING, TIME),
    NamedField("ED5", f.POD_END, f"{_CONTAINER}.state.terminated.finishedAt", NOTHING, TIME),
)
"""Fields in which ours differ on purpose."""


def named_field(kind: str, path: str, recorded: object, ours: object) -> str | None:
    """Return the id of the line that names such a difference, if there is one."""
    pattern = pattern_of(path)
    for one in NAMED_FIELDS:
        if (one.kind, one.path) == (kind, pattern) and one.recorded.accepts(recorded) and one.ours.accepts(ours):
            return one.ledger
    return None


class Named(NamedTuple):
    """Messages that one side sends and the other does not, under the id of their line in ``docs/fidelity.md``."""

    ledger: str
    recording: str
    kind: str
    resource: str


OURS_ALONE = (
    Named("EH8", EVERY, f.TRANSPORT_PING, EVERY),
    Named("EH8", EVERY, f.TRANSPORT_ACK, EVERY),
    Named("MM7", "b2_deletes", f.ACK, "default/service/nginx-svc"),
    Named("ED2", "c_configmap_secret_pod", f.POD_STATUS, "default/podstatus/p1"),
    Named("ED2", "c_configmap_secret_pod", f.POD_END, "default/podstatus/p1"),
    Named("ED2", "c_configmap_secret_pod", f.POD_STATUS, "default/podstatus/p2"),
    Named("ED2", "c_configmap_secret_pod", f.POD_STATUS_LIST, "default/podstatus"),
    Named("ED8", "c_configmap_secret_pod", f.CONFIGMAP_QUERY, "default/configmap/nope"),
    Named("ED3", "e_disconnect_reconnect_resync", f.POD_END, "default/podstatus/pnew"),
)
"""What our node sends and the Go edgecore did not."""

THEIRS_ALONE = (
    Named("ED8", "c_configmap_secret_pod", f.SECRET_QUERY, "default/secret/nope"),
    Named("DT15", "f_burst_1000_services_3000_pods", f.TWIN, "membership/detail"),  # of a connection before it
)
"""What the Go edgecore sent and our node does not; of those that both send, the second."""

STUB_ALONE = (Named("H3", "e_disconnect_reconnect_resync", f.NODE_STATUS, "default/nodestatus/edge-node1"),)
"""Requests that the Go cloudcore left without an answer, and our stub does not."""

UNCHANGED = "DT3"
"""The line about reports of values that have not changed."""

ACK_ORDER = "B4"
"""The line about the order of acknowledgements of lists and objects between each other."""


def named(table: tuple[Named, ...], recording: str, kind: str, resource: str) -> str | None:
    """Return the id of the line that names such a message, if there is one."""
    for one in table:
        if one.kind == kind and one.recording in (EVERY, recording) and one.resource in (EVERY, resource):
            return one.ledger
    return None
