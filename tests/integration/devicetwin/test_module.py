"""What DeviceTwin does on the bus: rows before words, the order of words, restarts, a file that refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.resource import DEVICECONTROLLER
from edgecore.clock import settle
from edgecore.modules.devicetwin import module
from edgecore.modules.devicetwin.module import DeviceTwin
from edgecore.modules.devicetwin.tables import SCHEMA
from edgecore.store import outbox
from edgecore.store.store import Statement, open_store

TEMP = {"expected": {"value": "20"}, "metadata": {"type": "int"}, "expected_version": {"cloud": 100, "edge": 0}}
NODE_TOPIC = "$hw/events/node/edge-node1/membership"


def an_update(value: str, event_id: str = "u", key: str = "temp") -> dict[str, Any]:
    return {"event_id": event_id, "timestamp": 1, "twin": {key: {"actual": {"value": value}}}}


async def test_what_is_said_is_on_disk_before_it_is_said(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.device("sensor", "twin/update", an_update("19"))
    heard = await node.published()
    assert heard.place == "$hw/events/device/sensor/twin/update/result"
    rows = node.store.rows("SELECT actual, actual_version FROM device_twin WHERE deviceid = 'sensor'")
    assert rows == [("19", '{"cloud":0,"edge":1}')]
    assert len(outbox.kept(node.store)) == 1


async def test_an_update_is_answered_by_result_document_and_delta_and_the_cloud_hears_last(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.device("sensor", "twin/update", an_update("19"))
    places = [one.place.removeprefix("$hw/events/device/sensor/twin/") for one in await node.publications(3)]
    assert places == ["update/result", "update/document", "update/delta"]
    assert (await node.reported()).route == Route("twin", "resource", "update", "device/sensor/twin/edge_updated")


async def test_updates_of_many_devices_are_answered_in_their_order_and_share_commits(node: Any) -> None:
    for number in range(5):
        await node.add(f"d{number}", temp=TEMP)
    commits = node.store.statistics().commits
    for number in range(100):
        await node.device(f"d{number % 5}", "twin/update", an_update(str(number), f"u{number}"))
    answered = []
    while len(answered) < 100:
        heard = await node.published()
        if heard.place.endswith("/result"):
            answered.append(heard.payload["event_id"])
    assert answered == [f"u{number}" for number in range(100)]
    assert node.store.statistics().commits - commits < 100


async def test_w8_an_unchanged_value_is_answered_and_changes_nothing(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.device("sensor", "twin/update", an_update("19"))
    await node.publications(3)
    await node.reported()
    writes = node.store.statistics().writes
    await node.device("sensor", "twin/update", an_update("19", "again"))
    heard = await node.published()
    assert heard.place.endswith("/twin/update/result")
    assert heard.payload["twin"]["temp"]["actual"]["value"] == "19"
    assert await node.quiet()
    assert node.store.statistics().writes == writes


async def test_devices_are_as_they_were_after_a_restart(open_node: Callable[..., Awaitable[Any]]) -> None:
    node = await open_node()
    await node.add("sensor", temp=TEMP, hum={"actual": {"value": "40"}, "actual_version": {"cloud": 1, "edge": 0}})
    await node.device("sensor", "twin/update", an_update("19"))
    await node.device("sensor", "state/update", {"event_id": "", "state": "online"})
    await node.device("sensor", "updated", {"attributes": {"maker": {"value": "acme"}}})
    assert await node.quiet() is False
    before = node.twin.device("sensor")
    await node.stop()
    again = await open_node()
    assert again.twin.device("sensor") == before
    assert before["twins"]["temp"]["actual"]["version"] == {"cloud": 0, "edge": 1}
    assert before["attributes"] == {"maker": {"value": "acme", "optional": True, "type": "string"}}
    assert before["state"] == "online"


async def test_a_device_that_goes_takes_all_its_rows_along(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.device("sensor", "updated", {"attributes": {"maker": {"value": "acme"}}})
    await node.published()
    told = {"id": "sensor", "twin": {"temp": TEMP}}
    await node.cloud("membership", {"event_id": "x", "removed_devices": [told]})
    heard = await node.published()
    assert heard.place == f"{NODE_TOPIC}/updated"
    assert heard.payload["added_devices"] is None
    assert "expected_version" not in heard.payload["removed_devices"][0]["twin"]["temp"]
    for table in ("device", "device_attr", "device_twin"):
        assert node.store.rows(f"SELECT count(*) FROM {table}") == [(0,)]


async def test_a_device_that_comes_again_after_it_went_has_rows_of_its_own(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.cloud("membership", {"removed_devices": [{"id": "sensor"}]})
    await node.published()
    await node.add("sensor", temp={**TEMP, "expected": {"value": "7"}})
    assert node.store.rows("SELECT name, expected FROM device_twin") == [("temp", "7")]


async def test_the_answer_to_the_question_for_all_devices_replaces_them(node: Any) -> None:
    await node.add("a", temp=TEMP)
    await node.link()
    asked = await node.reported()
    await node.cloud("membership/detail", {"devices": [{"id": "b"}]}, parent=asked.header.id, operation="response")
    assert [next(iter(one.payload.items()))[0] for one in await node.publications(2)] == ["event_id", "event_id"]
    assert [one["id"] for one in node.twin.devices()] == ["b"]
    assert node.twin.status()["confirmed"] == 1


async def test_membership_detail_replaces_the_devices(node: Any) -> None:
    await node.add("old", temp=TEMP)
    await node.add("kept", temp=TEMP)
    await node.cloud("membership/detail", {"event_id": "", "devices": [{"id": "kept"}, {"id": "new"}]}, parent="x")
    added, removed = await node.publications(2)
    assert [one["id"] for one in added.payload["added_devices"]] == ["new"]
    assert [one["id"] for one in removed.payload["removed_devices"]] == ["old"]
    assert [one["id"] for one in node.twin.devices()] == ["kept", "new"]


async def test_a_membership_detail_without_a_list_removes_nothing(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.cloud("membership/detail", {"event_id": ""})
    assert await node.quiet()
    assert [one["id"] for one in node.twin.devices()] == ["sensor"]
    assert node.count("malformed_membership") == 1


@pytest.mark.parametrize("device_id", ["hw", "device", "e", "events", "twin", "update"])
async def test_w1_a_device_may_be_called_as_a_part_of_its_topics(node: Any, device_id: str) -> None:
    await node.add(device_id, temp=TEMP)
    await node.device(device_id, "twin/update", an_update("19"))
    heard = await node.published()
    assert heard.place == f"$hw/events/device/{device_id}/twin/update/result"
    assert "code" not in heard.payload


@pytest.mark.parametrize("device_id", ["", "a/b", "a+b", "#", "a\nb", "x" * 300])
async def test_a_device_whose_topics_would_be_none_is_refused(node: Any, device_id: str) -> None:
    await node.cloud("membership", {"added_devices": [{"id": device_id}]})
    assert await node.quiet()
    assert node.count("bad_device_id") == 1
    assert node.twin.devices() == []


async def test_w2_content_that_is_no_text_is_counted(node: Any) -> None:
    message = node.broker.build(Route("bus", "user", "response", "JGh3L2V2ZW50cy9kZXZpY2UvYS90d2luL2dldA=="), {"a": 1})
    await node.broker.send_to_group("twin", message)
    assert await node.quiet()
    assert node.count("content_not_text") == 1


async def test_w3_an_update_of_an_unknown_resource_is_counted(node: Any) -> None:
    await node.cloud("somewhere/else", {"a": 1}, operation="updated")
    assert await node.quiet()
    assert node.count("unknown_resource") == 1


async def test_a_state_is_told_to_mqtt_and_as_a_text_to_the_cloud(node: Any, content_of: Any) -> None:
    await node.add("sensor")
    await node.device("sensor", "state/update", {"event_id": "s", "state": "online"})
    heard = await node.published()
    assert heard.place == "$hw/events/device/sensor/state/update/result"
    message = await node.reported()
    assert isinstance(message.content, str)
    assert content_of(message) == heard.payload
    assert node.store.rows("SELECT state, last_online FROM device") == [
        ("online", heard.payload["device"]["last_online"])
    ]


async def test_a_state_that_is_none_changes_nothing(node: Any) -> None:
    await node.add("sensor")
    await node.device("sensor", "state/update", {"state": "asleep"})
    assert await node.quiet()
    assert node.count("unknown_state") == 1


async def test_attributes_of_a_device_are_stored_and_told(node: Any) -> None:
    await node.add("sensor")
    await node.device("sensor", "updated", {"attributes": {"maker": {"value": "acme"}}})
    heard = await node.published()
    assert heard.place == "$hw/events/device/sensor/updated"
    assert heard.payload["attributes"]["maker"]["value"] == "acme"
    await node.cloud("device/sensor", {"attributes": {"colour": {"value": "red"}}}, operation="updated")
    heard = await node.published()
    assert heard.payload["attributes"] == {
        "colour": {"value": "red", "optional": True, "metadata": {"type": "string"}},
        "maker": None,
    }


# A file that refuses.


async def test_an_update_that_cannot_be_stored_is_answered_with_500_and_changes_nothing(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    before = node.twin.device("sensor")
    await node.device("sensor", "twin/update", an_update("1", "u1", key="refused"))
    heard = await node.published()
    assert heard.place == "$hw/events/device/sensor/twin/update/result"
    assert (heard.payload["event_id"], heard.payload["code"]) == ("u1", 500)
    assert await node.quiet()
    assert node.twin.device("sensor") == before
    assert outbox.kept(node.store) == []


async def test_after_a_refusal_the_next_update_is_decided_on_what_is_on_disk(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.device("sensor", "twin/update", an_update("1", "u1", key="refused"))
    await node.device("sensor", "twin/update", an_update("19", "u2"))
    places = [one.payload.get("event_id") for one in await node.publications(3)]
    assert places[:2] == ["u1", "u2"]
    await settle(50)
    assert await node.quiet() is False
    assert sorted(node.twin.device("sensor")["twins"]) == ["temp"]
    assert node.twin.device("sensor")["twins"]["temp"]["actual"]["value"] == "19"


async def test_a_change_of_the_cloud_that_cannot_be_stored_is_tried_five_times(node: Any) -> None:
    await node.cloud("membership", {"added_devices": [{"id": "refused-1"}]})
    for _ in range(10):
        await _stored(node)
        await node.clock.advance(10)
    assert await node.quiet()
    assert node.store.statistics().failed == 5
    assert node.twin.devices() == []


async def test_what_the_cloud_sends_later_waits_behind_a_change_that_cannot_be_stored(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await node.cloud("membership", {"added_devices": [{"id": "refused-1"}]})
    await _stored(node)
    await node.cloud("membership", {"removed_devices": [{"id": "refused-1"}, {"id": "sensor"}]})
    await node.device("sensor", "twin/update", an_update("19"))
    assert (await node.published()).payload["event_id"] == "u"  # what devices say goes on
    await node.reported()
    assert [one["id"] for one in node.twin.devices()] == ["sensor"]
    assert node.twin.status()["to_be_tried_again"] == 2
    await node.store.write(Statement("DROP TRIGGER refuse_device"))
    await node.clock.advance(10)
    while not (heard := await node.published()).payload.get("added_devices"):
        pass
    assert heard.payload["added_devices"][0]["id"] == "refused-1"
    for gone in ("refused-1", "sensor"):
        assert (await node.published()).payload["removed_devices"][0]["id"] == gone
    assert node.twin.devices() == []
    assert await node.quiet()


async def test_what_waits_goes_on_when_a_change_is_given_up(node: Any) -> None:
    await node.cloud("membership", {"added_devices": [{"id": "refused-1"}]})
    await _stored(node)
    await node.cloud("membership", {"added_devices": [{"id": "sensor"}]})
    for _ in range(5):
        await node.clock.advance(10)
        await _stored(node)
    assert [one["id"] for one in node.twin.devices()] == ["sensor"]
    assert node.twin.status()["to_be_tried_again"] == 0


async def test_a_change_of_the_cloud_is_done_once_the_file_takes_it(node: Any) -> None:
    await node.cloud("membership", {"added_devices": [{"id": "refused-1"}]})
    await _stored(node)
    await node.store.write(Statement("DROP TRIGGER refuse_device"))
    await node.clock.advance(10)
    heard = await node.published()
    assert heard.payload["added_devices"][0]["id"] == "refused-1"


# Neighbours.


async def test_without_eventbus_and_edgehub_changes_are_stored_and_nothing_is_kept_for_the_cloud(
    tmp_path: Any, vclock: Any, ids: Any, metrics: Any
) -> None:
    store = open_store(tmp_path / "alone.db", (*SCHEMA, *outbox.SCHEMA))
    bus = Bus(vclock, ids)
    other = bus.register("other", "other")
    twin = DeviceTwin(bus.register("twin", "twin"), store, metrics, node="n", resends=3, has_cloud=False)
    await twin.start()
    running = asyncio.create_task(twin.run())
    added = {"added_devices": [{"id": "a", "twin": {"temp": TEMP}}]}
    await other.send_to_group("twin", other.build(Route(DEVICECONTROLLER, "twin", "update", "membership"), added))
    await settle()
    await twin.stop()
    bus.close()
    await running
    assert twin.device("a") is not None
    assert outbox.kept(store) == []
    assert other.dropped == {}
    await store.close()


async def _stored(node: Any) -> None:
    """Wait until nothing is on its way to the file."""
    await settle(5)
    while node.store.statistics().waiting:
        await settle(5)
    await settle(20)


async def test_what_was_being_stored_when_the_module_ended_is_said_when_it_runs_again(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.add("sensor", temp=TEMP)
    decide = module.decide

    def mistaken(devices: Any, request: Any, at: Any) -> Any:
        if request.payload == b"mistake":
            raise RuntimeError("a mistake")
        return decide(devices, request, at)

    monkeypatch.setattr(module, "decide", mistaken)
    await node.device("sensor", "twin/update", an_update("19"))
    await node.device("sensor", "twin/get", "mistake")
    await node.crashed()
    assert [one.payload["event_id"] for one in await node.publications(2)] == ["u", "u"]
    assert (await node.reported()).route.resource == "device/sensor/twin/edge_updated"


async def test_a_mistake_of_ours_costs_its_message_and_what_was_taken_before_it_is_settled(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.add("sensor", temp=TEMP)
    decide = module.decide

    def mistaken(devices: Any, request: Any, at: Any) -> Any:
        if request.payload == b"mistake":
            raise RuntimeError("a mistake")
        return decide(devices, request, at)

    monkeypatch.setattr(module, "decide", mistaken)
    await node.device("sensor", "twin/get", {"event_id": "before"})
    await node.device("sensor", "twin/get", "mistake")
    await node.crashed()
    await node.device("sensor", "twin/update", an_update("19", "after"))
    heard = [one.payload["event_id"] for one in await node.publications(2)]
    assert heard == ["before", "after"]
