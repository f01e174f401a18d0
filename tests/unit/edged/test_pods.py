"""What the node does about its pods, message by message."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.resource import EdgeResource
from edgecore.modules.edged.podinput import Fault
from edgecore.modules.edged.podnetwork import PodNetwork
from edgecore.modules.edged.pods import (
    DELETE_AFTER_S,
    KNOWN_LIMIT,
    RETRY_AFTER_S,
    Action,
    Delete,
    Kill,
    Pods,
    Post,
    Start,
)
from edgecore.modules.edged.runtime import ContainerState

AT = "2026-11-20T10:17:56Z"
GONE = {"deletionTimestamp": "2026-11-20T10:18:12Z"}
PodJson = Callable[..., bytes]


class Story:
    """Pods, and a runtime that does at once what it is told; keeps what was done."""

    def __init__(self, pod_json: PodJson, *, network: str | None = "172.17.0.0/16", capacity: int = 110) -> None:
        addresses = None if network is None else PodNetwork(IPv4Network(network))
        self.pods = Pods("n", "10.66.0.2", addresses, capacity=capacity)
        self.json = pod_json
        self.now = 0.0
        self.done: list[str] = []
        self.posted: list[dict[str, Any]] = []
        self.held: set[str] = set()  # pods whose containers do not come to run

    def listed(self, pods: list[bytes] | None = None, statuses: list[dict[str, Any]] | None = None) -> list[Fault]:
        faults = self.pods.listed(pods or [], map(msgspec.json.encode, statuses or []), AT)
        self.work()
        return faults

    def tell(self, operation: str, name: str = "p1", **changes: Any) -> Fault | None:
        fault = self.pods.apply(operation, EdgeResource("default", "pod", name), self.json(name, **changes), AT)
        self.work()
        return fault

    def work(self) -> None:
        while (action := self.pods.next(self.now)) is not None:
            self._do(action)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.work()

    def _do(self, action: Action) -> None:
        match action:
            case Start(order):
                pod = order.pod
                self.done.append(f"start {pod.metadata.name}")
                running = [ContainerState(each.name, "running", started_at=AT) for each in pod.spec.containers]
                if pod.metadata.name not in self.held:
                    self.pods.observed(pod.metadata.uid, order.before or tuple(running))
            case Kill(uid):
                self.done.append(f"kill {uid}")
                name = uid.removeprefix("uid-")
                ended = ContainerState("nginx", "terminated", started_at=AT, finished_at=AT, reason="Completed")
                self.pods.observed(uid, () if name in self.held else (ended,))
            case Post():
                self.posted.append(action.request)
                self.done.append(f"post {action.key.name} {action.request['Status']['phase']}")
                self.pods.done(action)
            case Delete():
                self.done.append(f"delete {action.key.name} {action.uid}")
                self.pods.done(action)


@pytest.fixture
def story(pod_json: PodJson) -> Story:
    told = Story(pod_json)
    told.listed()
    return told


def _phases(story: Story) -> dict[str, int]:
    phases: dict[str, int] = story.pods.view()["phases"]
    return phases


def test_a_pod_is_started_and_told_to_run(story: Story) -> None:
    story.tell("insert")
    assert story.done == ["start p1", "post p1 Running"]
    assert story.posted[0]["UID"] == "uid-p1"
    assert story.posted[0]["Status"]["podIP"] == "172.17.0.2"


def test_the_pod_of_the_host_network_has_the_hosts_address(story: Story) -> None:
    story.tell("insert", spec={"hostNetwork": True})
    assert story.posted[0]["Status"]["podIP"] == "10.66.0.2"


def test_where_the_runtime_is_on_the_hosts_network_every_pod_has_the_hosts_address(pod_json: PodJson) -> None:
    story = Story(pod_json, network=None)
    story.listed()
    story.tell("insert", "p1")
    story.tell("insert", "p2")
    story.tell("delete", "p1")
    assert [each["Status"]["podIP"] for each in story.posted] == ["10.66.0.2", "10.66.0.2"]
    story.posted[1]["Status"]["podIP"] = "172.17.0.9"  # of another runtime
    again = Story(pod_json, network=None)
    again.listed([pod_json("p2")], story.posted[1:])
    assert [each["podIP"] for each in again.pods.view()["pods"]] == ["10.66.0.2"]


def test_a_pod_that_is_told_to_go_has_the_grace_of_the_deletion(pod_json: PodJson) -> None:
    pods = Pods("n", "10.66.0.2", None)
    pods.listed([], [], AT)
    resource = EdgeResource("default", "pod", "p1")
    pods.apply("insert", resource, pod_json("p1", spec={"terminationGracePeriodSeconds": 30}), AT)
    assert isinstance(pods.next(0.0), Start)
    pods.observed("uid-p1", (ContainerState("nginx", "running", started_at=AT),))
    gone = pod_json("p1", spec={"terminationGracePeriodSeconds": 30}, deletionGracePeriodSeconds=5, **GONE)
    pods.apply("update", resource, gone, AT)
    assert pods.next(0.0) == Kill("uid-p1", 5)


def test_an_update_that_changes_nothing_of_the_status_says_nothing(story: Story) -> None:
    story.tell("insert")
    story.tell("update", labels={"x": "y"})
    assert story.done == ["start p1", "post p1 Running"]


def test_a_pod_that_is_to_go_ends_is_told_and_then_deleted(story: Story) -> None:
    story.tell("insert")
    story.tell("update", **GONE)
    assert story.done[2:] == ["kill uid-p1", "post p1 Succeeded"]
    assert story.pods.next_at() == DELETE_AFTER_S
    story.after(DELETE_AFTER_S)
    assert story.done[4:] == ["delete p1 uid-p1"]
    assert story.pods.view()["pods"] == []


def test_a_cloud_that_deletes_the_pod_itself_hears_no_delete(story: Story) -> None:
    """As recorded: 8 ms after Succeeded come an update and the delete."""
    story.tell("insert")
    story.tell("update", **GONE)
    story.tell("update", **GONE, deletionGracePeriodSeconds=0)
    story.tell("delete", **GONE)
    story.after(100)
    assert story.done[2:] == ["kill uid-p1", "post p1 Succeeded"]


def test_a_pod_that_never_ran_is_deleted_without_a_status(story: Story) -> None:
    story.held.add("p1")
    story.tell("insert")
    story.tell("update", **GONE)
    story.after(DELETE_AFTER_S)
    assert story.done == ["start p1", "kill uid-p1", "delete p1 uid-p1"]


def test_a_pod_that_is_met_only_when_it_is_to_go_is_not_started(story: Story) -> None:
    story.tell("update", spec={"containers": None}, **GONE)
    story.after(DELETE_AFTER_S)
    assert story.done == ["delete p1 uid-p1"]


def test_a_forced_deletion_says_nothing(story: Story) -> None:
    story.tell("insert")
    story.tell("delete")
    story.after(100)
    assert story.done[2:] == ["kill uid-p1"]


def test_the_clouds_echo_of_a_delete_is_not_answered_with_a_second_one(story: Story) -> None:
    story.tell("update", **GONE)
    story.after(DELETE_AFTER_S)
    story.tell("update", **GONE, deletionGracePeriodSeconds=0)
    story.tell("delete", **GONE)
    story.after(100)
    assert story.done == ["delete p1 uid-p1"]


def test_what_was_told_to_go_never_comes_back(story: Story) -> None:
    story.tell("insert")
    story.tell("update", **GONE)
    story.tell("update")
    story.after(DELETE_AFTER_S)
    assert story.done[-1] == "delete p1 uid-p1"


def test_a_new_pod_of_the_same_name_takes_the_place_of_the_old(story: Story) -> None:
    story.tell("insert")
    story.tell("insert", uid="uid-2")
    assert story.done[2:] == ["kill uid-p1", "start p1", "post p1 Running"]
    assert story.posted[1]["UID"] == "uid-2"


def test_a_late_delete_of_the_old_pod_leaves_the_new_one(story: Story) -> None:
    story.tell("insert", uid="uid-2")
    fault = story.tell("delete", uid="uid-1")
    assert fault is not None
    assert fault.reason == "pod_of_other_uid"
    assert _phases(story) == {"Running": 1}


def test_a_delete_that_cannot_be_read_deletes_all_the_same(story: Story) -> None:
    """MetaManager has removed the row already."""
    story.tell("insert")
    fault = story.pods.apply("delete", EdgeResource("default", "pod", "p1"), b"null", AT)
    assert fault is not None
    assert story.pods.view()["pods"] == []


def test_two_pods_cannot_have_one_uid(story: Story) -> None:
    story.tell("insert", "p1", uid="u")
    fault = story.tell("insert", "p2", uid="u")
    assert fault is not None
    assert fault.reason == "pod_uid_taken"


def test_pods_of_other_nodes_are_counted_and_left_alone(story: Story) -> None:
    assert story.tell("insert", spec={"nodeName": "other"}) is None
    assert story.done == []
    assert story.pods.counts == {"of_other_nodes": 1}


def test_nothing_is_done_before_the_pods_of_before_are_known(pod_json: PodJson) -> None:
    story = Story(pod_json)
    story.tell("insert")
    assert story.done == []
    story.listed([story.json("p2")])
    assert sorted(story.done) == ["post p1 Running", "post p2 Running", "start p1", "start p2"]


# Sending that fails.


def _next(story: Story) -> Action:
    action = story.pods.next(story.now)
    assert action is not None
    return action


def test_a_status_that_cannot_be_stored_is_sent_again_at_the_next_tick(story: Story) -> None:
    story.pods.apply("insert", EdgeResource("default", "pod", "p1"), story.json(), AT)
    story._do(_next(story))
    post = _next(story)
    assert isinstance(post, Post)
    story.pods.failed(post, story.now)
    assert story.pods.next(story.now) is None
    assert story.pods.next_at() == RETRY_AFTER_S
    story.after(RETRY_AFTER_S)
    assert story.done == ["start p1", "post p1 Running"]


def test_only_the_newest_status_is_sent_and_the_delete_after_it(story: Story) -> None:
    story.pods.apply("insert", EdgeResource("default", "pod", "p1"), story.json(), AT)
    story._do(_next(story))
    post = _next(story)
    assert isinstance(post, Post)
    story.pods.failed(post, story.now)
    story.tell("update", **GONE)
    story.after(RETRY_AFTER_S - 1)
    assert story.done == ["start p1", "kill uid-p1"]
    story.after(1)
    story.after(DELETE_AFTER_S)
    assert story.done[2:] == ["post p1 Succeeded", "delete p1 uid-p1"]


def test_a_pod_whose_status_is_refused_again_and_again_does_not_hold_the_others(story: Story) -> None:
    for name in ("p1", "p2"):
        story.pods.apply("insert", EdgeResource("default", "pod", name), story.json(name), AT)
    told: list[str] = []
    for _ in range(20):
        action = story.pods.next(story.now)
        if action is None:
            story.now += RETRY_AFTER_S
        elif isinstance(action, Post) and action.key.name == "p1":
            story.pods.failed(action, story.now)
            told.append("p1 refused")
        else:
            story._do(action)
    assert told.count("p1 refused") > 1
    assert "post p2 Running" in story.done


def test_a_delete_that_finds_no_room_is_sent_again(story: Story) -> None:
    story.tell("update", **GONE)
    story.now += DELETE_AFTER_S
    action = _next(story)
    assert isinstance(action, Delete)
    story.pods.failed(action, story.now)
    story.work()
    assert story.done == []
    story.after(RETRY_AFTER_S)
    assert story.done == ["delete p1 uid-p1"]


def test_a_status_that_was_on_its_way_when_the_pod_went_is_forgotten(story: Story) -> None:
    story.pods.apply("insert", EdgeResource("default", "pod", "p1"), story.json(), AT)
    story._do(_next(story))
    post = _next(story)
    assert isinstance(post, Post)
    story.tell("insert", uid="uid-2")
    story.pods.done(post)
    story.work()
    assert story.posted[-1]["UID"] == "uid-2"


# Room.


def test_over_capacity_a_pod_is_refused_as_by_the_kubelet(pod_json: PodJson) -> None:
    story = Story(pod_json, capacity=2)
    story.listed()
    for name in ("p1", "p2", "p3"):
        story.tell("insert", name)
    assert story.done[-1] == "post p3 Failed"
    assert story.posted[-1]["Status"]["reason"] == "OutOfpods"
    assert _phases(story) == {"Running": 2, "Failed": 1}
    assert story.pods.counts["refused"] == 1
    story.tell("delete", "p1")
    story.tell("insert", "p4")
    assert story.done[-1] == "post p4 Running"
    story.tell("update", "p3", **GONE)
    story.after(DELETE_AFTER_S)
    assert story.done[-1] == "delete p3 uid-p3"


def test_without_a_free_address_a_pod_waits_for_one(pod_json: PodJson) -> None:
    story = Story(pod_json, network="10.1.2.0/29")
    story.listed()
    for number in range(6):
        story.tell("insert", f"p{number}")
    assert _phases(story) == {"Running": 5, "Pending": 1}
    assert story.pods.view()["pods"][-1]["reason"] == "NoFreeAddress"
    story.tell("delete", "p2")
    assert story.done[-2:] == ["start p5", "post p5 Running"]
    assert story.posted[-1]["Status"]["podIP"] == "10.1.2.4"


def test_the_number_of_known_pods_is_bounded(story: Story) -> None:
    for number in range(KNOWN_LIMIT):
        assert story.tell("insert", f"p{number}") is None
    fault = story.tell("insert", "one-more")
    assert fault is not None
    assert fault.reason == "too_many_pods"


def test_of_a_node_that_takes_many_pods_those_that_replace_them_all_are_known_too(pod_json: PodJson) -> None:
    story = Story(pod_json, capacity=KNOWN_LIMIT)
    story.listed()
    assert [story.tell("insert", f"p{number}") for number in range(2 * KNOWN_LIMIT)] == [None] * 2 * KNOWN_LIMIT
    assert _phases(story) == {"Running": KNOWN_LIMIT, "Failed": KNOWN_LIMIT}
    assert story.tell("insert", "one-more") is not None


# After a restart.


def _restarted(story: Story, *rows: bytes, **options: Any) -> Story:
    """Return the node after a restart, with the rows of pods that it finds and the statuses that were stored."""
    again = Story(story.json, **options)
    latest = {posted["Name"]: posted for posted in story.posted}
    assert again.listed(list(rows), list(latest.values())) == []
    return again


def test_after_a_restart_pods_run_on_and_nothing_is_said(story: Story) -> None:
    story.tell("insert", "p1")
    story.tell("insert", "p2")
    story.tell("delete", "p1")
    again = _restarted(story, story.json("p2"))
    assert again.done == ["start p2"]
    assert again.pods.view()["pods"][0]["podIP"] == "172.17.0.3"
    again.tell("insert", "p3")
    assert again.posted[-1]["Status"]["podIP"] == "172.17.0.4"


def test_a_pod_that_was_told_to_go_before_the_restart_goes(story: Story) -> None:
    story.tell("insert")
    again = _restarted(story, story.json(**GONE))
    again.after(DELETE_AFTER_S)
    assert again.done == ["start p1", "kill uid-p1", "post p1 Succeeded", "delete p1 uid-p1"]


def test_a_pod_that_was_over_before_the_restart_is_deleted_and_what_the_runtime_kept_of_it(story: Story) -> None:
    story.tell("insert")
    story.tell("update", **GONE)
    again = _restarted(story, story.json(**GONE))
    again.after(DELETE_AFTER_S)
    assert again.done == ["delete p1 uid-p1", "kill uid-p1"]


def test_of_a_pod_that_was_over_before_the_restart_the_containers_are_shown(story: Story) -> None:
    story.tell("insert")
    story.tell("update", **GONE)
    (known,) = _restarted(story, story.json(**GONE)).pods.known
    assert [(each.name, each.reason) for each in known.containers] == [("nginx", "Completed")]


def test_a_refused_pod_stays_refused_after_a_restart(pod_json: PodJson) -> None:
    story = Story(pod_json, capacity=1)
    story.listed()
    story.tell("insert", "p1")
    story.tell("insert", "p2")
    again = _restarted(story, pod_json("p2"), pod_json("p1"))
    assert again.done == ["start p1"]
    assert _phases(again) == {"Failed": 1, "Running": 1}


def test_pods_that_ran_before_have_room_before_others(pod_json: PodJson) -> None:
    story = Story(pod_json)
    story.listed()
    story.tell("insert", "p2")
    again = _restarted(story, pod_json("p1"), pod_json("p2"), capacity=1)
    assert again.done == ["start p2", "post p1 Failed"]


def test_a_status_of_another_uid_is_not_the_pods(story: Story) -> None:
    story.tell("insert")
    again = _restarted(story, story.json(uid="uid-2"))
    assert again.done == ["start p1", "post p1 Running"]


def test_rows_that_cannot_be_read_are_told_and_the_others_taken(pod_json: PodJson) -> None:
    story = Story(pod_json)
    faults = story.pods.listed([b"null", pod_json("p1"), b'{"metadata":{"name":"x","uid":"u"}}'], [b"7"], AT)
    story.work()
    assert [fault.reason for fault in faults] == [
        "stored_status_malformed",
        "pod_malformed",
        "pod_without_identity",
    ]
    assert story.done == ["start p1", "post p1 Running"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "go", "delete", "wait", "fail"]),
        st.sampled_from(["p1", "p2", "p3"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_comes_a_pod_is_told_in_order_and_no_address_twice(
    pod_json: PodJson, steps: list[tuple[str, str, str]]
) -> None:
    story = Story(pod_json)
    story.listed()
    for step, name, uid in steps:
        if step == "wait":
            story.after(DELETE_AFTER_S)
        elif step == "fail" and (action := story.pods.next(story.now)) is not None:
            assert isinstance(action, Post | Delete)
            story.pods.failed(action, story.now)
        elif step == "go":
            story.tell("update", name, uid=f"{name}-{uid}", **GONE)
        elif step != "fail":
            story.tell(step, name, uid=f"{name}-{uid}")
        addresses = [pod["podIP"] for pod in story.pods.view()["pods"] if pod["podIP"]]
        assert len(set(addresses)) == len(addresses)
    _told_in_order(story)


def _told_in_order(story: Story) -> None:
    """Running comes before Succeeded, and nothing but a new start after that."""
    last: dict[str, str] = {}
    for entry in story.done:
        what, name, *rest = entry.split()
        if what == "post" and rest == ["Running"]:
            assert last.get(name) != "Succeeded"
            last[name] = "Running"
        elif what == "post":
            last[name] = rest[0]
        elif what in ("start", "delete"):
            last[name] = what
