"""The bugs of Go's MetaManager that ``plan`` does not have (spec 13.3), by number; each docstring says what Go does."""

import json
from collections.abc import Callable

import pytest

from edgecore.beehive.message import Message
from edgecore.modules.metamanager.plan import plan
from edgecore.modules.metamanager.steps import (
    Acknowledge,
    AnswerLocally,
    Fault,
    Forward,
    Plan,
    Put,
    Remove,
    Reply,
    ToCloud,
)

Make = Callable[..., Message]
NEWER = {"metadata": {"name": "x", "namespace": "default", "resourceVersion": "2"}}


def test_m1_insert_of_an_existing_key_replaces_its_row(message: Make) -> None:
    """Go swallows the duplicate and keeps the old row, but forwards and acknowledges the new object: the old pod rises
    again after a restart.
    """
    stored = {"default/pod/x": '{"metadata":{"resourceVersion":"1"}}'}
    (change,) = plan(message("insert", "default/pod/x", NEWER), stored.get, connected=True).changes
    assert isinstance(change, Put)
    assert '"resourceVersion":"2"' in change.value


@pytest.mark.parametrize("content", ["OK", "", None, 7, True])
def test_m2_an_answer_that_is_no_object_is_not_stored(message: Make, content: object) -> None:
    """Go stores the late "OK" to a node status as the node: ``default/node/NODE`` becomes ``"OK"``."""
    assert plan(message("response", "default/node/n", content), {}.get, connected=True).changes == ()


def test_m3_a_list_query_names_its_namespace(message: Make) -> None:
    """Go asks for the type alone, so that pods of every namespace come back."""
    decided = plan(message("query", "kube-system/pod", source="edged"), {}.get, connected=True)
    assert repr(decided.steps) == repr((AnswerLocally("", "pod", "kube-system"),))


@pytest.mark.parametrize("source", ["", "nobody", "funcmgr", "edgefunction", "EdgeController"])
def test_m4_an_update_of_an_unknown_source_writes_nothing(message: Make, source: str) -> None:
    """Go writes the row before it looks at the source."""
    decided = plan(message("update", "default/service/x", NEWER, source), {}.get, connected=True)
    assert repr(decided) == repr(Plan(steps=(Fault("unknown_source", source),)))


def test_m5_what_edged_inserts_goes_to_the_cloud_and_edged_is_answered(message: Make) -> None:
    """Go acknowledges it to the cloud instead of sending it there, and edged waits for ever."""
    decided = plan(message("insert", "default/volumeattachment/x", NEWER, "edged"), {}.get, connected=True)
    assert repr(decided.steps) == repr((ToCloud(), Reply("OK")))


@pytest.mark.parametrize("row_type", ["volumeattachment", "node", "service"])
def test_m5_what_edged_deletes_goes_to_the_cloud_and_edged_is_answered(message: Make, row_type: str) -> None:
    """Go sends it back to edged and acknowledges it to the cloud, but for pods; edged waits for ever."""
    decided = plan(message("delete", f"default/{row_type}/x", None, "edged"), {}.get, connected=True)
    assert decided.changes[0] == Remove(f"default/{row_type}/x")
    assert repr(decided.steps) == repr((ToCloud(), Reply("OK")))


@pytest.mark.parametrize("source", ["", "nobody", "edged"])
def test_m4_an_answer_of_an_unknown_source_writes_nothing(message: Make, source: str) -> None:
    """Go writes the row, and then sends the message to the cloud."""
    decided = plan(message("response", "default/service/x", NEWER, source), {}.get, connected=True)
    assert repr(decided) == repr(Plan(steps=(ToCloud(),)))


def test_m6_the_elements_of_a_deleted_list_are_removed(message: Make) -> None:
    """Go removes the row under the list's own key, which does not exist."""
    decided = plan(message("delete", "namespace/servicelist/service", [NEWER]), {}.get, connected=True)
    assert decided.changes == (Remove("default/service/x"), Remove("default/podlist/x"))


def test_the_pod_list_goes_with_its_service(message: Make) -> None:
    """No cloud ever deletes one: in Go the row stays for good, and a service of that name finds it after a restart."""
    decided = plan(message("delete", "default/service/x", None), {}.get, connected=True)
    assert decided.changes == (Remove("default/service/x"), Remove("default/podlist/x"))


@pytest.mark.parametrize("source", ["edgecontroller", "edged"])
def test_m6_the_podstatus_goes_with_its_pod(message: Make, source: str) -> None:
    """Go leaves the podstatus row to a sync that runs every minute."""
    decided = plan(message("delete", "kube-system/pod/x", None, source), {}.get, connected=True)
    assert decided.changes == (Remove("kube-system/pod/x"), Remove("kube-system/podstatus/x"))


def test_m8_a_heartbeat_is_sent_and_not_written(message: Make) -> None:
    """Go writes the row every ten seconds."""
    status = {"Status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "10:00"}]}}
    rows = {"default/nodestatus/n": json.dumps(status)}
    heartbeat = {"Status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "10:10"}]}}
    decided = plan(message("update", "default/nodestatus/n", heartbeat, "edged"), rows.get, connected=True)
    assert decided == Plan((), (ToCloud(), Reply("OK")), unchanged=1)
    news = {"Status": {"conditions": [{"type": "Ready", "status": "False", "lastHeartbeatTime": "10:10"}]}}
    decided = plan(message("update", "default/nodestatus/n", news, "edged"), rows.get, connected=True)
    assert len(decided.changes) == 1
    assert decided.unchanged == 0


def test_an_inserted_endpointslist_becomes_one_row_an_element(message: Make) -> None:
    """Go explodes it on update only; inserted, the whole list is stored under its own key and goes to edged."""
    decided = plan(message("insert", "namespace/endpointslist/endpoints", [NEWER]), {}.get, connected=True)
    assert [change.key for change in decided.changes] == ["default/endpoints/x"]
    assert repr(decided.steps) == repr((Forward("edgemesh"), Acknowledge()))


@pytest.mark.parametrize(("source", "content"), [("edged", "old"), ("edgecontroller", {"metadata": {"uid": "old"}})])
def test_the_delete_of_a_pod_leaves_the_rows_of_one_that_took_its_place(
    source: str, content: object, message: Make
) -> None:
    stored = {"default/pod/x": '{"metadata":{"name":"x","uid":"new"}}'}
    decided = plan(message("delete", "default/pod/x", content, source), stored.get, connected=True)
    assert decided.changes == ()
    assert len(decided.steps) == 3  # the rest is done as ever


@pytest.mark.parametrize("content", ["u", {"metadata": {"uid": "u"}}, {}, None, {"metadata": {"uid": 7}}, "", [1]])
@pytest.mark.parametrize("row", ['{"metadata":{"uid":"u"}}', "{}", "null", "no json"])
def test_else_the_delete_of_a_pod_removes_its_rows(content: object, row: str, message: Make) -> None:
    decided = plan(message("delete", "default/pod/x", content), {"default/pod/x": row}.get, connected=True)
    assert decided.changes == (Remove("default/pod/x"), Remove("default/podstatus/x"))


@pytest.mark.parametrize("row_type", ["servicelist", "endpointslist"])
def test_an_answer_that_is_no_list_becomes_no_row_which_no_delete_would_remove(row_type: str, message: Make) -> None:
    decided = plan(message("response", f"default/{row_type}/x", {"a": 1}), {}.get, connected=True)
    assert decided.changes == ()
