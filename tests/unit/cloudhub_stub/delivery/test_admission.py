"""What CloudHub 1.3.1 lets into its queues, and what our stub does; each rule in both."""

from typing import Any

import pytest

from cloudhub_stub.delivery.admission import FaithfulAdmission
from cloudhub_stub.delivery.fates import GivenUp, Settled
from cloudhub_stub.delivery.queue import NodeQueue, QueueRules
from edgecore.observe.ledger import DROPPED

POD = "default/pod/p"


@pytest.fixture
def faithful() -> NodeQueue:
    return NodeQueue(QueueRules(faithful=True))


@pytest.fixture
def right() -> NodeQueue:
    return NodeQueue(QueueRules())


def enter(queue: NodeQueue, *parcels: Any) -> list[str]:
    """Queue these, and return why some were dropped."""
    queue.reserve(list(parcels))
    for each in parcels:
        queue.enter(each)
    return [fate.reason for fate in queue.drain() if isinstance(fate, Settled) and fate.outcome == DROPPED]


def give_up(queue: NodeQueue, sent: Any) -> None:
    queue.connect(None)
    assert queue.take(0.0) is sent
    queue.expire(25.0)
    assert GivenUp(sent) in queue.drain()


def test_h9_an_object_without_version_is_dropped_by_a_faithful_stub(faithful: NodeQueue, parcel: Any) -> None:
    assert enter(faithful, parcel(POD)) == ["no_version"]
    assert len(faithful) == 0


def test_h9_an_object_without_version_is_queued(right: NodeQueue, parcel: Any) -> None:
    assert enter(right, parcel(POD)) == []
    assert len(right) == 1


def test_h9_a_delete_and_a_list_need_no_version(faithful: NodeQueue, parcel: Any) -> None:
    assert enter(faithful, parcel(POD, operation="delete"), parcel("default/podlist/web")) == []


def test_h11_a_faithful_stub_compares_versions_as_texts(faithful: NodeQueue, parcel: Any) -> None:
    assert enter(faithful, parcel(POD, "99"), parcel(POD, "1000")) == ["stale_version"]


def test_h11_versions_are_compared_as_numbers(right: NodeQueue, parcel: Any) -> None:
    newer = parcel(POD, "1000")
    assert enter(right, parcel(POD, "99"), newer) == []
    right.connect(None)
    assert right.take(0.0) is newer


def test_h5_a_faithful_stub_never_sends_a_version_again_that_it_gave_up(faithful: NodeQueue, parcel: Any) -> None:
    sent = parcel(POD, "7")
    enter(faithful, sent)
    give_up(faithful, sent)
    faithful.disconnect()
    faithful.connect(None)
    assert faithful.take(60.0) is None
    assert enter(faithful, parcel(POD, "7")) == ["stale_version"]
    newer = parcel(POD, "8")
    assert enter(faithful, newer) == []
    assert faithful.take(60.0) is newer


def test_h5_a_version_that_was_given_up_is_sent_again_in_the_next_session(right: NodeQueue, parcel: Any) -> None:
    sent = parcel(POD, "7")
    enter(right, sent)
    give_up(right, sent)
    right.disconnect()
    right.connect(None)
    assert right.take(60.0) is sent


def test_h5_a_version_that_was_given_up_may_be_queued_anew(right: NodeQueue, parcel: Any) -> None:
    sent, again = parcel(POD, "7"), parcel(POD, "7")
    enter(right, sent)
    give_up(right, sent)
    assert enter(right, again) == []
    assert right.take(26.0) is again


def test_h5_a_delete_gets_in_after_a_giving_up(faithful: NodeQueue, parcel: Any) -> None:
    sent = parcel(POD, "7")
    enter(faithful, sent)
    give_up(faithful, sent)
    assert enter(faithful, parcel(POD, operation="delete")) == []


def test_an_acknowledged_version_is_remembered_and_an_acknowledged_delete_forgets_it(parcel: Any) -> None:
    admission = FaithfulAdmission()
    first, gone, again = parcel(POD, "7"), parcel(POD, operation="delete"), parcel(POD, "3", operation="insert")
    assert admission.refusal(first) == ""
    admission.acknowledged(first)
    assert admission.refusal(parcel(POD, "7")) == "stale_version"
    assert admission.refusal(gone) == ""
    assert admission.refusal(again) == "stale_version"
    admission.acknowledged(gone)
    assert admission.refusal(again) == ""


def test_a_late_update_of_an_object_that_ends_blocks_its_name_for_good(parcel: Any) -> None:
    admission = FaithfulAdmission()
    ending = parcel(POD, "9", content={"metadata": {"deletionTimestamp": "2020-05-09T04:53:20Z"}})
    assert admission.refusal(ending) == ""
    admission.acknowledged(ending)
    assert admission.refusal(parcel(POD, "99", operation="insert")) == "stale_version"


@pytest.mark.parametrize(("resource", "group"), [(POD, "func"), ("default/pod", "resource"), ("x", "resource")])
def test_what_has_no_key_is_dropped_by_a_faithful_stub(
    faithful: NodeQueue, parcel: Any, resource: str, group: str
) -> None:
    assert enter(faithful, parcel(resource, "1", group=group)) == ["no_message_key"]
