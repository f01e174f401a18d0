"""Twins changed by the cloud (``Deal.CLOUD``, ``Deal.DETAIL``): versions decide."""

from typing import Any

import msgspec
import pytest

from edgecore.beehive.gojson import marshal
from edgecore.modules.devicetwin import values
from edgecore.modules.devicetwin.devices import DELETED, Device, Side, Twin, Version
from edgecore.modules.devicetwin.payloads import Twins
from edgecore.modules.devicetwin.twins import MAX_TWINS, TOO_MANY, Deal, Dealt, deal

NOW = 2000
THEN = 1000
TEMP = Twin(expected=Side("20", THEN, Version(100, 0)), type="int")
GONE = Twin(Side(version=Version(100, 0)), Side(version=Version(0, 2)), True, DELETED)


def device(**twins: Twin) -> Device:
    return Device("sensor", "sensor", "d", twins=twins)


def cloud(before: Device, twin: dict[str, Any], kind: Deal = Deal.CLOUD) -> Dealt:
    return deal(before, msgspec.convert(twin, Twins), kind, NOW)


def wish(value: str, cloud: int | None, edge: int = 0, **more: Any) -> dict[str, Any]:
    version = {} if cloud is None else {"expected_version": {"cloud": cloud, "edge": edge}}
    meta = {"timestamp": 5}
    return {
        "expected": {"value": value, "metadata": meta},
        "optional": False,
        "metadata": {"type": "int"},
        **version,
        **more,
    }


def test_nor_can_the_cloud_add_more_twins_than_a_device_may_have() -> None:
    before = device(**{f"t{number}": Twin() for number in range(MAX_TWINS - 1)})
    dealt = cloud(before, {"a": wish("1", 1), "b": wish("1", 1), "t1": wish("1", 1)})
    assert dealt.changed == ("a", "t1")
    assert dealt.faults == (("b", TOO_MANY),)


def plain(value: Any) -> Any:
    return msgspec.json.decode(marshal(value))


@pytest.mark.parametrize("kind", [Deal.CLOUD, Deal.DETAIL])
def test_a_new_twin_gets_the_version_of_the_cloud_and_the_time_of_the_edge(kind: Deal) -> None:
    dealt = cloud(device(), {"temp": wish("20", 100)}, kind)
    assert dealt.device.twins["temp"] == Twin(Side("20", NOW, Version(100, 0)), None, False, "int")
    assert plain(dealt.documents)["temp"]["last"] is None
    assert dealt.delta is not None
    assert dealt.delta[1] == {"temp": "20"}
    assert (dealt.result, dealt.sync, dealt.faults) == ({}, {}, ())


@pytest.mark.parametrize("number", [100, 101])
def test_a_wish_of_the_same_or_a_newer_version_is_taken(number: int) -> None:
    dealt = cloud(device(temp=TEMP), {"temp": wish("25", number)})
    assert dealt.device.twins["temp"].expected == Side("25", NOW, Version(number, 0))
    assert dealt.sync == {}


@pytest.mark.parametrize("local", [Version(101, 0), Version(99, 1)])
def test_a_wish_of_an_older_version_is_answered_with_how_it_is_here(local: Version) -> None:
    before = device(temp=TEMP._replace(expected=Side("25", THEN, local), actual=Side("1", 1, Version(0, 9))))
    dealt = cloud(before, {"temp": wish("20", 99) | {"actual": {"value": "7"}}})
    assert dealt.device is before
    assert (dealt.changed, dealt.documents, dealt.delta, dealt.faults) == ((), {}, None, ())
    assert marshal(dealt.sync["temp"]).decode() == (
        '{"expected":{"value":"25","metadata":{"timestamp":1000}},"optional":false,"metadata":{"type":"int"},'
        f'"expected_version":{{"cloud":{local.cloud},"edge":{local.edge}}}}}'
    )


def test_a_wish_without_a_version_is_answered_likewise() -> None:
    dealt = cloud(device(temp=TEMP), {"temp": wish("25", None)})
    assert dealt.changed == ()
    assert plain(dealt.sync)["temp"]["expected_version"] == {"cloud": 100, "edge": 0}


