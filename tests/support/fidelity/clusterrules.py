"""Everything in which what our stub writes may differ from what the Go cloud wrote, each under a line of the ledger."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from edgecore.recording.frames import Frame
from edgecore.verdict.checks import ABSENT, ADDRESS, EVERY, ID, NOTHING, TIME, TIME_MS, WORD, Check


class Sides(StrEnum):
    """Who wrote a message."""

    OURS = "ours alone"
    THEIRS = "theirs alone"


class Alone(NamedTuple):
    """Messages that only one side wrote."""

    ledger: str
    recording: str
    side: Sides
    operation: str
    resource: str
    """A pattern of file names."""


class Field(NamedTuple):
    """A field that says something else. ``path`` is a pattern of file names; ``[*]`` in it is any element of a list."""

    ledger: str
    recording: str
    operation: str
    resource: str
    path: str
    recorded: Check
    ours: Check


class Moved(NamedTuple):
    """Messages that stand elsewhere among those of their lane."""

    ledger: str
    recording: str
    operation: str
    resource: str


Rule = Alone | Field | Moved


@dataclass(frozen=True)
class ClusterRules:
    """One table."""

    alones: Sequence[Alone] = ()
    fields: Sequence[Field] = ()
    moves: Sequence[Moved] = ()

    def alone(self, recording: str, side: Sides, frame: Frame) -> Alone | None:
        """Return the rule about a message that has no partner."""
        return next((one for one in self.alones if one.side is side and _is_about(one, recording, frame)), None)

    def field(self, recording: str, frame: Frame, path: str, was: object, our: object) -> Field | None:
        """Return the rule about a field that differs."""
        pattern = re.sub(r"\[\d+\]", "[*]", path)
        for one in self.fields:
            is_meant = fnmatchcase(pattern, one.path.replace("[", "[[]")) and _is_about(one, recording, frame)
            if is_meant and one.recorded.accepts(was) and one.ours.accepts(our):
                return one
        return None

    def moved(self, recording: str, frame: Frame) -> Moved | None:
        """Return the rule about a message that stands elsewhere."""
        return next((one for one in self.moves if _is_about(one, recording, frame)), None)

    @property
    def every(self) -> set[Rule]:
        """All rules."""
        return {*self.alones, *self.fields, *self.moves}


def _is_about(rule: Rule, recording: str, frame: Frame) -> bool:
    return (
        rule.recording in (EVERY, recording)
        and rule.operation in (EVERY, frame.route[2])
        and fnmatchcase(frame.resource, rule.resource)
    )


ANYTHING = Check("anything", lambda value: value != ABSENT)
A, B, E0, B2 = (
    "a_connect_first_sync",
    "b_services_endpoints_pods",
    "e0_both_restarted_with_existing_objects",
    "b2_deletes",
)
B3, C, D = "b3_service_endpoints_delete", "c_configmap_secret_pod", "d_devices_twins"
E, F = "e_disconnect_reconnect_resync", "f_burst_1000_services_3000_pods"
PINGS = Alone("CS12", EVERY, Sides.OURS, "ping", "node")
_ADDRESS = "content.subsets[*].addresses[*]"
_WHOLE = (
    "content.metadata.creationTimestamp",
    "content.metadata.resourceVersion",
    "content.metadata.selfLink",
    "header.resourceversion",
)

CONFIG_DELETES = tuple(
    Field("C2", C, "delete", resource, path, NOTHING, ANYTHING)
    for resource, paths in (
        ("default/configmap/cm1", ("content.data", *_WHOLE)),
        ("default/secret/s1", ("content.data", "content.type", *_WHOLE)),
    )
    for path in paths
)
POD_DELETES = (
    # The state with grace 0, which an edge has no use for; of hn also a status that was older than its end.
    Alone("CS33", C, Sides.THEIRS, "update", "default/pod/p1"),
    Alone("CS33", C, Sides.THEIRS, "update", "default/pod/hn"),
)
ANSWERS = Moved("CS32", C, "response", "default/configmap/cm1")
STATUS = Moved("CS26", B, "update", "default/pod/nginx-0")

BY_HAND = ClusterRules(
    alones=(
        PINGS,
        *POD_DELETES,
        Alone("CS33", B2, Sides.THEIRS, "update", "default/pod/nginx-0"),
        Alone("CS33", E, Sides.THEIRS, "update", "default/pod/pnew"),
        Alone("CS28", B2, Sides.OURS, "update", "default/podlist/*"),
        Alone("CS29", E0, Sides.OURS, "update", "namespace/servicelist/service"),
        Alone("CS29", E0, Sides.OURS, "update", "*/podlist/*"),
        Alone("CS29", E0, Sides.OURS, "update", "namespace/endpointslist/endpoints"),
        Alone("CS29", E0, Sides.OURS, "update", "default/pod/nginx-0"),
        Alone("CS29", B3, Sides.OURS, "update", "namespace/servicelist/service"),
        Alone("CS29", B3, Sides.OURS, "update", "*/podlist/*"),
        Alone("CS29", B3, Sides.OURS, "update", "namespace/endpointslist/endpoints"),
        Alone("CS30", E0, Sides.THEIRS, "insert", "default/service/kubernetes"),
        Alone("CS30", E0, Sides.THEIRS, "insert", "default/endpoints/kubernetes"),
        Alone("CS30", B2, Sides.THEIRS, "insert", "default/service/kubernetes"),
        Alone("CS30", B2, Sides.THEIRS, "insert", "default/endpoints/kubernetes"),
        Alone("C11", E, Sides.OURS, "insert", "default/service/new-svc"),
        Alone("H4", E, Sides.OURS, "update", "default/podlist/new-svc"),
        Alone("H3", E, Sides.OURS, "response", "default/node/edge-node1"),
    ),
    fields=(
        *CONFIG_DELETES,
        Field("CS31", E, "insert", "default/endpoints/new-svc", "header.timestamp", TIME_MS, TIME_MS),
        Field("CS31", E, "update", "default/service/pre-svc", "header.timestamp", TIME_MS, TIME_MS),
        Field("CS31", E, "insert", "default/pod/pnew", "header.timestamp", TIME_MS, TIME_MS),
    ),
    moves=(
        STATUS,
        ANSWERS,
        Moved("CS30", E0, "update", "kube-system/podlist/sys-svc"),
        Moved("CS32", E, "response", "default/node/edge-node1"),
        Moved("CS31", E, "insert", "default/endpoints/new-svc"),
        Moved("CS31", E, "update", "default/service/pre-svc"),
        Moved("CS31", E, "delete", "kube-system/service/sys-svc"),
        Moved("CS33", E, "delete", "default/pod/pnew"),
    ),
)
"""For the recorded cluster, in which nobody but a user made objects."""

ABSENT_HERE = Check("absent", lambda value: value == ABSENT)

BY_CONTROLLER = ClusterRules(
    alones=(
        PINGS,
        *POD_DELETES,
        Alone("CS34", B, Sides.OURS, "update", "default/podlist/nginx-svc"),
        Alone("CS34", B3, Sides.OURS, "update", "default/podlist/web*-svc"),
        Alone("CS34", B3, Sides.OURS, "insert", "default/endpoints/web2-svc"),
        Alone("CS34", B3, Sides.OURS, "delete", "default/endpoints/web2-svc"),
    ),
    fields=(
        *CONFIG_DELETES,
        Field("CS34", B, EVERY, "*/endpoints/*", "content.subsets", ABSENT_HERE, ANYTHING),
        Field("CS34", B, EVERY, "default/endpoints/nginx-svc", "content.subsets[*].ports", ANYTHING, ANYTHING),
        Field("CS34", B, EVERY, "default/endpoints/nginx-svc", "content.metadata.annotations", ANYTHING, ABSENT_HERE),
        Field("CS34", B3, EVERY, "*/endpoints/*", "content.metadata.creationTimestamp", TIME, TIME),
        Field("CS34", F, "insert", "*/endpoints/*", "content.metadata.creationTimestamp", TIME, TIME),
        Field("CS35", B, EVERY, "*/endpoints/*", "content.metadata.labels", ABSENT_HERE, ANYTHING),
        Field("CS35", B3, EVERY, "*/endpoints/*", "content.metadata.labels", ABSENT_HERE, ANYTHING),
        Field("CS36", F, "insert", "*/endpoints/*", f"{_ADDRESS}.targetRef.uid", ABSENT_HERE, ID),
        Field("CS37", F, "insert", "*/endpoints/*", f"{_ADDRESS}.ip", ADDRESS, ADDRESS),
        Field("CS37", F, "insert", "*/endpoints/*", f"{_ADDRESS}.targetRef.name", WORD, WORD),
    ),
    moves=(
        STATUS,
        ANSWERS,
        Moved("CS34", B, "insert", "kube-system/endpoints/sys-svc"),
        Moved("CS34", B, "update", "kube-system/podlist/sys-svc"),
        Moved("CS34", F, "insert", "bulk/endpoints/*"),
        Moved("CS34", F, "update", "bulk/podlist/*"),
    ),
)
"""For a cluster in which a controller makes the Endpoints: at once, and all of them."""
