"""Every operation on every resource type by every source (spec 5.4 to 5.11), with the lines of ``docs/fidelity.md``.

The tables say what is done, a letter each, in order (compared by ``repr``, see ``test_plan.py``):

=  ========================================  =  ========================================
S  stored                                    R  removed, with the row that goes with it
E  forwarded to edged                        M  forwarded to EdgeMesh
A  acknowledged to the cloud                 C  sent on to the cloud
D  sent on to the cloud, kept until it left  O  who asked gets "OK"
N  who asked gets null                       U  counted: a type that is not known
X  counted: a source that is not known       H  answered from the rows
Q  asked of the cloud                        V  shown to EdgeMesh
.  nothing
=  ========================================  =  ========================================
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, Route
from edgecore.modules.metamanager.plan import KNOWN_TYPES, plan, receiver_of_answer
from edgecore.modules.metamanager.steps import (
    Acknowledge,
    AnswerLocally,
    AskCloud,
    AskEdged,
    Fault,
    Forward,
    Plan,
    Put,
    Remove,
    Reply,
    Report,
    ReportPods,
    Show,
    ToCloud,
)

Make = Callable[..., Message]
CLOUD, EDGED = "edgecontroller", "edged"
OTHERS = ("edgemesh", "metaManager", "funcmgr", "edgefunction", "nobody", "")
SOURCES = (CLOUD, EDGED, *OTHERS)

# type                  of the cloud  of edged  of others
INSERTED = """
pod                     SEVA          SCO       SEVA
podstatus               SEA           SCO       SEA
nodestatus              SEA           SCO       SEA
node                    SEA           SCO       SEA
configmap               SEA           SCO       SEA
secret                  SEA           SCO       SEA
persistentvolume        SEA           SCO       SEA
persistentvolumeclaim   SEA           SCO       SEA
volumeattachment        SEA           SCO       SEA
volume                  SEA           SCO       SEA
service                 SMA           SCO       SMA
endpoints               SMA           SCO       SMA
podlist                 SMA           SCO       SMA
servicelist             SMA           SMA       SMA
endpointslist           SMA           SMA       SMA
listener                SN            SN        SN
function                USEA          SCO       USEA
"""
UPDATED = """
pod                     SEVA          SCO       X
podstatus               SEA           SCO       X
podstatus-unchanged     O             O         O
nodestatus              SEA           SCO       X
nodestatus-unchanged    SEA           CO        X
node                    SEA           SCO       X
configmap               SEA           SCO       X
secret                  SEA           SCO       X
persistentvolume        SEA           SCO       X
persistentvolumeclaim   SEA           SCO       X
volumeattachment        SEA           SCO       X
volume                  SEA           SCO       X
service                 SMA           SCO       X
endpoints               SMA           SCO       X
podlist                 SMA           SMA       SMA
servicelist             SMA           SMA       SMA
endpointslist           SMA           SMA       SMA
listener                SEA           SCO       X
function                USEA          SCO       X
"""
DELETED = """
pod                     REVA          RDOV      REVA
podstatus               REA           RCO       REA
nodestatus              REA           RCO       REA
node                    REA           RCO       REA
configmap               REA           RCO       REA
secret                  REA           RCO       REA
persistentvolume        REA           RCO       REA
persistentvolumeclaim   REA           RCO       REA
volumeattachment        REA           RCO       REA
volume                  REA           RCO       REA
service                 RMA           RCO       RMA
endpoints               RMA           RCO       RMA
podlist                 RMA           RCO       RMA
servicelist             RMA           RMA       RMA
endpointslist           RMA           RMA       RMA
listener                RO            RO        RO
function                UREA          RCO       UREA
"""
ANSWERED_UNASKED = """
pod                     SE            C         C
podstatus               SE            C         C
nodestatus              SE            C         C
node                    SE            C         C
configmap               SE            C         C
secret                  SE            C         C
persistentvolume        SE            C         C
persistentvolumeclaim   SE            C         C
volumeattachment        SE            C         C
volume                  SE            C         C
service                 SM            C         C
endpoints               SM            C         C
podlist                 SM            C         C
servicelist             .             C         C
endpointslist           .             C         C
listener                SE            C         C
function                USE           C         C
"""
# type                  linked: there is a row, there is none; without a link
ASKED = """
pod                     H  H  H
podstatus               H  H  H
nodestatus              H  H  H
node                    Q  Q  H
configmap               H  Q  H
secret                  H  Q  H
persistentvolume        H  Q  H
persistentvolumeclaim   H  Q  H
volumeattachment        Q  Q  H
volume                  H  H  H
service                 H  H  H
endpoints               H  Q  H
podlist                 H  H  H
servicelist             H  H  H
endpointslist           H  H  H
listener                H  H  H
function                H  H  H
"""

OBJECT = {"metadata": {"name": "x", "namespace": "ns"}}
TEXT = '{"metadata":{"name":"x","namespace":"ns"}}'
ELEMENTS = {"servicelist": "service", "endpointslist": "endpoints"}
GOES_WITH = {"pod": ("podstatus",), "service": ("podlist",)}


class Cell(NamedTuple):
    operation: str
    type: str
    source: str
    letters: str

    @property
    def resource(self) -> str:
        return f"ns/{self.type.removesuffix('-unchanged')}/x"

    @property
    def content(self) -> Any:
        if self.operation in ("insert", "update", "delete") and self.type in ELEMENTS:
            return [OBJECT]
        return OBJECT

    def changes(self) -> Iterator[Put | Remove]:
        row_type = ELEMENTS.get(self.type, self.type.removesuffix("-unchanged"))
        key = f"ns/{row_type}/x"
        if "S" in self.letters:
            yield Put(key, row_type, TEXT)
        if "R" in self.letters:
            yield Remove(key)
            for other in GOES_WITH.get(row_type, ()):
                yield Remove(f"ns/{other}/x")

    def steps(self) -> Iterator[Any]:
        steps = {
            "E": Forward("edged"),
            "M": Forward("edgemesh"),
            "V": Show(),
            "A": Acknowledge(),
            "C": ToCloud(),
            "D": ToCloud(durable=True),
            "O": Reply("OK"),
            "N": Reply(None),
            "U": Fault("unknown_resource_type", self.resource),
            "X": Fault("unknown_source", self.source),
            "H": AnswerLocally(self.resource, self.type, "ns"),
            "Q": AskCloud(),
        }
        yield from (steps[letter] for letter in self.letters if letter in steps)


def _rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def _cells(operation: str, table: str) -> Iterator[Cell]:
    for row_type, *columns in _rows(table):
        of_cloud, of_edged, of_others = columns
        for source in SOURCES:
            yield Cell(operation, row_type, source, {CLOUD: of_cloud, EDGED: of_edged}.get(source, of_others))


CELLS = [
    *_cells("insert", INSERTED),
    *_cells("update", UPDATED),
    *_cells("delete", DELETED),
    *_cells("response", ANSWERED_UNASKED),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.operation} {cell.type} of {cell.source or 'none'}")
def test_each_operation_on_each_type_by_each_source_gets_its_plan(message: Make, cell: Cell) -> None:
    stored = {cell.resource: TEXT} if cell.type.endswith("unchanged") else {}
    request = message(cell.operation, cell.resource, cell.content, cell.source)
    decided = plan(request, stored.get, connected=True)
    unchanged = int(cell.operation == "update" and "O" in cell.letters and "S" not in cell.letters)
    assert repr(decided) == repr(Plan(tuple(cell.changes()), tuple(cell.steps()), unchanged))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("row", _rows(ASKED), ids=lambda row: row[0])
def test_each_query_gets_its_plan_by_type_link_and_row(message: Make, row: list[str], source: str) -> None:
    row_type, *letters = row
    key = f"ns/{row_type}/x"
    circumstances: list[tuple[bool, dict[str, str]]] = [(True, {key: TEXT}), (True, {}), (False, {key: TEXT})]
    for (connected, stored), letter in zip(circumstances, letters, strict=True):
        decided = plan(message("query", key, None, source), stored.get, connected=connected)
        assert repr(decided) == repr(Plan(steps=tuple(Cell("query", row_type, source, letter).steps())))
    offline_too = plan(message("query", key, None, source), {}.get, connected=False)
    assert repr(offline_too.steps) == repr((AnswerLocally(key, row_type, "ns"),))


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("row_type", [row[0] for row in _rows(ASKED)])
def test_a_query_of_a_whole_type_is_answered_from_the_rows(message: Make, row_type: str, connected: bool) -> None:
    for namespace in ("ns", "all"):
        decided = plan(message("query", f"{namespace}/{row_type}"), {}.get, connected=connected)
        assert repr(decided.steps) == repr((AnswerLocally("", row_type, namespace),))


@pytest.mark.parametrize("row_type", [row[0] for row in _rows(ASKED)])
def test_who_does_not_wait_for_an_answer_gets_it_in_the_mailbox_of_the_module_concerned(row_type: str) -> None:
    expected = "edgemesh" if row_type in ("service", "endpoints", "listener") else "edged"
    for resource in (f"ns/{row_type}", f"ns/{row_type}/x"):
        assert receiver_of_answer(Route("edged", "meta", "query", resource)) == expected


def test_the_tables_have_every_type() -> None:
    for table in (INSERTED, UPDATED, DELETED, ANSWERED_UNASKED, ASKED):
        types = {row[0].removesuffix("-unchanged") for row in _rows(table)}
        assert types - {"function"} == KNOWN_TYPES


# The operations that are no object's.

VOLUME_OPERATIONS = ("createvolume", "deletevolume", "controllerpublishvolume", "controllerunpublishvolume")


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("operation", VOLUME_OPERATIONS)
def test_a_volume_operation_is_asked_of_edged_whoever_asks(
    message: Make, operation: str, source: str, connected: bool
) -> None:
    request = message(operation, "default/volume/pvc-1", '{"name":"pvc-1"}', source)
    assert repr(plan(request, {}.get, connected=connected)) == repr(Plan(steps=(AskEdged(),)))


@pytest.mark.parametrize("resource", ["default/pod/x", "default/volume", "default/volume/", "volume", "", "a/b/c/d"])
@pytest.mark.parametrize("operation", VOLUME_OPERATIONS)
def test_a_volume_operation_on_anything_else_is_refused(message: Make, operation: str, resource: str) -> None:
    fault, report = plan(message(operation, resource), {}.get, connected=True).steps
    assert fault == Fault("wrong_resource", resource)
    assert report == Report(f"cannot {operation} {resource}: it is no volume")


def test_the_volume_operations_are_those_of_the_bus() -> None:
    assert frozenset(VOLUME_OPERATIONS) == r.VOLUME_OPERATIONS


@pytest.mark.parametrize("source", SOURCES)
def test_a_sync_tells_the_cloud_the_states_of_the_pods(message: Make, source: str) -> None:
    decided = plan(message("meta-internal-sync", "podstatus", None, source), {}.get, connected=True)
    assert repr(decided) == repr(Plan(steps=(ReportPods(),)))


@pytest.mark.parametrize("source", SOURCES)
def test_an_action_is_stored_and_counted_for_there_is_nobody_to_tell(message: Make, source: str) -> None:
    key = "ns/function/x"
    decided = plan(message("action", key, OBJECT, source), {}.get, connected=True)
    assert repr(decided) == repr(Plan((Put(key, "function", TEXT),), (Fault("no_edgefunction", key),)))


@pytest.mark.parametrize("source", SOURCES)
def test_the_result_of_an_action_is_stored_and_sent_on(message: Make, source: str) -> None:
    key = "ns/function/x"
    decided = plan(message("action_result", key, OBJECT, source), {}.get, connected=True)
    assert repr(decided) == repr(Plan((Put(key, "function", TEXT),), (ToCloud(),)))


@pytest.mark.parametrize("operation", ["action", "action_result"])
def test_an_action_leaves_a_row_that_is_there(message: Make, operation: str) -> None:
    """As in Go: ``SaveMeta`` inserts."""
    stored = {"default/service/x": TEXT}
    assert plan(message(operation, "default/service/x", {}), stored.get, connected=True).changes == ()