def test_a_new_twin_without_a_version_is_passed_over() -> None:
    before = device()
    assert cloud(before, {"x": wish("1", None)}) == Dealt(before, (), {}, {}, None, {}, (("x", values.NO_VERSION),))


def test_a_side_that_is_not_here_is_not_told() -> None:
    before = device(x=Twin(actual=Side("1", 1, Version(0, 1)), type="int"))
    assert cloud(before, {"x": wish("1", None)}) == Dealt(before, (), {}, {}, None, {}, (("x", values.NO_VERSION),))


def test_w8_the_same_value_under_a_newer_version_is_noted_and_tells_nobody() -> None:
    dealt = cloud(device(temp=TEMP), {"temp": wish("20", 105)})
    assert dealt.device.twins["temp"].expected == Side("20", THEN, Version(105, 0))
    assert dealt.changed == ("temp",)
    assert (dealt.documents, dealt.delta, dealt.sync) == ({}, None, {})
    assert cloud(dealt.device, {"temp": wish("30", 104)}).sync


def test_the_same_wish_again_changes_nothing() -> None:
    before = device(temp=TEMP)
    assert cloud(before, {"temp": wish("20", 100)}) == Dealt(before, (), {}, {}, None, {})


def test_where_only_what_is_reported_is_newer_here_the_wish_is_taken() -> None:
    before = device(temp=TEMP._replace(actual=Side("19", THEN, Version(0, 3))))
    asked = wish("25", 101) | {"actual": {"value": "1"}, "actual_version": {"cloud": 0, "edge": 2}}
    dealt = cloud(before, {"temp": asked})
    assert dealt.device.twins["temp"] == Twin(
        Side("25", NOW, Version(101, 0)), Side("19", THEN, Version(0, 3)), type="int"
    )
    assert plain(dealt.sync)["temp"] == {
        "actual": {"value": "19", "metadata": {"timestamp": THEN}},
        "optional": False,
        "metadata": {"type": "int"},
        "actual_version": {"cloud": 0, "edge": 3},
    }


@pytest.mark.parametrize(
    ("before", "asked", "text"),
    [
        (device(temp=TEMP), wish("abc", 101), values.NOT_INT),
        (device(temp=TEMP), wish("1", 101) | {"expected": {}}, values.BAD_ENTRY),
        (device(), wish("abc", 101), values.NOT_INT),
        (device(), wish("1", 101) | {"metadata": {"type": "bytes"}}, values.BAD_TYPE),
        (device(temp=GONE), wish("1", 101, 9) | {"metadata": {"type": "bytes"}}, values.BAD_TYPE),
        (device(temp=GONE), wish("abc", 101, 9), values.NOT_INT),
        (device(temp=TEMP), None, values.BAD_ENTRY),
        (device(), None, values.BAD_ENTRY),
    ],
)
def test_what_cannot_be_is_passed_over_and_the_rest_is_done(before: Device, asked: Any, text: str) -> None:
    dealt = cloud(before, {"temp": asked, "zz": wish("1", 1)})
    assert dealt.faults == (("temp", text),)
    assert dealt.device.twins.get("temp") == before.twins.get("temp")
    assert dealt.changed == ("zz",)


def test_of_a_twin_with_one_wrong_side_the_other_is_taken() -> None:
    asked = wish("abc", 101) | {"actual": {"value": "5"}, "actual_version": {"cloud": 1, "edge": 1}}
    dealt = cloud(device(temp=TEMP), {"temp": asked})
    assert dealt.device.twins["temp"] == TEMP._replace(actual=Side("5", NOW, Version(1, 1)))
    assert dealt.faults == (("temp", values.NOT_INT),)


