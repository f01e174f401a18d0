"""What the cloud wants of twins that are newer here: not heeded, told to the cloud, and to be found out by a user."""

from typing import Any

from structlog.testing import capture_logs

TEMP = {"expected": {"value": "20"}, "metadata": {"type": "int"}, "expected_version": {"cloud": 100, "edge": 0}}


def wish(value: str, version: int) -> dict[str, Any]:
    expected = {"value": value, "metadata": {"timestamp": 1}}
    return {"event_id": "w", "twin": {"temp": {**TEMP, "expected": expected, "expected_version": {"cloud": version}}}}


async def set_here(node: Any) -> None:
    """Have a program on MQTT set what is expected."""
    await node.device("sensor", "twin/update", {"event_id": "u", "twin": {"temp": {"expected": {"value": "30"}}}})
    await node.publications(3)
    await node.reported()


async def test_a_wish_for_a_twin_that_was_set_here_is_not_heeded_and_said_so(node: Any, content_of: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await set_here(node)
    with capture_logs() as lines:
        await node.cloud("device/sensor/twin/cloud_updated", wish("25", 200))
        told = content_of(await node.reported())["twin"]["temp"]
    assert (told["expected"]["value"], told["expected_version"]) == ("30", {"cloud": 100, "edge": 1})
    assert [(one["device_id"], one["twin"], one["set_here"]) for one in lines if one["event"] == "wish_unheeded"] == [
        ("sensor", "temp", True)
    ]
    assert node.twin.device("sensor")["twins"]["temp"]["set_here"]
    status = node.twin.status()
    assert (status["twins_set_here"], status["wishes_unheeded"]) == (1, 1)
    assert await node.quiet()


async def test_a_wish_under_an_older_version_is_said_to_be_one(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    with capture_logs() as lines:
        await node.cloud("device/sensor/twin/cloud_updated", wish("25", 99))
        await node.reported()
    assert [one["set_here"] for one in lines if one["event"] == "wish_unheeded"] == [False]
    assert node.twin.status()["twins_set_here"] == 0


async def test_the_cloud_can_set_a_twin_again_once_its_device_was_deleted_and_added(node: Any) -> None:
    await node.add("sensor", temp=TEMP)
    await set_here(node)
    await node.cloud("membership", {"removed_devices": [{"id": "sensor"}]})
    await node.published()
    await node.add("sensor", temp=TEMP)
    await node.cloud("device/sensor/twin/cloud_updated", wish("25", 200))
    await node.publications(2)
    assert node.twin.device("sensor")["twins"]["temp"]["expected"]["value"] == "25"
