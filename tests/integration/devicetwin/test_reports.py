"""Reports to the cloud: remembered until they are confirmed, sent again a bounded number of times, kept on disk."""

from collections.abc import Awaitable, Callable
from typing import Any

from edgecore.beehive.message import Message, Route
from edgecore.clock import settle
from edgecore.store import outbox

TEMP = {"expected": {"value": "20"}, "metadata": {"type": "int"}, "expected_version": {"cloud": 100, "edge": 0}}
REPORT = "device/sensor/twin/edge_updated"


async def report(node: Any, value: str, key: str = "temp") -> Message:
    """Have the device report ``value``; return what the cloud gets."""
    await node.device("sensor", "twin/update", {"event_id": value, "twin": {key: {"actual": {"value": value}}}})
    message: Message = await node.reported()
    return message


async def test_when_the_link_comes_up_the_cloud_is_asked_for_all_devices_once(node: Any, content_of: Any) -> None:
    await node.link()
    await node.link()
    asked = await node.reported()
    assert asked.route == Route("twin", "resource", "get", "membership/detail")
    assert isinstance(asked.content, str)
    assert content_of(asked) == {
        "event_type": "group_membership_event",
        "event_id": "123",
        "group_id": "edge-node1",
        "operation": "detail",
        "timestamp": node.clock.now_ms(),
    }
    assert await node.quiet()


async def test_w4_a_report_that_is_never_confirmed_is_sent_again_three_times_and_given_up(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.link()
    detail = await node.reported()
    first = await report(node, "19")
    await node.publications(3)
    for _ in range(3):
        await node.clock.advance(59.9)
        assert node.hub.statistics().depth == 0
        await node.clock.advance(0.1)
        assert [(await node.reported()), (await node.reported())] == [detail, first]
    await node.clock.advance(600)
    assert await node.quiet()
    status = node.twin.status()
    assert status["unconfirmed"] == 0
    assert status["forgotten"]["not_confirmed"] == 2


async def test_a_confirmed_report_is_not_sent_again(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.link()
    detail = await node.reported()
    message = await report(node, "19")
    await node.publications(3)
    for parent in (message.header.id, detail.header.id, "unknown"):
        await node.cloud(message.route.resource, "OK", parent=parent, operation="response")
    await node.clock.advance(600)
    assert await node.quiet()
    assert node.twin.status()["confirmed"] == 2
    assert node.metrics.bad_input_counts == {}


async def test_a_report_that_a_later_one_makes_stale_is_not_sent_again(node: Any) -> None:
    await node.add("sensor", temp=TEMP, hum={**TEMP, "expected": {"value": "1"}})
    await node.link()
    detail = await node.reported()
    await report(node, "18")
    hum = await report(node, "50", key="hum")
    newest = await report(node, "19")
    await node.clock.advance(60)
    assert [(await node.reported()).header.id for _ in range(3)] == [one.header.id for one in (detail, hum, newest)]
    assert node.twin.status()["forgotten"]["superseded"] == 1


async def test_nothing_is_sent_again_while_the_link_is_down(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.link()
    await node.reported()
    await report(node, "19")
    await node.link("cloud_disconnected")
    await settle()
    await node.clock.advance(600)
    assert node.hub.statistics().depth == 0
    await node.link()
    assert (await node.reported()).route.resource == "membership/detail"
    await node.clock.advance(60)
    assert [(await node.reported()).route.resource for _ in range(2)] == [REPORT, "membership/detail"]


async def test_reports_of_a_device_that_is_gone_are_forgotten(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.link()
    await node.reported()
    await report(node, "19")
    await node.publications(3)
    await node.cloud("membership", {"removed_devices": [{"id": "sensor"}]})
    await node.published()
    assert node.twin.status()["forgotten"]["device_gone"] == 1


async def test_w5_what_devices_report_without_a_link_is_on_disk_in_its_order(
    open_node: Callable[..., Awaitable[Any]],
) -> None:
    """EdgeHub takes it up from there: ``tests/integration/edgehub/test_delivery.py``."""
    node = await open_node()
    await node.add("sensor", temp=TEMP)
    sent = [await report(node, str(number)) for number in range(20)]
    await node.stop()
    again = await open_node()
    assert [one.header.id for one in outbox.kept(again.store)] == [one.header.id for one in sent]


async def test_with_no_resends_a_report_is_only_forgotten(open_node: Callable[..., Awaitable[Any]]) -> None:
    node = await open_node(resends=0)
    await node.add("sensor", temp=TEMP)
    await node.link()
    await node.reported()
    await report(node, "19")
    await node.clock.advance(60)
    assert node.hub.statistics().depth == 0
    assert node.twin.status()["unconfirmed"] == 0


async def test_a_report_waits_for_room_at_edgehub_so_that_none_comes_after_later_ones(
    node: Any, content_of: Any
) -> None:
    await node.add("sensor", temp=TEMP)
    while node.hub.statistics().depth < 4096:
        await node.broker.send("websocket", node.broker.build(Route("bus", "x", "x", "x")))
    for value in ("18", "19"):
        await node.device("sensor", "twin/update", {"event_id": "u", "twin": {"temp": {"actual": {"value": value}}}})
    await node.publications(3)
    for _ in range(5):
        await node.clock.advance(60)
        await settle(20)
    found = [await node.reported() for _ in range(4096 + 2)][-2:]
    assert [content_of(one)["twin"]["temp"]["actual"]["value"] for one in found] == ["18", "19"]


async def test_what_devices_report_while_edgehub_cannot_start_is_on_disk(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    node.bus.withdraw("websocket")
    await node.device("sensor", "twin/update", {"event_id": "u", "twin": {"temp": {"actual": {"value": "19"}}}})
    await node.publications(3)
    assert [kept.route.resource for kept in outbox.kept(node.store)] == [REPORT]
