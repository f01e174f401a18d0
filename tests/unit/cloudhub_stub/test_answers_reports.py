"""What nodes tell of their pods and devices, and what becomes of that."""

import json
from typing import Any

import pytest

from cloudhub_stub.answers import Answer, Manners, Reply
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.nodes import Node, PodNote
from cloudhub_stub.store.cluster import SyncedKey
from cluster.devices import device
from cluster.objects import node as edge_node
from cluster.objects import pod
from edgecore.beehive.resource import EdgeResource


@pytest.fixture
def bound(cloud: Cloud) -> Any:
    """A pod of the node."""
    cloud.plane.registry.put(edge_node("edge-1"))
    return cloud.plane.registry.put(pod("p", "edge-1"))


async def test_the_status_of_a_pod_is_taken_in_silence(ask: Any, node: Node, bound: Any, held: Any) -> None:
    got = ask("update", "default/podstatus/p", {"UID": "uid-p", "Name": "p", "Status": {"phase": "Running"}})
    assert got == Answer("pod_status_noted")
    assert node.pods == {EdgeResource("default", "pod", "p"): PodNote("uid-p", "Running")}
    assert held("Pod", "p")["status"]["phase"] == "Running"


async def test_the_same_status_again_gives_no_version(ask: Any, bound: Any, held: Any) -> None:
    ask("update", "default/podstatus/p", {"Status": {"phase": "Running"}})
    first = held("Pod", "p")
    ask("update", "default/podstatus/p", {"Status": {"phase": "Running"}})
    assert held("Pod", "p") is first


async def test_the_status_of_an_earlier_pod_of_that_name_changes_nothing(
    ask: Any, node: Node, bound: Any, held: Any, told: Any
) -> None:
    assert ask("update", "default/podstatus/p", {"UID": "old", "Status": {"phase": "Failed"}}).reply is None
    assert held("Pod", "p") is bound
    assert node.pods == {}
    assert "delete default/pod/p" not in await told()


async def test_the_summary_of_pod_statuses_is_taken_pod_by_pod(ask: Any, cloud: Cloud, held: Any, node: Node) -> None:
    for name in ("p", "q"):
        cloud.plane.registry.put(pod(name, "edge-1", namespace="kube-system"))
    summary = [{"Name": "p", "UID": "uid-p", "Status": {"phase": "Failed"}}, {"Name": "q", "Status": {}}]
    assert ask("update", "kube-system/podstatus", summary) == Answer("pod_status_noted")
    assert {str(each): note.phase for each, note in node.pods.items()} == {
        "kube-system/pod/p": "Failed",
        "kube-system/pod/q": "",
    }
    phases = [held("Pod", name, "kube-system")["status"]["phase"] for name in ("p", "q")]
    assert phases == ["Failed", "Pending"]


@pytest.mark.parametrize("content", [{}, "text", [5], [{"Name": "n" * 300}], [{}], [{"Name": "p", "Status": 1}]])
async def test_a_summary_of_another_shape_is_bad(ask: Any, bound: Any, held: Any, content: Any) -> None:
    assert ask("update", "default/podstatus", content) == Answer("bad_content")
    assert held("Pod", "p") is bound


async def test_an_unknown_pod_gets_one_delete(ask: Any, told: Any) -> None:
    for _ in range(2):
        assert ask("update", "default/podstatus/p", {"UID": "u1", "Status": {"phase": "Running"}}) == Answer(
            "pod_unknown"
        )
    assert await told() == ["delete default/pod/p"]
    ask("update", "default/podstatus", [{"Name": "p"}, {"Name": "q"}])
    assert await told() == ["delete default/pod/p", "delete default/pod/q"]


async def test_a_pod_of_another_node_is_unknown_and_keeps_its_status(
    ask: Any, cloud: Cloud, held: Any, told: Any
) -> None:
    there = cloud.plane.registry.put(pod("p", "edge-2"))
    status = {"UID": "uid-p", "Status": {"phase": "Failed"}}
    assert ask("update", "default/podstatus/p", status) == Answer("pod_unknown")
    assert held("Pod", "p") is there
    assert await told() == ["delete default/pod/p"]


