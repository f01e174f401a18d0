"""Which action a topic stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.devicetwin import topics
from edgecore.modules.devicetwin.topics import Action, read_topic

IDS = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("rest", "action"),
    [
        ("twin/update", Action.TWIN_UPDATE),
        ("twin/get", Action.TWIN_GET),
        ("twin/cloud_updated", Action.TWIN_CLOUD_UPDATED),
        ("state/update", Action.STATE_UPDATE),
        ("updated", Action.ATTRIBUTES_UPDATED),
    ],
)
@given(device_id=IDS)
def test_w1_the_fourth_part_is_the_device_whatever_it_reads(rest: str, action: Action, device_id: str) -> None:
    assert read_topic(f"$hw/events/device/{device_id}/{rest}") == (action, device_id)


@pytest.mark.parametrize(
    ("rest", "action"),
    [
        ("membership/get", Action.MEMBERSHIP_GET),
        ("membership/updated", Action.MEMBERSHIP_UPDATED),
        ("membership/detail/result", Action.MEMBERSHIP_DETAIL),
    ],
)
def test_a_topic_of_the_node_has_no_device(rest: str, action: Action) -> None:
    assert read_topic(f"$hw/events/node/edge-node/{rest}") == (action, "")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "$hw/events/device/a",
        "$hw/events/device/a/twin",
        "$hw/events/device/a/twin/update/result",
        "$hw/events/device/a/membership/get",
        "$hw/events/node/a/twin/update",
        "$hw/events/connected/a",
        "$hw/events/other/a/twin/update",
        "x/$hw/events/device/a/twin/update",
    ],
)
def test_any_other_topic_has_no_action(topic: str) -> None:
    assert read_topic(topic) is None


@given(device_id=IDS)
def test_what_is_published_is_never_taken_for_a_request_but_where_go_has_one_topic_for_both(device_id: str) -> None:
    for topic in (
        topics.twin_result(device_id),
        topics.twin_document(device_id),
        topics.twin_delta(device_id),
        topics.twin_got(device_id),
        topics.state_result(device_id),
        topics.membership_got("n"),
    ):
        assert read_topic(topic) is None