@pytest.mark.parametrize("version", [{}, {"expected_version": {"cloud": 100, "edge": 0}}])
def test_the_cloud_deletes_with_or_without_a_version_also_what_a_device_may_not(version: dict[str, Any]) -> None:
    before = device(temp=TEMP._replace(actual=Side("19", THEN, Version(0, 3))))
    dealt = cloud(before, {"temp": {"metadata": {"type": "deleted"}, **version}})
    assert dealt.device.twins["temp"] == Twin(
        Side(version=Version(100, 0)), Side(version=Version(0, 3)), False, DELETED
    )
    assert plain(dealt.documents)["temp"]["current"] is None
    assert (dealt.changed, dealt.sync, dealt.delta) == (("temp",), {}, None)


@pytest.mark.parametrize("older", ["expected_version", "actual_version"])
def test_deleting_under_an_older_version_deletes_nothing(older: str) -> None:
    before = device(temp=TEMP._replace(actual=Side("19", THEN, Version(100, 3))))
    newer = {"expected_version": {"cloud": 200, "edge": 9}, "actual_version": {"cloud": 200, "edge": 9}}
    dealt = cloud(before, {"temp": {"metadata": {"type": "deleted"}, **newer, older: {"cloud": 99, "edge": 9}}})
    assert dealt.device is before
    assert plain(dealt.sync)["temp"] == {
        "expected": {"value": "20", "metadata": {"timestamp": THEN}},
        "actual": {"value": "19", "metadata": {"timestamp": THEN}},
        "optional": False,
        "metadata": {"type": "int"},
        "expected_version": {"cloud": 100, "edge": 0},
        "actual_version": {"cloud": 100, "edge": 3},
    }


def test_w9_a_twin_of_the_cloud_without_metadata_is_none_to_delete() -> None:
    asked = {"expected": {"value": "25"}, "expected_version": {"cloud": 101, "edge": 0}}
    assert cloud(device(temp=TEMP), {"temp": asked}).device.twins["temp"].expected == Side("25", NOW, Version(101, 0))
    assert cloud(device(), {"temp": asked}).device.twins["temp"].type == "string"


def test_deleting_what_is_gone_does_nothing() -> None:
    before = device(x=GONE)
    assert cloud(before, {"x": {"metadata": {"type": "deleted"}}}) == Dealt(before, (), {}, {}, None, {})


def test_deleting_what_was_never_here_keeps_the_versions() -> None:
    asked = wish("1", 7) | {"metadata": {"type": "deleted"}}
    dealt = cloud(device(), {"x": asked})
    assert dealt.device.twins["x"] == Twin(Side(version=Version(7, 0)), None, False, DELETED)
    assert (dealt.changed, dealt.documents, dealt.sync) == (("x",), {}, {})
    assert cloud(dealt.device, {"x": wish("1", 6)}).changed == ()


def test_deleting_what_was_never_here_without_a_version_is_passed_over() -> None:
    before = device()
    dealt = cloud(before, {"x": {"metadata": {"type": "deleted"}}})
    assert dealt == Dealt(before, (), {}, {}, None, {}, (("x", values.NO_VERSION),))


def test_an_older_word_does_not_bring_a_deleted_twin_back() -> None:
    before = device(x=GONE)
    dealt = cloud(before, {"x": wish("1", 99)})
    assert dealt.device is before
    assert marshal(dealt.sync["x"]) == (
        b'{"expected":{},"optional":true,"metadata":{"type":"deleted"},"expected_version":{"cloud":100,"edge":0}}'
    )


def test_a_deleted_twin_of_which_one_side_is_newer_here_stays_deleted() -> None:
    before = device(x=GONE)
    dealt = cloud(before, {"x": wish("1", 101) | {"actual": {"value": "1"}, "actual_version": {"cloud": 0, "edge": 1}}})
    assert dealt.device is before
    assert plain(dealt.sync)["x"]["actual_version"] == {"cloud": 0, "edge": 2}


def test_a_newer_word_brings_a_deleted_twin_back() -> None:
    dealt = cloud(device(x=GONE), {"x": wish("1", 101)})
    assert dealt.device.twins["x"] == Twin(Side("1", NOW, Version(101, 0)), Side(version=Version(0, 2)), False, "int")
    assert "actual" not in plain(dealt.documents)["x"]["current"]
    assert plain(dealt.documents)["x"]["last"] is None
