"""One row for each cell of the operation tables (spec 5.4 to 5.12): which rows change, and what is done then.

(Compared by ``repr``: named tuples of different kinds are equal when their fields are.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from edgecore.beehive.gojson import marshal
from edgecore.beehive.message import Message
from edgecore.modules.metamanager.plan import plan
from edgecore.modules.metamanager.steps import (
    Acknowledge,
    AnswerLocally,
    AskCloud,
    Connection,
    Forward,
    Plan,
    Put,
    Remove,
    Reply,
    Show,
    ToCloud,
)

CLOUD = "edgecontroller"
TO_MESH = (Forward("edgemesh"), Acknowledge())
TO_EDGED = (Forward("edged"), Acknowledge())
TO_BOTH = (Forward("edged"), Show(), Acknowledge())
SENT_ON = (ToCloud(), Reply("OK"))
OBJECT = {"metadata": {"name": "x", "namespace": "default"}, "data": {"é": "<&>"}}
TEXT = '{"metadata":{"name":"x","namespace":"default"},"data":{"é":"\\u003c\\u0026\\u003e"}}'
ELEMENTS = [{"metadata": {"name": "a", "namespace": "n1"}}, {"metadata": {"namespace": "n2", "name": "b"}}]
FIRST, SECOND = '{"metadata":{"name":"a","namespace":"n1"}}', '{"metadata":{"namespace":"n2","name":"b"}}'
SERVICES = (Put("n1/service/a", "service", FIRST), Put("n2/service/b", "service", SECOND))
ENDPOINTS = (Put("n1/endpoints/a", "endpoints", FIRST), Put("n2/endpoints/b", "endpoints", SECOND))
STATUS = {"UID": "u", "Status": {}}
STATUS_TEXT = '{"UID":"u","Status":{}}'


class Row(NamedTuple):
    operation: str
    source: str
    resource: str
    content: Any
    changes: tuple[Put | Remove, ...]
    steps: tuple[Any, ...]


def _stored(row_type: str) -> tuple[Put, ...]:
    return (Put(f"default/{row_type}/x", row_type, TEXT),)


def _object_rows(operation: str) -> list[Row]:
    """Insert and update of single objects: stored, forwarded to who runs them, acknowledged."""
    to_mesh = [Row(operation, CLOUD, f"default/{t}/x", OBJECT, _stored(t), TO_MESH) for t in ("service", "endpoints")]
    to_edged = [
        Row(operation, CLOUD, f"default/{t}/x", OBJECT, _stored(t), TO_EDGED)
        for t in ("configmap", "secret", "persistentvolume", "persistentvolumeclaim", "node")
    ]
    to_both = [Row(operation, CLOUD, "default/pod/x", OBJECT, _stored("pod"), TO_BOTH)]
    return to_mesh + to_edged + to_both


def _list_rows(operation: str) -> list[Row]:
    """Insert and update of lists: a podlist is one row, the others are one row an element."""
    return [
        Row(operation, CLOUD, "namespace/servicelist/service", ELEMENTS, SERVICES, TO_MESH),
        Row(operation, CLOUD, "namespace/endpointslist/endpoints", ELEMENTS, ENDPOINTS, TO_MESH),
        Row(operation, CLOUD, "namespace/servicelist/service", [], (), TO_MESH),
        Row(operation, CLOUD, "namespace/servicelist/service", None, (), TO_MESH),
        Row(operation, CLOUD, "default/podlist/x", [], (Put("default/podlist/x", "podlist", "[]"),), TO_MESH),
        Row(operation, CLOUD, "default/podlist/x", None, (Put("default/podlist/x", "podlist", "null"),), TO_MESH),
    ]


LISTENER = "default/listener/default.x"
INSERTS = [
    *_object_rows("insert"),
    *_list_rows("insert"),
    Row("insert", "edgemesh", LISTENER, "9.251.0.1", (Put(LISTENER, "listener", '"9.251.0.1"'),), (Reply(None),)),
    Row("insert", "edged", "default/volumeattachment/x", OBJECT, _stored("volumeattachment"), SENT_ON),
]
UPDATES = [
    *_object_rows("update"),
    *_list_rows("update"),
    Row(
        "update",
        "edged",
        "default/nodestatus/n",
        STATUS,
        (Put("default/nodestatus/n", "nodestatus", STATUS_TEXT),),
        SENT_ON,
    ),
    Row(
        "update",
        "edged",
        "default/podstatus/x",
        STATUS,
        (Put("default/podstatus/x", "podstatus", STATUS_TEXT),),
        SENT_ON,
    ),
    Row("update", "edged", "default/podstatus/same", STATUS, (), (Reply("OK"),)),
    Row("update", "edged", "default/node/n", OBJECT, (Put("default/node/n", "node", TEXT),), SENT_ON),
]
DELETES = [
    Row(
        "delete",
        CLOUD,
        "default/service/x",
        OBJECT,
        (Remove("default/service/x"), Remove("default/podlist/x")),
        TO_MESH,
    ),
    Row("delete", CLOUD, "default/endpoints/x", OBJECT, (Remove("default/endpoints/x"),), TO_MESH),
    Row("delete", CLOUD, "default/podlist/x", None, (Remove("default/podlist/x"),), TO_MESH),
    Row("delete", CLOUD, "default/configmap/x", OBJECT, (Remove("default/configmap/x"),), TO_EDGED),
    Row("delete", CLOUD, "default/secret/x", None, (Remove("default/secret/x"),), TO_EDGED),
    Row(
        "delete",
        CLOUD,
        "default/pod/x",
        OBJECT,
        (Remove("default/pod/x"), Remove("default/podstatus/x")),
        TO_BOTH,
    ),
    Row(
        "delete",
        "edged",
        "default/pod/x",
        "uid-1",
        (Remove("default/pod/x"), Remove("default/podstatus/x")),
        (ToCloud(durable=True), Reply("OK"), Show()),
    ),
    Row(
        "delete",
        CLOUD,
        "namespace/servicelist/service",
        ELEMENTS,
        tuple(map(Remove, ("n1/service/a", "n1/podlist/a", "n2/service/b", "n2/podlist/b"))),
        TO_MESH,
    ),
    Row(
        "delete",
        CLOUD,
        "namespace/endpointslist/endpoints",
        ELEMENTS,
        (Remove("n1/endpoints/a"), Remove("n2/endpoints/b")),
        TO_MESH,
    ),
    Row("delete", "edgemesh", LISTENER, None, (Remove(LISTENER),), (Reply("OK"),)),
]
RESPONSES = [
    *[
        Row("response", CLOUD, f"default/{t}/x", OBJECT, _stored(t), (Forward("edged"),))
        for t in ("pod", "configmap", "secret", "persistentvolume")
    ],
    *[
        Row("response", CLOUD, f"default/{t}/x", OBJECT, _stored(t), (Forward("edgemesh"),))
        for t in ("service", "endpoints")
    ],
    Row("response", CLOUD, "default/node/n", "OK", (), ()),
    Row("response", CLOUD, "default/node/n", "", (), ()),
    Row("response", "edged", "default/configmap/x", OBJECT, (), (ToCloud(),)),
]
NEWS = [
    Row("publish", "edgehub", "node/connection", "cloud_connected", (), (Connection(True),)),
    Row("publish", "edgehub", "node/connection", "cloud_disconnected", (), (Connection(False),)),
]


@pytest.mark.parametrize(
    "row",
    [*INSERTS, *UPDATES, *DELETES, *RESPONSES, *NEWS],
    ids=lambda row: f"{row.operation} {row.resource} of {row.source}: {str(row.content)[:10]}",
)
@pytest.mark.parametrize("raw", [False, True], ids=["value", "bytes from the wire"])
def test_a_message_gets_the_plan_in_its_cell_of_the_table(message: Callable[..., Message], row: Row, raw: bool) -> None:
    content = row.content
    if raw and content is not None:
        content = msgspec.Raw(marshal(content))
    stored = {"default/podstatus/same": STATUS_TEXT}.get
    request = message(row.operation, row.resource, content, row.source)
    decided = plan(request, stored, connected=True)
    assert repr(decided) == repr(Plan(row.changes, row.steps, int(row.resource.endswith("/same"))))


STORED = {"default/configmap/kept": "{}", "default/endpoints/kept": "{}", "default/node/kept": "{}"}
HERE, ASK = AnswerLocally, (AskCloud(),)
QUERIES: list[tuple[str, bool, tuple[Any, ...]]] = [
    ("default/pod", True, (HERE("", "pod", "default"),)),
    ("default/pod/x", True, (HERE("default/pod/x", "pod", "default"),)),
    ("all/service", True, (HERE("", "service", "all"),)),
    ("default/service/x", True, (HERE("default/service/x", "service", "default"),)),
    ("default/podlist/x", True, (HERE("default/podlist/x", "podlist", "default"),)),
    (LISTENER, True, (HERE(LISTENER, "listener", "default"),)),
    ("default/configmap/kept", True, (HERE("default/configmap/kept", "configmap", "default"),)),
    ("default/endpoints/kept", True, (HERE("default/endpoints/kept", "endpoints", "default"),)),
    *[
        (f"default/{t}/x", True, ASK)
        for t in ("configmap", "secret", "endpoints", "persistentvolume", "persistentvolumeclaim")
    ],
    ("default/node/kept", True, ASK),
    ("default/volumeattachment/x", True, ASK),
    ("default/node/kept", False, (HERE("default/node/kept", "node", "default"),)),
    *[(f"default/{t}/x", False, (HERE(f"default/{t}/x", t, "default"),)) for t in ("configmap", "secret", "endpoints")],
    ("default/configmap", True, (HERE("", "configmap", "default"),)),
]


@pytest.mark.parametrize(("resource", "connected", "steps"), QUERIES)
@pytest.mark.parametrize("source", ["edged", "edgemesh", CLOUD])
def test_a_query_gets_the_plan_in_its_cell_of_the_table(
    message: Callable[..., Message],
    resource: str,
    connected: bool,
    steps: tuple[Any, ...],
    source: str,
) -> None:
    request = message("query", resource, source=source)
    assert repr(plan(request, STORED.get, connected=connected)) == repr(Plan(steps=steps))


def test_stored_text_is_the_text_of_the_wire(message: Callable[..., Message]) -> None:
    wire_text = b'{ "b" : 1.0, "a" : "\\u003c" }'
    decided = plan(message("insert", "default/secret/x", msgspec.Raw(wire_text)), {}.get, connected=True)
    assert decided.changes == (Put("default/secret/x", "secret", wire_text.decode()),)


def test_the_last_of_two_elements_with_one_name_counts(message: Callable[..., Message]) -> None:
    older = {"metadata": {"name": "a", "namespace": "n"}, "v": 1}
    newer = {"metadata": {"name": "a", "namespace": "n"}, "v": 2}
    decided = plan(message("update", "namespace/servicelist/service", [older, newer]), {}.get, connected=True)
    values = [msgspec.json.decode(change.value)["v"] for change in decided.changes if isinstance(change, Put)]
    assert values == [1, 2]
