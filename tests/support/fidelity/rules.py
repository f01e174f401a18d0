"""Everything in which our frames may differ from the recorded ones, and why: fields by rule, messages by name."""

import re
from collections.abc import Callable
from typing import NamedTuple

from fidelity import frames as f

EVERY = "*"

NOT_YET_BUILT = frozenset(
    {
        f.TWIN,
        f.BUS,
        f.CONFIGMAP_QUERY,
        f.SECRET_QUERY,
        f.ANSWER_ACK,  # there are no answers without those two
        *(f.POD_STATUS, f.POD_STATUS_LIST, f.POD_DELETE),  # to be deleted with the arrival of the simulated pods
    }
)
"""Kinds whose sender our node does not have: the recorded ones are counted, and one of ours is a fault."""


class Check(NamedTuple):
    """What a value that is not compared has to be all the same, on both sides."""

    name: str
    accepts: Callable[[object], bool]


def _text(pattern: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


ID = Check("any id", _text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"))
TIME_MS = Check("time", lambda value: type(value) is int and value > 1_000_000_000_000)
TIME = Check("time", _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"))
VERSION = Check("version", _text(r"\d+"))
MACHINE_COUNT = Check("machine", _text(r"[1-9]\d*"))
MACHINE_MEMORY = Check("machine", _text(r"[1-9]\d*Mi"))
MACHINE_WORD = Check("machine", _text(r".+"))
RUNTIME = Check("machine", _text(r"remote://.+"))


class Rule(NamedTuple):
    """One field of one kind that is looked at by a check instead of compared. ``[*]`` is any element of a list."""

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


RULES = (
    Rule(EVERY, "header.msg_id", ID, "each message has an id of its own"),
    Rule(EVERY, "header.timestamp", TIME_MS, "the time of sending"),
    *_machine(f.REGISTRATION, "content.status"),
    Rule(f.REGISTRATION, "content.metadata.labels.kubernetes.io/arch", MACHINE_WORD, "the machine's"),
    Rule(f.REGISTRATION, "content.metadata.labels.kubernetes.io/os", MACHINE_WORD, "the machine's"),
    *_machine(f.NODE_STATUS, "content.Status"),
    Rule(f.NODE_STATUS, "content.Status.conditions[*].lastHeartbeatTime", TIME, "the time of the status"),
    Rule(f.NODE_STATUS, "content.Status.conditions[*].lastTransitionTime", TIME, "the time of the status"),
    Rule(f.CLOUD_ANSWER, "header.resourceversion", VERSION, "the cloud counts on its own"),
)
"""Every field that is not compared. Everything else of a frame is, by value and by type."""


def rule_for(kind: str, path: str) -> Rule | None:
    """Return the rule that says how the field at ``path`` is looked at, or ``None`` if it is compared."""
    pattern = re.sub(r"\[\d+\]", "[*]", path)
    return next((rule for rule in RULES if rule.path == pattern and rule.kind in (EVERY, kind)), None)


class Named(NamedTuple):
    """Messages that one side sends and the other does not, under the id of their line in ``docs/fidelity.md``."""

    ledger: str
    recording: str
    kind: str
    resource: str


OURS_ALONE = (
    Named("FR1", EVERY, f.TRANSPORT_PING, EVERY),
    Named("FR1", EVERY, f.TRANSPORT_ACK, EVERY),
    Named("MM7", "b2_deletes", f.ACK, "default/service/nginx-svc"),
)
"""What our node sends and the Go edgecore did not."""

THEIRS_ALONE: tuple[Named, ...] = ()
"""What the Go edgecore sent and our node does not, apart from what is not yet built."""

STUB_ALONE = (Named("H3", "e_disconnect_reconnect_resync", f.NODE_STATUS, "default/nodestatus/edge-node1"),)
"""Requests that the Go cloudcore left without an answer, and our stub does not."""

ACK_ORDER = "B4"
"""The line about the order of acknowledgements of lists and objects between each other."""


def named(table: tuple[Named, ...], recording: str, kind: str, resource: str) -> str | None:
    """Return the id of the line that names such a message, if there is one."""
    for one in table:
        if one.kind == kind and one.recording in (EVERY, recording) and one.resource in (EVERY, resource):
            return one.ledger
    return None