async def test_a_pod_that_was_sent_by_hand_gets_no_delete(
    ask: Any, cloud: Cloud, node: Node, told: Any, message: Any
) -> None:
    cloud.objects.note_sent(message("insert", "default/pod/p", {}))
    assert ask("update", "default/podstatus/p", {"Status": {"phase": "Running"}}) == Answer("pod_status_noted")
    assert [note.phase for note in node.pods.values()] == ["Running"]
    assert await told() == []


ENDED = {
    "UID": "uid-p",
    "Status": {"phase": "Failed", "containerStatuses": [{"name": "c", "state": {"terminated": {}}}]},
}


async def test_a_pod_that_was_to_go_is_gone_once_it_has_ended(
    ask: Any, cloud: Cloud, bound: Any, held: Any, node: Node
) -> None:
    cloud.plane.api.delete(ObjectKey("Pod", "default", "p"), grace_s=30)
    assert held("Pod", "p") is not None
    assert ask("update", "default/podstatus/p", ENDED) == Answer("pod_status_noted")
    assert held("Pod", "p") is None
    assert node.pods == {}


async def test_a_pod_that_has_ended_by_itself_stays(ask: Any, bound: Any, held: Any) -> None:
    ask("update", "default/podstatus/p", ENDED)
    assert held("Pod", "p")["status"]["phase"] == "Failed"


async def test_a_pod_that_the_edge_deleted_is_gone(ask: Any, node: Node, bound: Any, held: Any) -> None:
    ask("update", "default/podstatus/p", {"Status": {"phase": "Running"}})
    assert ask("delete", "default/pod/p", "uid-p") == Answer("pod_deleted")
    assert held("Pod", "p") is None
    assert node.pods == {}


@pytest.mark.parametrize(("where", "uid"), [("edge-1", "old"), ("edge-1", ""), ("edge-2", "uid-p")])
async def test_another_pod_than_the_one_that_the_edge_deleted_stays(
    ask: Any, cloud: Cloud, node: Node, held: Any, where: str, uid: str
) -> None:
    cloud.plane.registry.put(pod("p", where))
    assert ask("delete", "default/pod/p", uid) == Answer("pod_delete_noted")
    assert held("Pod", "p") is not None


async def test_a_pod_that_nobody_knows_may_be_deleted(ask: Any) -> None:
    assert ask("delete", "default/pod/p", "u1") == Answer("pod_delete_noted")


# Devices.


@pytest.fixture
def led(cloud: Cloud) -> Any:
    """A device of the node."""
    cloud.plane.registry.put(edge_node("edge-1"))
    return cloud.plane.registry.put(device("led", node="edge-1", uid="u", desired={"power": "ON"}))


def report(value: str = "ON", *, expected: Any = None) -> Any:
    return {"twin": {"power": {"actual": {"value": value}, **({} if expected is None else expected)}}}


async def test_a_twin_report_is_kept_in_the_device(ask: Any, led: Any, held: Any) -> None:
    got = ask("update", "device/led/twin/edge_updated", report("OFF"), source="twin", group="resource")
    assert got == Answer("device_report_taken")
    (twin,) = held("Device", "led")["status"]["twins"]
    assert (twin["desired"]["value"], twin["reported"]["value"]) == ("ON", "OFF")


async def test_the_state_of_a_device_is_kept(ask: Any, led: Any, held: Any) -> None:
    content = json.dumps({"device": {"state": "online"}})
    got = ask("update", "device/led/state", content, source="twin", group="resource")
    assert got == Answer("device_report_taken")
    assert held("Device", "led")["status"]["state"] == "online"


@pytest.mark.parametrize("resource", ["device/other/twin/edge_updated", "device/other/state"])
async def test_a_report_of_an_unknown_device_is_counted(ask: Any, led: Any, resource: str) -> None:
    assert ask("update", resource, report(), source="twin", group="resource") == Answer("device_unknown")


async def test_a_report_of_the_device_of_another_node_changes_nothing(ask: Any, cloud: Cloud, held: Any) -> None:
    there = cloud.plane.registry.put(device("led", node="edge-2", uid="u", desired={"power": "ON"}))
    got = ask("update", "device/led/twin/edge_updated", report("OFF"), source="twin", group="resource")
    assert got == Answer("device_unknown")
    assert held("Device", "led") is there


@pytest.mark.parametrize("resource", ["device/led/twin/edge_updated", "device/led/state"])
async def test_a_device_report_of_another_shape_is_bad(ask: Any, led: Any, held: Any, resource: str) -> None:
    assert ask("update", resource, {"twin": 5, "device": 5}, source="twin", group="resource") == Answer("bad_content")
    assert held("Device", "led") is led


REFUSED = {"expected": {"value": "old"}, "expected_version": {"cloud": 5000, "edge": 0}}


async def test_a_node_that_knows_a_higher_version_is_told_once_more_with_a_higher_one(
    ask: Any, cloud: Cloud, led: Any, held: Any, told: Any
) -> None:
    """The stub began anew with another file: its versions are too low for the edge."""
    cloud.plane.synced.has(
        "edge-1", SyncedKey("device", "default", "led"), "u", '{"power":{"type":"string","value":"ON"}}'
    )
    cloud.plane.registry.changes.clear()
    ask("update", "device/led/twin/edge_updated", report(expected=REFUSED), source="twin", group="resource")
    assert int(held("Device", "led")["metadata"]["resourceVersion"]) > 5000
    assert held("Device", "led")["status"]["twins"][0]["reported"]["value"] == "ON"
    assert await told() == ["update membership"]


@pytest.mark.parametrize(
    "expected",
    [
        {"expected": {"value": "ON"}, "expected_version": {"cloud": 5000, "edge": 0}},
        {"expected": {"value": "own"}, "expected_version": {"cloud": 5000, "edge": 3}},
        {"expected": {"value": "old"}, "expected_version": {"cloud": 0, "edge": 0}},
    ],
)
async def test_a_node_that_refused_nothing_because_of_its_version_is_told_nothing(
    ask: Any, cloud: Cloud, led: Any, told: Any, expected: Any
) -> None:
    cloud.plane.registry.changes.clear()
    ask("update", "device/led/twin/edge_updated", report(expected=expected), source="twin", group="resource")
    assert cloud.plane.registry.version < 5000
    assert await told() == []


async def test_a_version_that_no_stub_hands_out_does_not_spoil_those_of_the_stub(
    ask: Any, cloud: Cloud, led: Any, told: Any
) -> None:
    cloud.plane.registry.changes.clear()
    for version in (10**15 + 1, 10**18 - 1, 2**63 - 1):
        expected = {"expected": {"value": "old"}, "expected_version": {"cloud": version, "edge": 0}}
        ask("update", "device/led/twin/edge_updated", report(expected=expected), source="twin", group="resource")
    assert cloud.plane.registry.version < 5000
    assert await told() == []


async def test_a_desired_value_that_was_set_at_the_node_is_an_event_of_the_device(
    ask: Any, cloud: Cloud, led: Any
) -> None:
    own = {"expected": {"value": "own"}, "expected_version": {"cloud": 5000, "edge": 3}}
    for _ in range(2):
        ask("update", "device/led/twin/edge_updated", report(expected=own), source="twin", group="resource")
    (event,) = cloud.plane.events.of(ObjectKey("Device", "default", "led"))
    assert (event.type, event.reason, event.times) == ("Warning", "DesiredRefused", 2)
    assert event.message == (
        "a program on MQTT at edge-1 has set power: the node takes no desired value for it any more,"
        " until the device is deleted and added again"
    )


async def test_a_cloud_that_confirms_answers_a_report_when_it_is_on_disk(ask: Any, led: Any) -> None:
    manners = Manners(confirms_reports=True)
    got = ask("update", "device/led/twin/edge_updated", report("OFF"), source="twin", group="resource", manners=manners)
    assert got.reply == Reply("OK", "twin", once_stored=True, source="devicecontroller", group="twin")
    unknown = ask("update", "device/x/state", "{}", source="twin", group="resource", manners=manners)
    assert unknown == Answer("device_unknown")


async def test_a_cloud_that_tells_devices_answers_with_those_of_the_node(ask: Any, led: Any, cloud: Cloud) -> None:
    cloud.plane.registry.put(device("other", node="edge-2", uid="v"))
    got = ask("get", "membership/detail", "{}", source="twin", group="resource", manners=Manners(tells_devices=True))
    assert (got.outcome, got.reply.resource, got.reply.source) == (
        "devices_told",
        "membership/detail",
        "devicecontroller",
    )
    assert [each["id"] for each in got.reply.content["devices"]] == ["led"]


async def test_by_default_reports_and_questions_for_all_devices_meet_silence(ask: Any, led: Any) -> None:
    question = ask("get", "membership/detail", "{}", source="twin", group="resource")
    assert question == Answer("device_not_answered")
